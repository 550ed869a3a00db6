"""Reading a log that may still grow."""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from eartheye.errors import InvalidSettings

LOOK_EVERY_S = 0.3


def read_on(log_file: Path, lines: int, follow: bool) -> Iterator[str]:
    """Yield the last lines of a log, and those that are added, for ever, where that is asked.

    Args:
        log_file: which.
        lines: how many of the past, 0 for none.
        follow: go on with what is added.

    Raises:
        InvalidSettings: the number of lines is negative, or there is no such log: the server was never started.
    """
    if lines < 0:
        raise InvalidSettings(f"a log has no {lines} lines: ask for 0 or more")
    if not log_file.exists():
        raise InvalidSettings(f"there is no {log_file}: the server was not started yet, see `eartheye stack up`")
    with log_file.open(errors="replace") as file:
        yield from (line.rstrip("\n") for line in deque(file, maxlen=lines))
        rest = ""
        while follow:
            rest += file.readline()
            if rest.endswith("\n"):
                yield rest.rstrip("\n")
                rest = ""
            else:
                time.sleep(LOOK_EVERY_S)
