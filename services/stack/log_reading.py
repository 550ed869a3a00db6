"""Reading a log that may still grow."""

import time
from collections.abc import Iterator
from pathlib import Path

from eartheye.errors import InvalidSettings

LOOK_EVERY_S = 0.3


def read_on(log_file: Path, lines: int, follow: bool) -> Iterator[str]:
    """Yield the last lines of a log, and those that are added, for ever, where that is asked.

    Args:
        log_file: which.
        lines: how many of the past.
        follow: go on with what is added.

    Raises:
        InvalidSettings: there is no such log: the server was never started.
    """
    if not log_file.exists():
        raise InvalidSettings(f"there is no {log_file}: the server was not started yet, see `eartheye stack up`")
    with log_file.open(errors="replace") as file:
        past = file.readlines()
        yield from (line.rstrip("\n") for line in past[-lines:])
        rest = ""
        while follow:
            rest += file.readline()
            if rest.endswith("\n"):
                yield rest.rstrip("\n")
                rest = ""
            else:
                time.sleep(LOOK_EVERY_S)
