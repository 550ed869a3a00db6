"""Bulk objects kept on this machine, by digest, while there is room."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PosixPath
from typing import Self

from eartheye.errors import CorruptBulk, MissingBulk
from eartheye.store.bulk import Bulk, check_size, verify, way_out
from eartheye.store.draft import Draft, draft, make_local_directory
from eartheye.store.port import ObjectStore
from eartheye.store.room import room
from eartheye.telemetry import PULSE

FETCH_CHUNK_BYTES = 16 * 2**20
LONGEST_SUFFIX = 16
"""Characters. A name may be all suffix, and be too long for a file's name together with a digest."""


class BulkCache:
    """A directory of objects named by their digest and the suffix of their name, shared by the processes of a machine.

    Args:
        directory: made when the first object is fetched.
        limit_bytes: above this size the objects used longest ago are removed before another is fetched. One whose path is still held
            somewhere stays; where all are held, the cache grows beyond its limit.
    """

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes

    def fetch(self, bulk: Bulk, store: ObjectStore) -> "LeasedPath":
        """Return the local path of an object, fetched where it is not here yet; of many who want it at once, one fetches.

        Raises:
            MissingBulk: the store has no such object.
            CorruptBulk: size or digest are not what `bulk` says; nothing is kept then.
            StoreFull: there is no room on this machine.
        """
        make_local_directory(self._directory)
        if leased := self._lease(bulk):
            return leased
        with self._turn(bulk.sha256):
            return self._lease(bulk) or self._download(bulk, store)

    def _lease(self, bulk: Bulk) -> "LeasedPath | None":
        """Return the path of an object that is here and in order, and note that it was used."""
        path = self._path(bulk)
        try:
            lease = Lease(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None
        if not lease.take() or os.fstat(lease.descriptor).st_nlink == 0:
            return None  # it is being removed, or was between opening and taking
        try:
            with os.fdopen(lease.descriptor, "rb", closefd=False) as file:
                verify(file, bulk, str(self._directory))
        except CorruptBulk:
            path.unlink(missing_ok=True)
            return None
        os.utime(lease.descriptor, ns=(time.time_ns(), os.fstat(lease.descriptor).st_mtime_ns))
        return LeasedPath.holding(path, lease)

    def _download(self, bulk: Bulk, store: ObjectStore) -> "LeasedPath":
        if (size := store.size(bulk.name)) is None:
            raise MissingBulk(f"{store.root}/{bulk.name} is not there: {way_out(store.root)}")
        check_size(size, bulk, store.root)
        self._make_room(bulk.size)
        path = self._path(bulk)
        what_for = f"in {self._directory} for the {bulk.size} bytes of {bulk.name}"
        remedy = "free space, or set EARTHEYE_CACHE_DIR to a larger disk, or EARTHEYE_CACHE_LIMIT_GB lower"
        with room(what_for, remedy), draft(self._directory) as (file, hidden):
            _copy(store, bulk, file)
            verify(file, bulk, store.root)
            lease = Lease(os.dup(file.fileno()))
            lease.take()  # before others can see it
            hidden.replace(path)
        return LeasedPath.holding(path, lease)

    def _path(self, bulk: Bulk) -> Path:
        """Return where an object is kept. The suffix is kept as well: GDAL looks at it."""
        return self._directory / f"{bulk.sha256}{Path(bulk.name).suffix[:LONGEST_SUFFIX]}"

    def _make_room(self, size: int) -> None:
        """Remove the objects used longest ago until `size` bytes more are within the limit; those held stay."""
        kept = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                with suppress(FileNotFoundError):  # another process makes room too
                    facts = entry.stat()
                    kept.append((facts.st_atime_ns, facts.st_size, Path(entry.path)))
        excess = sum(size for _, size, _ in kept) + size - self._limit_bytes
        for _, freed, path in sorted(kept):
            if excess <= 0:
                return
            if _remove_unless_held(path):
                excess -= freed

    @contextmanager
    def _turn(self, sha256: str) -> Iterator[None]:
        """Wait for the processes that are fetching the same object (or, of 256, one with the same first byte)."""
        with (self._directory / f".turn-{sha256[:2]}").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Lease:
    """A shared lock on a cached object, held through a descriptor until this is forgotten."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def take(self) -> bool:
        """Lock the object against removal; False where another process is removing it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __del__(self) -> None:
        os.close(self.descriptor)


class LeasedPath(PosixPath):
    """The path of a cached object: while this path lives, no process of the machine evicts the object.

    A file that is open or mapped outlives its eviction anyway; the lease is for the time before it is opened.
    """

    lease: Lease | None = None

    @classmethod
    def holding(cls, path: Path, lease: Lease) -> Self:
        """Return the path with its lease."""
        leased = cls(path)
        leased.lease = lease
        return leased


def _copy(store: ObjectStore, bulk: Bulk, file: Draft) -> None:
    """Write an object into a file, range by range: a connection that breaks costs one range."""
    for start in range(0, bulk.size, FETCH_CHUNK_BYTES):
        file.write(store.read_range(bulk.name, start, FETCH_CHUNK_BYTES))
        PULSE.advanced()  # a large model takes longer than a turn may
    file.flush()


def _remove_unless_held(path: Path) -> bool:
    """Remove a cached object unless somebody holds its lease; say whether it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
