"""Disks that fill up: what fails for want of room is told as that, whoever wrote."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eartheye.errors import StoreFull, UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system answers when a file cannot grow: the disk, the quota or the limit on a file's size is reached."""


@contextmanager
def room(what_for: str, remedy: str) -> Iterator[None]:
    """Tell of a disk that is full, for the length of a block that writes.

    Args:
        what_for: the room is needed, as `to write /data/map.tif`.
        remedy: what the user can do, as `free space`.

    Raises:
        StoreFull: there is no room.
    """
    handled = sys.exception()  # where a block runs while an error is met, that is not its own
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if (reason := _want_of_room(error, handled)) is None:
            raise
        raise StoreFull(f"no room {what_for} ({reason}): {remedy}") from error


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give an empty folder on the disk of temporary files, for tools that write to a path; it is removed when the block ends.

    Raises:
        StoreFull: there is no room.
    """
    directory = _temporary_directory()
    with (
        room(f"in {directory} for temporary files", "free space there, or set TMPDIR to a larger disk"),
        tempfile.TemporaryDirectory(prefix="eartheye-", dir=directory) as folder,
    ):
        yield Path(folder)


def _temporary_directory() -> str:
    """Return the directory of temporary files.

    Raises:
        StoreFull: none that may be it can be written to.
    """
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise StoreFull(f"{error.strerror}: free space in one of them, or set TMPDIR to a larger disk") from error


def _want_of_room(error: BaseException, handled: BaseException | None) -> str | None:
    """Return the system's words for a file that could not grow, None where an error has another cause.

    Writers in Rust pass on no more than the words, and PyTorch puts an error of its own in front of the system's.
    """
    met: BaseException | None = error
    while met is not None and met is not handled:
        if isinstance(met, OSError) and met.errno in NO_ROOM:
            return met.strerror
        if words := [os.strerror(code) for code in NO_ROOM if os.strerror(code) in str(met)]:
            return words[0]
        met = met.__context__
    return None
