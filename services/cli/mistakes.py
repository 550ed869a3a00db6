"""What is wrong with the words of a command, in one line."""

import re

from cyclopts.exceptions import CycloptsError
from pydantic import ValidationError

SUBJECT = re.compile(r"^(Input|String) should ")


def one_line(error: CycloptsError) -> str:
    """Return what the reader is to correct, and where the options are told of.

    Args:
        error: of the command line's words, or of a configuration that they were to make.
    """
    cause = error.__cause__
    told = _of_fields(cause) if isinstance(cause, ValidationError) else " ".join(str(error).split())
    command = " ".join(error.command_chain or ())
    return f"{told.rstrip(' .,?')}; see eartheye {command} --help".replace("  ", " ")


def _of_fields(error: ValidationError) -> str:
    """Return each field that is refused as its option, with the value given and what it should be."""
    told = []
    for refused in error.errors(include_url=False):
        option = "--" + ".".join(str(part).replace("_", "-") for part in refused["loc"] if not isinstance(part, int))
        words = refused["msg"].removeprefix("Value error, ")
        if SUBJECT.match(words):
            told.append(f"{option} {refused['input']}: it {SUBJECT.sub('should ', words)}")
        else:
            told.append(f"{option}: {words}" if refused["loc"] else words)
    return "; ".join(told)
