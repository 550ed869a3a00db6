"""Folders of files that are still being written, of which no killed writer leaves one for long."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

LOCK = "lock"
"""A writer that lives holds this file locked; the system takes the lock back with the process, however that ends."""


@contextmanager
def draft_folder(target: Path) -> Iterator[Path]:
    """Give a new hidden folder beside a file that is to be made; it is removed when the block ends.

    Those that killed writers of the same file left are removed first.

    Args:
        target: the file; its directory is there.
    """
    prefix = f".{target.name}-"
    for found in target.parent.iterdir():
        if found.name.startswith(prefix):
            _remove_abandoned(found)
    folder, lock = _claim(target.parent, prefix)
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _claim(directory: Path, prefix: str) -> tuple[Path, BinaryIO]:
    """Make a folder and lock it; another writer may take it for abandoned in between, and then there is a next one."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=directory))
        try:
            lock = (folder / LOCK).open("wb")
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock.fileno()).st_nlink:
            return folder, lock
        lock.close()


def _remove_abandoned(folder: Path) -> None:
    """Remove a folder unless its writer lives."""
    try:
        with (folder / LOCK).open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    except (FileNotFoundError, NotADirectoryError):
        with suppress(OSError):  # only an empty folder goes: its writer was killed before it could lock it
            folder.rmdir()
