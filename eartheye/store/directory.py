"""A directory as a store of objects."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from eartheye.errors import FolderRefused, InvalidName, MissingBulk, UserError
from eartheye.store.draft import Draft, draft
from eartheye.store.names import UNFINISHED
from eartheye.store.room import room

COPY_CHUNK_BYTES = 8 * 2**20
NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
NAME_TAKEN = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR)


class DirectoryStore:
    """Objects are files; one is written under a hidden name, brought to disk, and then given its own.

    Args:
        directory: absolute; made when the first object is.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def root(self) -> str:
        """The directory's path."""
        return str(self._directory)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None where there is none."""
        if (file := self._open(name)) is None:
            return None
        with file:
            return file.read()

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return a part of a file."""
        if (file := self._open(name)) is None:
            raise MissingBulk(f"{self.root}/{name} is not there: run the step that makes it")
        with file:
            file.seek(start)
            return file.read(length)

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes, None where there is none."""
        if (file := self._open(name)) is None:
            return None
        with file:
            return os.fstat(file.fileno()).st_size

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names of the files, without those still being written."""
        folder = prefix.rpartition("/")[0]  # no other folder need be looked into
        yield from _walk(self._directory / folder, f"{folder}/" if folder else "", prefix)

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Give a file to write; it takes its name when the block ends well."""
        with self._draft(name) as (file, path, target):
            yield file
            _to_disk(file)
            path.replace(target)
            _entry_to_disk(target)

    def create_once(self, name: str, data: bytes) -> bool:
        """Write a file and link it to its name: the system lets one link win."""
        with self._draft(name) as (file, path, target):
            file.write(data)
            _to_disk(file)
            try:
                target.hardlink_to(path)
            except FileExistsError:
                if target.is_file():
                    return False
                raise
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                raise FolderRefused(f"{target.parent} has no hard links: put the folder on a file system that has") from error
            _entry_to_disk(target)
            return True

    def upload(self, name: str, path: Path) -> None:
        """Copy a file."""
        with path.open("rb") as source, self.create(name) as file:
            shutil.copyfileobj(source, file, COPY_CHUNK_BYTES)

    def delete(self, name: str) -> None:
        """Remove a file; its folder stays, for another may be about to write there."""
        path = self._directory / name
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise _explain(error, path) from error

    def local_path(self, name: str) -> Path | None:
        """Return the path of the file."""
        return self._directory / name

    def gdal_path(self, name: str) -> str:
        """Return the path of the file."""
        return str(self._directory / name)

    def gdal_options(self) -> dict[str, str]:
        """Nothing is needed."""
        return {}

    def _open(self, name: str) -> BinaryIO | None:
        path = self._directory / name
        try:
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except PermissionError as error:
            raise _explain(error, path) from error

    @contextmanager
    def _draft(self, name: str) -> Iterator[tuple[Draft, Path, Path]]:
        """Give a draft beside the file that it is to be, its path and the path it is to have."""
        target = self._directory / name
        with room(f"to write {target}", "free space, raise the limit or choose another folder"):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with draft(target.parent) as (file, path):
                    yield file, path, target
            except OSError as error:
                raise _explain(error, target) from error


def _walk(directory: Path, base: str, prefix: str) -> Iterator[str]:
    """Yield the names below a directory whose own name is `base`, sorted as if the whole names were: `a.b` before `a/b`."""
    try:
        with os.scandir(directory) as found:
            names = sorted(entry.name + "/" * entry.is_dir() for entry in found if not entry.name.startswith(UNFINISHED))
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError as error:
        raise _explain(error, directory) from error
    for name in names:
        if not (base + name).startswith(prefix):
            continue
        if name.endswith("/"):
            yield from _walk(directory / name, base + name, prefix)
        else:
            yield base + name


def _to_disk(file: Draft) -> None:
    file.flush()
    os.fsync(file.fileno())


def _entry_to_disk(path: Path) -> None:
    """Make a file's name survive a power cut, as its content does."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _explain(error: OSError, target: Path) -> UserError | OSError:
    """Return the error to raise for one met while handling `target`: what the user can mend, or the fault itself.

    An object's own writer may fail for reasons that have nothing to do with the store.
    """
    met_at = Path(error.filename or "")
    if met_at.parent != target.parent and met_at not in target.parents:
        return error
    if error.errno in NO_ACCESS:
        return FolderRefused(f"{target} cannot be used ({error.strerror}): give this user access to {error.filename}")
    if error.errno in NAME_TAKEN:
        return InvalidName(f"{target} cannot be made: a folder has this name, or a file that of its folder; choose another name")
    return error
