"""What a folder of objects promises, on a directory and on a real MinIO alike."""

import gzip
import hashlib
import io
import json
import pickle
import random
import signal
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
from rasterio.transform import from_origin

from eartheye.errors import CorruptBulk, MissingBulk
from eartheye.store import Bulk, Folder, object_at

ODD_NAMES = [
    " leading space",
    "a, b; c.csv",
    "ääh/日本語/плитка.tif",
    "100% [1] {2} (3) #4 +5 =6 &7 ?8 'x' \"y\" <z>|*:~!@$^`.bin",
    "trailing dot.",
    "back\\slash",
]

WRITE_AND_WAIT = """
import sys, time
from eartheye.store import Folder
with Folder(sys.argv[1]).create("deep/object.bin") as file:
    file.write(b"x" * 3_000_000)
    file.flush()
    print("writing", flush=True)
    time.sleep(600)
"""

WRITE_BEYOND_A_LIMIT = """
import resource, sys
from eartheye.errors import StoreFull
from eartheye.store import Folder
folder = Folder(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    with folder.create("large.bin") as file:
        for _ in range(64):
            file.write(bytes(2**16))
except StoreFull as error:
    print(error)
"""


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.server)])
def root(request, tmp_path):
    if request.param == "directory":
        return str(tmp_path / "a store" / "folder")
    return request.getfixturevalue("s3_bucket") + "/a store/folder"


@pytest.fixture
def folder(root):
    return Folder(root)


def put(folder, name, data):
    with folder.create(name) as file:
        file.write(data)
    return folder.bulk(name)


def digest(data):
    return hashlib.sha256(data).hexdigest()


