"""What a store of objects must be able to do."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol


class ObjectStore(Protocol):
    """Objects below one root, each a name and bytes; names were checked by `check_name` before they come here.

    An object is there whole or not at all: no call shows one that is still being written, nor one whose writer died.
    Reading makes nothing. No object may have a name that is a folder of another's (`a` beside `a/b`): a directory refuses it,
    MinIO takes it and then lists only one of the two.

    Every call raises StoreUnavailable where the store does not answer, FolderRefused where the bucket is not there or access is denied,
    and every writing call StoreFull where there is no room.
    """

    @property
    def root(self) -> str:
        """Where the objects lie: an absolute path, or `s3://bucket/prefix`."""

    def read(self, name: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return `length` bytes from `start` on, fewer where the object ends sooner.

        Raises:
            MissingBulk: there is no such object.
        """

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes, None where there is none."""

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin with `prefix`, in the order of their UTF-8 bytes."""

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Give a file to write and read back; what it holds becomes the object, or takes its place, when the block ends well."""

    def create_once(self, name: str, data: bytes) -> bool:
        """Put a small object unless there is one of that name; of many who try at once exactly one is told True."""

    def upload(self, name: str, path: Path) -> None:
        """Put a local file's content; the file stays where it is."""

    def delete(self, name: str) -> None:
        """Remove an object; none of that name is no error."""

    def local_path(self, name: str) -> Path | None:
        """Return the path where an object lies or would lie, None where the store is not on this file system."""

    def gdal_path(self, name: str) -> str:
        """Return the name under which GDAL opens the object, given `gdal_options`."""

    def gdal_options(self) -> dict[str, str]:
        """Return the GDAL configuration, credentials included, that opening `gdal_path` needs."""
