"""The node-local cache of bulk objects."""

import gc
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from eartheye.errors import CorruptBulk
from eartheye.settings import load
from eartheye.store import Bulk, Folder
from tests.servers.proxy import breaking_proxy

pytestmark = pytest.mark.server

SIZE_BYTES = 10_000

HOLD_A_PATH = """
import sys
from eartheye.store import Bulk, Folder
path = Folder(sys.argv[1]).local(Bulk.model_validate_json(sys.argv[2]))
print(path, flush=True)
sys.stdin.read()
"""

FETCH_BEYOND_A_LIMIT = """
import resource, sys
from eartheye.errors import StoreFull
from eartheye.store import Bulk, Folder
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    Folder(sys.argv[1]).local(Bulk.model_validate_json(sys.argv[2]))
except StoreFull as error:
    print(error)
"""


@pytest.fixture
def folder(s3_bucket):
    return Folder(f"{s3_bucket}/shards")


@pytest.fixture
def shards(folder):
    """Five objects of one size."""
    bulks = []
    for number in range(5):
        with folder.create(f"{number}.lmdb") as file:
            file.write(random.Random(number).randbytes(SIZE_BYTES))
        bulks.append(folder.bulk(f"{number}.lmdb"))
    return bulks


def limit(monkeypatch, objects):
    monkeypatch.setenv("EARTHEYE_CACHE_LIMIT_GB", str((objects + 0.5) * SIZE_BYTES / 1e9))
    load.cache_clear()


def cached(tmp_path, shards):
    """Numbers of the objects that are in the cache."""
    return [number for number, bulk in enumerate(shards) if (tmp_path / "cache" / "bulk" / f"{bulk.sha256}.lmdb").exists()]


def test_a_copy_keeps_the_suffix_of_the_name_whatever_it_is(folder):
    for name, suffix in (("a.b.gpkg", ".gpkg"), ("a", ""), (f"a.{'é' * 100}", f".{'é' * 15}")):
        with folder.create(name) as file:
            file.write(name.encode())
        bulk = folder.bulk(name)
        path = folder.local(bulk)
        assert (path.name, path.read_text()) == (f"{bulk.sha256}{suffix}", name)


def test_an_object_is_fetched_once(folder, shards):
    path = folder.local(shards[0])
    folder.delete("0.lmdb")
    assert Folder(folder.root).local(shards[0]) == path
    assert Folder(folder.root).open(shards[0]).read() == random.Random(0).randbytes(SIZE_BYTES)


def test_many_who_want_an_object_at_once_fetch_it_once(folder, shards, minio_server, monkeypatch):
    with breaking_proxy(minio_server.endpoint, lambda line: None) as proxy:
        monkeypatch.setenv("EARTHEYE_S3_ENDPOINT", proxy.endpoint)
        load.cache_clear()
        start = threading.Barrier(12)

        def want(_):
            start.wait()
            return Folder(folder.root).local(shards[0]).read_bytes()

        with ThreadPoolExecutor(12) as threads:
            assert set(threads.map(want, range(12))) == {random.Random(0).randbytes(SIZE_BYTES)}
        assert sum(line.startswith("GET") and "0.lmdb" in line for line in proxy.requests) == 1


def test_the_object_used_longest_ago_leaves_first(folder, shards, tmp_path, monkeypatch):
    limit(monkeypatch, objects=3)
    for number in (0, 1, 2, 0, 3):
        folder.local(shards[number])
    assert cached(tmp_path, shards) == [0, 2, 3]


def test_an_object_whose_path_is_held_stays(folder, shards, tmp_path, monkeypatch):
    limit(monkeypatch, objects=2)
    held = folder.local(shards[0])
    for number in (1, 2, 3, 4):
        folder.local(shards[number])
    assert cached(tmp_path, shards) == [0, 4]
    del held
    gc.collect()
    folder.local(shards[1])
    assert cached(tmp_path, shards) == [1, 4]


def test_the_cache_grows_beyond_its_limit_when_all_is_held(folder, shards, tmp_path, monkeypatch):
    limit(monkeypatch, objects=1)
    held = [folder.local(bulk) for bulk in shards]
    assert cached(tmp_path, shards) == [0, 1, 2, 3, 4]
    assert all(path.stat().st_size == SIZE_BYTES for path in held)


def test_an_object_that_another_process_holds_stays_until_that_ends(folder, shards, tmp_path, monkeypatch):
    limit(monkeypatch, objects=1)
    command = [sys.executable, "-c", HOLD_A_PATH, folder.root, shards[0].model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert shards[0].sha256.encode() in holder.stdout.readline()
        folder.local(shards[1])
        assert cached(tmp_path, shards) == [0, 1]
        holder.kill()
    folder.local(shards[2])
    assert cached(tmp_path, shards) == [2]


def test_an_open_file_outlives_its_eviction(folder, shards, tmp_path, monkeypatch):
    limit(monkeypatch, objects=1)
    file = folder.open(shards[0])
    folder.local(shards[1])
    assert cached(tmp_path, shards) == [1]
    assert file.read() == random.Random(0).randbytes(SIZE_BYTES)


@pytest.mark.parametrize("damage", [b"short", bytes(SIZE_BYTES)], ids=["truncated", "overwritten"])
def test_a_damaged_copy_is_fetched_again(folder, shards, damage):
    folder.local(shards[0]).write_bytes(damage)
    assert folder.local(shards[0]).read_bytes() == random.Random(0).randbytes(SIZE_BYTES)


def test_a_wrong_object_leaves_nothing_in_the_cache(folder, shards, tmp_path):
    with Folder(folder.root).create("0.lmdb") as file:
        file.write(bytes(SIZE_BYTES))
    with pytest.raises(CorruptBulk, match=r"s3://.*/0\.lmdb has SHA-256"):
        folder.local(shards[0])
    assert [path.name for path in (tmp_path / "cache" / "bulk").iterdir() if not path.name.startswith(".turn-")] == []


def test_the_same_content_under_two_names_is_kept_once(folder, shards, tmp_path):
    twin = folder.upload("twin.lmdb", folder.local(shards[0]))
    assert folder.local(twin) == folder.local(shards[0])
    assert Bulk(name="0.lmdb", size=twin.size, sha256=twin.sha256) == shards[0]


def test_no_room_on_this_machine_is_told(folder, shards, tmp_path):
    command = [sys.executable, "-c", FETCH_BEYOND_A_LIMIT, folder.root, shards[0].model_dump_json()]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "no room in" in told
    assert "EARTHEYE_CACHE_LIMIT_GB" in told
    assert cached(tmp_path, shards) == []
