"""Records in LMDB files, each a bulk object that is written once and read by any number of processes."""

import errno
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import lmdb

from eartheye.errors import CorruptBulk, CorruptTile, StoreFull
from eartheye.store import Bulk, Folder
from eartheye.store.room import scratch_folder

FIRST_MAP_BYTES = 64 * 2**20
NO_ROOM = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))
NO_SYNC = {"sync": False, "metasync": False, "lock": False}  # the file is nobody else's, and copied before it is published


class ShardWriter:
    """Fills a folder with shards, one after the other: `with ShardWriter(folder, 2**30) as writer: writer.add(...)`.

    A shard is built in a nameless temporary file, which the system takes back even from a process that is killed, and copied, compacted,
    into the folder when it is full: the same records give the same bytes.

    Args:
        folder: takes `shard-0000.lmdb` and so on.
        limit_bytes: records that would make a shard larger begin the next; records larger than this have one of their own.
    """

    def __init__(self, folder: Folder, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._shards: list[Bulk] = []
        self._shard: lmdb.Environment | None = None
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._shard is not None:
            self._shard.close()

    def add(self, records: Mapping[str, bytes]) -> int:
        """Write records that belong together and return the number of their shard.

        Args:
            records: bytes by key; keys ascend, within a call and from call to call.

        Raises:
            StoreFull: there is no room on the disk of temporary files, or in the folder.
        """
        size = sum(len(data) for data in records.values())
        if self._shard is not None and self._size + size > self._limit_bytes:
            self._publish()
        if self._shard is None:
            self._shard, self._size = _temporary_shard(), 0
        while not _put(self._shard, records):
            _grow(self._shard, size)
        self._size += size
        return len(self._shards)

    def finish(self) -> tuple[Bulk, ...]:
        """Publish the last shard and return all of them."""
        if self._shard is not None:
            self._publish()
        return tuple(self._shards)

    def _publish(self) -> None:
        assert self._shard is not None
        name = f"shard-{len(self._shards):04d}.lmdb"
        with self._folder.create(name) as file, _room(f"{self._folder.root}/{name}"):
            self._shard.copyfd(file.fileno(), compact=True)
        self._shards.append(self._folder.bulk(name))
        self._shard.close()
        self._shard = None


class ShardReader:
    """Reads records of a shard; opened at the first read in each process, shared by its threads.

    Args:
        path: a whole file, as `Folder.local` gives it: LMDB maps the file, and one cut short would end the process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path  # kept, for a cached copy may be evicted once its path is forgotten

    def read(self, key: str) -> bytes:
        """Return a record.

        Raises:
            CorruptTile: the shard has no such record.
            CorruptBulk: the file is no shard, or not whole.
        """
        with _opened(self._path).begin() as transaction:
            data = transaction.get(key.encode())
        if data is None:
            raise CorruptTile(f"{self._path} has no record {key}: cut the tiles again")
        return data


_open: dict[Path, tuple[int, lmdb.Environment]] = {}
_opening = threading.Lock()


def _opened(path: Path) -> lmdb.Environment:
    """Return this process's one environment of a shard (LMDB allows no second); one inherited by a fork is closed and opened anew."""
    if (known := _open.get(path)) and known[0] == os.getpid():
        return known[1]
    with _opening:
        if (known := _open.get(path)) and known[0] == os.getpid():
            return known[1]
        if known:
            known[1].close()
        try:
            shard = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False, create=False)
        except lmdb.Error as error:
            raise CorruptBulk(f"{path} is no shard of tiles ({error}): cut the tiles again") from error
        if path.stat().st_size < (shard.info()["last_pgno"] + 1) * shard.stat()["psize"]:
            shard.close()
            raise CorruptBulk(f"{path} is cut short: copy the shard anew, or cut the tiles again")
        _open[path] = os.getpid(), shard
        return shard


def _temporary_shard() -> lmdb.Environment:
    with scratch_folder() as folder, _room(tempfile.gettempdir()):
        return lmdb.open(f"{folder}/shard.lmdb", subdir=False, map_size=FIRST_MAP_BYTES, **NO_SYNC)


def _put(shard: lmdb.Environment, records: Mapping[str, bytes]) -> bool:
    """Write the records, all or none; False where the map has no room for them."""
    try:
        with _room(tempfile.gettempdir()), shard.begin(write=True) as transaction:
            for key, data in records.items():
                assert transaction.put(key.encode(), data, append=True), f"{key} does not come after the keys before it"
    except lmdb.MapFullError:
        return False
    return True


def _grow(shard: lmdb.Environment, size: int) -> None:
    """Make the map twice as large, or larger where the next records need it."""
    map_bytes = max(2 * shard.info()["map_size"], shard.info()["map_size"] + 2 * size)
    try:
        shard.set_mapsize(map_bytes)
    except (lmdb.Error, OverflowError) as error:
        raise StoreFull(f"a shard of tiles cannot be mapped beyond {map_bytes} bytes ({error}): set a smaller shard size") from error


@contextmanager
def _room(place: str) -> Iterator[None]:
    """Turn LMDB's words for a full disk into `StoreFull`; a write that ended early for want of room is an input/output error to it."""
    try:
        yield
    except lmdb.Error as error:
        if not isinstance(error, lmdb.DiskError) and not str(error).endswith(NO_ROOM):
            raise
        raise StoreFull(
            f"a shard of tiles cannot be written to {place} ({error}): free space there, set TMPDIR to a larger disk, or set a smaller "
            "shard size"
        ) from error
