"""A lock between the processes of one machine: a file that is there only while somebody has it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def file_lock(path: Path) -> Iterator[bool]:
    """Say whether the caller has the lock, and keep it for the length of a block; it goes with the process, however that ends.

    Args:
        path: of the file; its folder is there.
    """
    try:
        file = _claim(path)
    except BlockingIOError:
        yield False
        return
    with file:
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)
            fcntl.flock(file, fcntl.LOCK_UN)  # a child process may have got the file as well


def _claim(path: Path) -> TextIO:
    while True:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_nlink:
                return file
        except BlockingIOError:
            file.close()
            raise
        file.close()  # who had it removed it after it was opened here: there may be a next one
