"""Files that are still being written."""

import io
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from eartheye.errors import StoreUnavailable
from eartheye.store.names import UNFINISHED

ABANDONED_AFTER_S = 24 * 3600


class Draft(io.BufferedRandom):
    """A binary file that stays open until its store has published it, whatever its writer does.

    Some writers close the file they are given; a forgotten `io.TextIOWrapper` does so at an unforeseen moment.
    """

    def close(self) -> None:
        """Write out what is buffered, and stay open."""
        if not self.closed:
            self.flush()

    def finish(self) -> None:
        """Close in earnest; what is still buffered may be lost when the disk is full."""
        with suppress(OSError):
            self.flush()
        self.raw.close()


@contextmanager
def draft(directory: Path) -> Iterator[tuple[Draft, Path]]:
    """Give a new file in an existing directory under a hidden name, to be moved away; it is removed if it is still there."""
    sweep(directory)
    path = directory / f"{UNFINISHED}{secrets.token_hex(8)}"
    # by its descriptor, so that no writer puts the hidden name into the content, as gzip does
    file = Draft(io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "r+"))
    try:
        yield file, path
    finally:
        file.finish()
        path.unlink(missing_ok=True)


@contextmanager
def nameless_draft(directory: Path) -> Iterator[Draft]:
    """Give a new file without a name in an existing directory; the system takes it back even from a process that is killed."""
    file = Draft(tempfile.TemporaryFile("w+b", buffering=0, dir=directory))  # noqa: SIM115 - finish() closes it
    try:
        yield file
    finally:
        file.finish()


def make_local_directory(directory: Path) -> None:
    """Make a directory within the cache folder.

    Raises:
        StoreUnavailable: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{directory} cannot be made ({error.strerror}): set EARTHEYE_CACHE_DIR to another folder") from error


@lru_cache(maxsize=4096)
def sweep(directory: Path) -> None:
    """Remove what writers that died left in a directory a day ago or more; a process looks once into each directory."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if not entry.name.startswith(UNFINISHED):
                continue
            with suppress(FileNotFoundError):  # another process sweeps too, or the writer has just finished
                if time.time() - entry.stat().st_mtime > ABANDONED_AFTER_S:
                    Path(entry.path).unlink()
