"""What is wrong with a YAML file, in one line."""

import yaml


def mistake_of(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Return where a file is not YAML, and why: the parser's own message has five lines.

    Args:
        error: raised where the file was read.
    """
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"correct line {mark.line + 1}, column {mark.column + 1} ({error.problem})"
    return " ".join(str(error).split())