class TestContract:
    def test_what_was_written_is_read(self, folder):
        put(folder, "a/b/c.bin", b"content")
        assert folder.read("a/b/c.bin") == b"content"
        assert folder.exists("a/b/c.bin")

    def test_an_object_is_found_by_its_own_uri(self, folder):
        put(folder, "a/b.bin", b"content")
        assert object_at(f"{folder.root}/a/b.bin") == (folder / "a", "b.bin")

    def test_an_empty_object_is_an_object(self, folder):
        put(folder, "empty", b"")
        assert folder.read("empty") == b""
        assert folder.exists("empty")
        assert list(folder.list()) == ["empty"]
        assert folder.open(folder.bulk("empty")).read() == b""

    def test_what_is_absent_is_none(self, folder):
        put(folder, "a/b", b"x")
        assert folder.read("b") is None
        assert folder.read("a") is None, "a folder is no object"
        assert folder.read("a/b/c") is None, "an object is no folder"
        assert not folder.exists("a")
        assert list(folder.list("a/b/")) == []

    def test_reading_makes_nothing(self, folder, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        absent = folder / "never/written"
        assert absent.read("x") is None
        assert not absent.exists("x")
        assert list(absent.list()) == []
        absent.delete("x")
        with pytest.raises(MissingBulk, match="never/written/x is not there"):
            absent.bulk("x")
        assert list(folder.list()) == []
        assert sorted(tmp_path.rglob("*")) == before

    def test_a_range_is_read(self, folder):
        put(folder, "digits", b"0123456789")
        ranges = {(0, 4): b"0123", (3, 5): b"34567", (7, 100): b"789", (10, 3): b"", (99, 1): b"", (4, 0): b""}
        assert {(start, length): folder.read_range("digits", start, length) for start, length in ranges} == ranges

    def test_a_range_of_nothing_is_refused(self, folder):
        with pytest.raises(MissingBulk):
            folder.read_range("absent", 0, 0)
        with pytest.raises(ValueError, match="no range"):
            folder.read_range("absent", -1, 5)

    def test_an_object_above_64_mib_arrives_whole(self, folder, tmp_path):
        block = random.Random(0).randbytes(2**20)
        content = hashlib.sha256()
        with folder.create("large.bin") as file:
            for number in range(130):
                data = number.to_bytes(4, "big") + block
                file.write(data)
                content.update(data)
        bulk = folder.bulk("large.bin")
        assert bulk == Bulk(name="large.bin", size=130 * (2**20 + 4), sha256=content.hexdigest())
        assert folder.read_range("large.bin", 129 * (2**20 + 4), 8) == (129).to_bytes(4, "big") + block[:4]
        local = Folder(folder.root).local(bulk)
        assert (folder / "copy").upload("uploaded.bin", local).sha256 == content.hexdigest()
        assert Folder(folder.root).bulk("copy/uploaded.bin").sha256 == content.hexdigest()

    def test_a_second_object_takes_the_place_of_the_first(self, folder):
        first, second = put(folder, "name", b"first"), put(folder, "name", b"the second")
        assert folder.read("name") == b"the second"
        assert (first.size, second.size) == (5, 10)

    def test_an_object_is_seen_only_when_its_block_has_ended(self, folder):
        put(folder, "name", b"old")
        with folder.create("name") as file, folder.create("other") as other:
            for each in (file, other):
                each.write(b"new" * 100_000)
                each.flush()
            assert folder.read("name") == b"old"
            assert list(folder.list()) == ["name"]
        assert folder.read("name") == folder.read("other") == b"new" * 100_000

    def test_an_exception_leaves_what_was_there(self, folder, tmp_path):
        put(folder, "name", b"old")
        for name in ("name", "other"):
            with pytest.raises(ZeroDivisionError), folder.create(name) as file:
                file.write(b"half" * (1 // 0 if file.write(b"half") else 1))
        assert folder.read("name") == b"old"
        assert list(folder.list()) == ["name"]
        assert folder.bulk("name").size == 3
        assert not list(tmp_path.rglob(".unfinished-*"))

    def test_a_killed_writer_leaves_nothing_to_see(self, folder):
        with subprocess.Popen([sys.executable, "-c", WRITE_AND_WAIT, folder.root], stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"writing\n"
            writer.send_signal(signal.SIGKILL)
        assert list(folder.list()) == []
        assert folder.read("deep/object.bin") is None
        put(folder, "deep/object.bin", b"again")
        assert list(folder.list()) == ["deep/object.bin"]

    def test_a_full_disk_is_told_and_leaves_nothing_to_see(self, folder):
        put(folder, "other", b"x")
        run = subprocess.run([sys.executable, "-c", WRITE_BEYOND_A_LIMIT, folder.root], capture_output=True, text=True, check=True)
        assert "no room" in run.stdout
        assert "large.bin" in run.stdout
        assert list(folder.list()) == ["other"]

    def test_writers_that_seek_and_close_get_along(self, folder):
        table = pa.table({"site": [1, 2, 3], "name": ["a", "b", None]})
        with folder.create("table.parquet") as file:
            pq.write_table(table, file)
        with folder.create("archive.zip") as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr("inner.txt", "inside")
        with folder.create("text.json") as file, io.TextIOWrapper(file) as text:
            json.dump({"ä": 1}, text)
        with folder.create("patched") as file:
            file.write(b"....56789")
            assert file.tell() == 9
            file.seek(0)
            file.write(b"1234")
        assert pq.read_table(folder.open(folder.bulk("table.parquet"))).equals(table)
        with zipfile.ZipFile(folder.local(folder.bulk("archive.zip"))) as archive:
            assert archive.read("inner.txt") == b"inside"
        assert json.loads(folder.read("text.json")) == {"ä": 1}
        assert folder.read("patched") == b"123456789"
        assert folder.bulk("patched").sha256 == digest(b"123456789")

    def test_the_hidden_name_gets_into_no_content(self, folder):
        for name in ("one.gz", "two.gz"):
            with folder.create(name) as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                packed.write(b"content")
        assert folder.read("one.gz") == folder.read("two.gz")

    def test_a_thousand_keys_and_more_are_listed_in_order(self, folder):
        names = [f"parts/{number:04d}/manifest.json" for number in range(1100)]
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda name: put(folder, name, b"{}"), random.Random(0).sample(names, len(names))))
        put(folder, "parts-of-another", b"")
        assert list(folder.list("parts/")) == names
        assert list((folder / "parts").list("10")) == [f"10{number:02d}/manifest.json" for number in range(100)]
        assert sum(1 for _ in folder.list()) == 1101

    def test_names_are_listed_in_the_order_of_their_bytes(self, folder):
        names = ["a-b", "a.b", "a/b", "a/b.c/d", "a/b/c", "a0", "aa", "b", "é", "日"]
        names.remove("a/b")  # beside `a/b/c` it would be a folder as well
        for name in reversed(names):
            put(folder, name, b"")
        assert list(folder.list()) == sorted(names, key=str.encode)
        assert list(folder.list("a")) == [name for name in sorted(names) if name.startswith("a")]
        assert list(folder.list("a/")) == ["a/b.c/d", "a/b/c"]
        assert list((folder / "a").list("b")) == ["b.c/d", "b/c"]

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_odd_names_are_names(self, folder, name):
        bulk = put(folder, name, name.encode())
        assert folder.read(name) == name.encode()
        assert list(folder.list()) == [name]
        assert folder.open(Bulk.model_validate_json(bulk.model_dump_json())).read() == name.encode()
        child = folder / f"in {name}"
        assert child.create_once(name, b"x")
        assert list(child.list()) == [name]

    def test_put_once_tells_who_was_first(self, folder):
        assert folder.create_once("outcome", b"mine")
        assert not folder.create_once("outcome", b"mine")
        assert not folder.create_once("outcome", b"yours")
        assert folder.read("outcome") == b"mine"

    def test_put_once_respects_what_was_created(self, folder):
        put(folder, "manifest.json", b"{}")
        assert not folder.create_once("manifest.json", b"[]")
        folder.delete("manifest.json")
        assert folder.create_once("manifest.json", b"[]")

    def test_of_many_who_put_at_once_exactly_one_wins(self, folder):
        threads = 24
        start = threading.Barrier(threads)

        def attempt(who):
            mine = Folder(folder.root)
            start.wait()
            return [mine.create_once(f"outcomes/{number}", f"{who}:{number}".encode()) for number in range(8)]

        with ThreadPoolExecutor(threads) as pool:
            won = list(pool.map(attempt, range(threads)))
        for number in range(8):
            winners = [who for who in range(threads) if won[who][number]]
            assert len(winners) == 1
            assert folder.read(f"outcomes/{number}") == f"{winners[0]}:{number}".encode()
        assert sum(1 for _ in folder.list()) == 8

    def test_upload_puts_a_local_file(self, folder, tmp_path):
        source = tmp_path / "source.bin"
        source.write_bytes(b"local" * 1000)
        bulk = folder.upload("shards/0.lmdb", source)
        assert bulk == Bulk(name="shards/0.lmdb", size=5000, sha256=digest(b"local" * 1000))
        source.write_bytes(b"changed")
        assert folder.read("shards/0.lmdb") == b"local" * 1000
        assert bulk == folder.bulk("shards/0.lmdb") == Folder(folder.root).bulk("shards/0.lmdb")

    def test_bulk_is_what_is_there(self, folder):
        written = put(folder, "x", b"content")
        assert written == Bulk(name="x", size=7, sha256=digest(b"content"))
        assert Folder(folder.root).bulk("x") == written
        folder.delete("x")
        with pytest.raises(MissingBulk):
            folder.bulk("x")

    def test_an_absent_bulk_is_told(self, folder):
        bulk = Bulk(name="gone.parquet", size=1, sha256=digest(b"x"))
        for use in (folder.open, folder.local):
            with pytest.raises(MissingBulk, match=rf"gone\.parquet is not there: remove {folder.root} and run the step"):
                use(bulk)

    def test_a_bulk_of_another_size_is_refused(self, folder):
        bulk = put(folder, "x", b"content")
        put(Folder(folder.root), "x", b"conten")
        for use in (folder.open, folder.local):
            with pytest.raises(CorruptBulk, match="has 6 bytes and should have 7"):
                use(bulk)

    def test_a_bulk_of_another_content_is_refused(self, folder):
        bulk = put(folder, "x", b"content")
        put(Folder(folder.root), "x", b"c0ntent")
        for use in (folder.open, folder.local):
            with pytest.raises(CorruptBulk, match="SHA-256"):
                use(bulk)

    def test_local_is_the_verified_content(self, folder):
        bulk = put(folder, "shard", b"pages" * 1000)
        path = Folder(folder.root).local(bulk)
        assert path.read_bytes() == b"pages" * 1000
        assert folder.local(bulk) == path

    def test_deleted_is_gone(self, folder):
        put(folder, "a/x", b"1")
        put(folder, "a/y", b"2")
        for _ in range(2):
            folder.delete("a/x")
            assert list(folder.list()) == ["a/y"]

    def test_a_child_is_a_folder_within(self, folder):
        child = folder / "parts/0001"
        put(child, "manifest.json", b"{}")
        assert child.root == folder.root + "/parts/0001"
        assert child == Folder(folder.root) / "parts" / "0001"
        assert child != folder
        assert len({child, Folder(child.root + "/"), folder}) == 2
        assert list(folder.list()) == ["parts/0001/manifest.json"]

    def test_a_folder_goes_to_other_processes(self, folder):
        put(folder, "x", b"content")
        assert pickle.loads(pickle.dumps(folder)) == folder
        with ProcessPoolExecutor(3, mp_context=get_context("fork")) as pool:
            assert list(pool.map(folder.read, ["x"] * 30)) == [b"content"] * 30
        assert folder.read("x") == b"content"

    def test_gdal_opens_what_lies_there(self, folder):
        pixels = np.arange(3 * 40 * 50, dtype=np.uint8).reshape(3, 40, 50)
        with folder.create("a scene, süd.tif") as file, rasterio.MemoryFile() as memory:
            profile = {"driver": "GTiff", "count": 3, "height": 40, "width": 50, "dtype": "uint8", "crs": "EPSG:32633"}
            with memory.open(**profile, transform=from_origin(5e5, 5e6, 1, 1)) as raster:
                raster.write(pixels)
            file.write(memory.read())
        with folder.gdal_env(), rasterio.open(folder.gdal_path("a scene, süd.tif")) as raster:
            assert np.array_equal(raster.read(), pixels)
