"""A folder of objects: what every stage reads from and writes to."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urlsplit

from eartheye.errors import InvalidName, MissingBulk
from eartheye.settings import load
from eartheye.store.bulk import Bulk, describe, verify, way_out
from eartheye.store.cache import FETCH_CHUNK_BYTES, BulkCache
from eartheye.store.directory import DirectoryStore
from eartheye.store.names import check_name
from eartheye.store.port import ObjectStore
from eartheye.telemetry import PULSE

if TYPE_CHECKING:
    import rasterio

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_store(root: str | Path) -> ObjectStore:
    """Return the store of a root: a directory's path, `file://...` or `s3://bucket/prefix`.

    Raises:
        InvalidName: the root is none of these.
    """
    scheme, separator, rest = str(root).partition("://")
    if not separator:
        return DirectoryStore(Path(os.path.abspath(root)))  # noqa: PTH100 - Path.absolute keeps '..', resolve follows links
    if scheme == "file":
        place = urlsplit(str(root))
        if place.netloc not in ("", "localhost"):
            raise InvalidName(f"{root} is on another machine: write file:///path, with three slashes")
        return DirectoryStore(Path(os.path.abspath(unquote(place.path))))  # noqa: PTH100
    if scheme == "s3":
        from eartheye.store.s3 import S3Store  # the S3 client costs a tenth of a second that a directory need not pay

        bucket, _, prefix = rest.rstrip("/").partition("/")
        if not BUCKET.fullmatch(bucket):
            raise InvalidName(f"{root} names no bucket: write s3://bucket/prefix, a bucket of 3 to 63 small letters and digits")
        return S3Store(bucket, check_name(prefix) if prefix else "", load())
    raise InvalidName(f"no store is known for {root}: write a directory's path, file:///path or s3://bucket/prefix")


def object_at(uri: str | Path) -> tuple["Folder", str]:
    """Return the folder that an object lies in, and its name there.

    Args:
        uri: a path, `file:///path` or `s3://bucket/key`.

    Raises:
        InvalidName: it is none of these.
    """
    parent, _, name = open_store(uri).root.rpartition("/")
    return Folder(parent or "/"), name


class Folder:
    """Objects below a root, by relative names; folders of the same root are equal, and can be sent to other processes.

    Args:
        root: a directory's path, `file://...` or `s3://bucket/prefix`; endpoint and credentials come from the settings.
    """

    def __init__(self, root: str | Path) -> None:
        self._store = open_store(root)
        self._written: dict[str, Bulk] = {}

    @property
    def root(self) -> str:
        """An absolute path, or `s3://bucket/prefix`."""
        return self._store.root

    def __truediv__(self, name: str) -> "Folder":
        return Folder(f"{self.root.rstrip('/')}/{check_name(name)}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folder) and other.root == self.root

    def __hash__(self) -> int:
        return hash(self.root)

    def __repr__(self) -> str:
        return f"Folder({self.root!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Folder, (self.root,)

    def read(self, name: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""
        return self._store.read(check_name(name))

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return `length` bytes from `start` on, fewer where the object ends sooner.

        Raises:
            MissingBulk: there is no such object.
        """
        if start < 0 or length < 0:
            raise ValueError(f"no range of {length} bytes from {start} on")
        return self._store.read_range(check_name(name), start, length)

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes, None where there is none."""
        return self._store.size(check_name(name))

    def exists(self, name: str) -> bool:
        """Say whether there is an object of this name; a folder is none."""
        return self.size(name) is not None

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the names that begin with `prefix`, sorted; `parts/` lists a folder with all below it."""
        if prefix:
            check_name(prefix.removesuffix("/"))
        return self._store.list(prefix)

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Give a binary file to write, seek in and read back; it becomes the object when the block ends without an exception.

        Raises:
            StoreFull: there is no room; nothing is there then.
        """
        with self._store.create(check_name(name)) as file:
            yield file
            bulk = describe(name, file)
        self._written[name] = bulk

    def create_once(self, name: str, data: bytes) -> bool:
        """Put a small object unless it is there: True if this call made it, of however many that try at once."""
        return self._store.create_once(check_name(name), data)

    def upload(self, name: str, path: Path) -> Bulk:
        """Put a local file whole, and return what a manifest says of it."""
        with path.open("rb") as file:
            bulk = describe(check_name(name), file)
        self._store.upload(name, path)
        self._written[name] = bulk
        return bulk

    def bulk(self, name: str) -> Bulk:
        """Return what a manifest says of an object: known if this folder object wrote it, read through once otherwise.

        Raises:
            MissingBulk: there is no such object.
        """
        if written := self._written.get(name):
            return written
        if (size := self.size(name)) is None:
            raise MissingBulk(f"{self.root}/{name} is not there: run the step that makes it")
        content = hashlib.sha256()
        for start in range(0, size, FETCH_CHUNK_BYTES):
            content.update(self._store.read_range(name, start, FETCH_CHUNK_BYTES))
            PULSE.advanced()  # a large scene takes longer than a turn may
        return Bulk(name=name, size=size, sha256=content.hexdigest())

    def open(self, bulk: Bulk) -> BinaryIO:
        """Open an object for reading after its size and digest were found right (once per process and file).

        Raises:
            MissingBulk: there is no such object.
            CorruptBulk: it is not what its manifest says.
        """
        path = self._store.local_path(bulk.name)
        if path is None:
            return self._cached(bulk).open("rb")
        try:
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise MissingBulk(f"{path} is not there: {way_out(self.root)}") from None
        try:
            verify(file, bulk, self.root)
        except BaseException:
            file.close()
            raise
        return file

    def local(self, bulk: Bulk) -> Path:
        """Return the path of a verified local file: the object itself, or its copy in this machine's cache.

        Keep the path until the file is opened: a copy is not evicted while its path lives.

        Raises:
            MissingBulk: there is no such object.
            CorruptBulk: it is not what its manifest says.
            StoreFull: the cache's disk has no room.
        """
        path = self._store.local_path(bulk.name)
        if path is None:
            return self._cached(bulk)
        self.open(bulk).close()
        return path

    def local_directory(self) -> Path | None:
        """Return the folder's path for a tool that needs one, None where the store is not on this file system."""
        path = self._store.local_path("_")
        return path and path.parent

    def gdal_path(self, name: str) -> str:
        """Return the name under which GDAL and rasterio open an object, within `gdal_env`."""
        return self._store.gdal_path(check_name(name))

    def gdal_env(self) -> "rasterio.Env":
        """Return the rasterio environment in which `gdal_path` can be opened: `with folder.gdal_env(): rasterio.open(...)`."""
        from eartheye.store.gdal import environment

        return environment(self._store.gdal_options())

    def delete(self, name: str) -> None:
        """Remove an object; none of that name is no error."""
        self._written.pop(name, None)
        self._store.delete(check_name(name))

    def delete_all(self, prefix: str) -> None:
        """Remove every object whose name begins with `prefix`; `parts/` empties a folder with all below it."""
        for name in list(self.list(prefix)):
            self.delete(name)

    def _cached(self, bulk: Bulk) -> Path:
        settings = load()
        return BulkCache(settings.cache / "bulk", int(settings.cache_limit_gb * 1e9)).fetch(bulk, self._store)
