import errno
import multiprocessing
import os
import resource
import subprocess
import sys
import textwrap
import threading

import pytest

from eartheye.errors import CorruptBulk, CorruptTile
from eartheye.store import Folder
from eartheye.tiles.shard import FIRST_MAP_BYTES, ShardReader, ShardWriter
from tests.waiting import LIMIT_S


def write(folder, count=5, size=20_000, limit_bytes=2**30):
    with ShardWriter(folder, limit_bytes) as writer:
        places = [writer.add({f"{i:08d}": bytes([i % 256]) * size, f"{i:08d}/roads": b"mask"}) for i in range(count)]
        return places, writer.finish()


def test_records_come_back_by_key(tmp_path):
    _, (shard,) = write(Folder(tmp_path))
    reader = ShardReader(tmp_path / shard.name)
    assert reader.read("00000003") == bytes([3]) * 20_000
    assert reader.read("00000003/roads") == b"mask"


def test_records_that_belong_together_never_part_and_a_full_shard_begins_the_next(tmp_path):
    places, shards = write(Folder(tmp_path), limit_bytes=50_000)
    assert places == [0, 0, 1, 1, 2]
    assert [shard.name for shard in shards] == ["shard-0000.lmdb", "shard-0001.lmdb", "shard-0002.lmdb"]
    assert ShardReader(tmp_path / "shard-0002.lmdb").read("00000004/roads") == b"mask"


def test_the_same_records_give_the_same_bytes(tmp_path):
    assert write(Folder(tmp_path / "a"))[1] == write(Folder(tmp_path / "b"))[1]


def test_a_full_map_grows(tmp_path):
    size = FIRST_MAP_BYTES // 3
    _, (shard,) = write(Folder(tmp_path), count=8, size=size)
    assert shard.size > 2 * FIRST_MAP_BYTES
    assert ShardReader(tmp_path / shard.name).read("00000007") == bytes([7]) * size


def test_a_record_larger_than_the_limit_has_a_shard_of_its_own(tmp_path):
    assert write(Folder(tmp_path), count=3, limit_bytes=1)[0] == [0, 1, 2]


def test_nothing_is_left_of_a_writer_that_was_not_finished(tmp_path):
    with ShardWriter(Folder(tmp_path), 2**30) as writer:
        writer.add({"00000000": b"x"})  # and never finished
    assert list(tmp_path.iterdir()) == []


LIMITED = """
    import pathlib, resource, sys
    from eartheye.errors import StoreFull
    from eartheye.store import Folder
    from eartheye.tiles.shard import ShardWriter
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if "{what}" == "RLIMIT_AS" else 0
    resource.setrlimit(resource.{what}, (used + {limit}, used + {limit}))
    try:
        with ShardWriter(Folder(sys.argv[1]), 2**40) as writer:
            for i in range(150):
                writer.add({{f"{{i:08d}}": bytes(2**20)}})
            writer.finish()
    except StoreFull as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("what", "limit", "words"), [("RLIMIT_FSIZE", 2**24, "free space"), ("RLIMIT_AS", 3 * 2**26, "smaller shard size")]
)
def test_a_full_disk_and_a_map_that_cannot_grow_are_told_and_leave_nothing(tmp_path, what, limit, words):
    program = textwrap.dedent(LIMITED.format(what=what, limit=limit))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, env=environment)
    assert "shard of tiles" in done.stdout
    assert words in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_a_shard_is_published_leaves_nothing(tmp_path):
    tests_limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ShardWriter(Folder(tmp_path), 2**30) as writer:
        writer.add({"00000000": bytes(2**22)})
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, tests_limits[1]))
        try:
            with pytest.raises(Exception, match=os.strerror(errno.EFBIG)) as caught:
                writer.finish()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, tests_limits)
    assert type(caught.value).__name__ == "StoreFull"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_record_is_told(tmp_path):
    _, (shard,) = write(Folder(tmp_path))
    with pytest.raises(CorruptTile, match="no record 00000009"):
        ShardReader(tmp_path / shard.name).read("00000009")


def test_what_is_no_shard_or_cut_short_is_told_and_does_not_end_the_process(tmp_path):
    (tmp_path / "foreign.lmdb").write_bytes(b"x" * 50_000)
    with pytest.raises(CorruptBulk, match="no shard of tiles"):
        ShardReader(tmp_path / "foreign.lmdb").read("00000000")
    _, (shard,) = write(Folder(tmp_path))
    whole = (tmp_path / shard.name).read_bytes()
    (tmp_path / "short.lmdb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptBulk, match="cut short"):
        ShardReader(tmp_path / "short.lmdb").read("00000004")


def read_in_child(reader, answer):
    answer.put(reader.read("00000002")[:1])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_reader_goes_with_a_process_that_is_started(tmp_path, start):
    _, (shard,) = write(Folder(tmp_path))
    reader = ShardReader(tmp_path / shard.name)
    reader.read("00000001")
    context = multiprocessing.get_context(start)
    answer = context.SimpleQueue()
    child = context.Process(target=read_in_child, args=(reader, answer))
    child.start()
    child.join(LIMIT_S)
    assert child.exitcode == 0
    assert answer.get() == b"\x02"
    assert reader.read("00000001")[:1] == b"\x01"


def test_threads_share_a_shard(tmp_path):
    _, (shard,) = write(Folder(tmp_path), count=50)
    readers, wrong = [ShardReader(tmp_path / shard.name) for _ in range(4)], []

    def read_all(reader):
        wrong.extend(i for i in range(50) if reader.read(f"{i:08d}") != bytes([i]) * 20_000)

    threads = [threading.Thread(target=read_all, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
