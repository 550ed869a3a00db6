import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from components.tiler.config import TilerConfig
from components.tiler.run import cut_tiles
from eartheye.contracts import Catalogue, Tiles
from eartheye.contracts.catalogue import ImagesEntry
from eartheye.errors import CorruptBulk, CorruptTile
from eartheye.store import Bulk, Folder
from eartheye.tiles import ShardWriter, TileSet, encode

CONFIG = TilerConfig(chip_px=200, part_tiles=2)
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

PROGRAM = """
import resource, sys
from components.tiler.config import TilerConfig
from components.tiler.run import cut_tiles
from eartheye.contracts import Catalogue
from eartheye.errors import UserError
from eartheye.store import Folder
if (limit := int(sys.argv[4])):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
given, config = Catalogue.model_validate_json(sys.argv[2]), TilerConfig(chip_px=200, part_tiles=2)
try:
    cut_tiles(sys.argv[1], given, None, config, Folder(sys.argv[3]))
except UserError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    for number in range(24):
        pixels = np.random.default_rng(number).integers(0, 255, (200, 200, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:02d}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def given():
    images = ImagesEntry(path="images", sensor="web", bands=("red", "green", "blue"))
    return Catalogue(title="t", licence="CC0", attribution="nobody", images=(images,))


@pytest.fixture(scope="module")
def whole(data, given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    cut_tiles(str(data), given, None, CONFIG, Folder(folder))
    return folder


KILLED_AT_THE_FOURTH_PART = """
import os, signal
from components.tiler import run
whole, begun = run.cut_part, []
def cut_part(*arguments):
    begun.append(arguments)
    if len(begun) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*arguments)
run.cut_part = cut_part
"""


def start(data, given, tiles, limit=0, before=""):
    command = [sys.executable, "-c", before + PROGRAM, str(data), given.model_dump_json(), str(tiles), str(limit)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".unfinished" not in path.name
    }


def test_a_killed_run_is_taken_up_where_it_stopped_and_ends_with_the_same_bytes(data, given, whole, tmp_path):
    tiles = tmp_path / "tiles"
    killed = start(data, given, tiles, before=KILLED_AT_THE_FOURTH_PART)
    told = killed.communicate()[1]
    assert killed.returncode == -signal.SIGKILL, told
    finished = {path: path.stat().st_mtime_ns for path in tiles.glob("parts/*/manifest.json")}
    assert len(finished) == 3
    assert not (tiles / "manifest.json").exists()
    cut_tiles(str(data), given, None, CONFIG, Folder(tiles))
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert content(tiles) == content(whole)


def test_two_runs_at_once_end_with_the_same_tiles(data, given, whole, tmp_path):
    runs = [start(data, given, tmp_path / "tiles") for _ in range(2)]
    assert [run.communicate()[1][-300:] * run.returncode for run in runs] == ["", ""]
    assert content(tmp_path / "tiles") == content(whole)


def test_a_full_disk_is_told_and_nothing_half_written_looks_finished(data, given, whole, tmp_path):
    run = start(data, given, tmp_path / "tiles", limit=100_000)
    assert "StoreFull: " in run.communicate()[1]
    assert not (tmp_path / "tiles" / "manifest.json").exists()
    assert list(tmp_path.glob("tiles/parts/*/manifest.json")) == []
    cut_tiles(str(data), given, None, CONFIG, Folder(tmp_path / "tiles"))
    assert content(tmp_path / "tiles") == content(whole)


def test_a_changed_shard_is_noticed(data, given, tmp_path):
    cut_tiles(str(data), given, None, CONFIG, Folder(tmp_path))
    shard = tmp_path / "parts" / "00001" / "shard-0000.lmdb"
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    shard.write_bytes(damaged)
    tiles = TileSet(Folder(tmp_path))
    assert tiles.image(0)[0].shape == (3, 200, 200)
    with pytest.raises(CorruptBulk, match=r"shard-0000.lmdb has SHA-256"):
        tiles.image(2)


@pytest.mark.parametrize(("record", "words"), [(b"foreign", "no tile"), (encode(np.zeros((3, 9, 9), np.uint8)), r"is \(9, 9\)")])
def test_a_record_that_is_not_what_the_index_says_is_noticed(whole, tmp_path, record, words):
    folder = Folder(tmp_path)
    with ShardWriter(folder, 2**30) as writer:
        writer.add({"00000000": record})
        (shard,) = writer.finish()
    manifest = Tiles.read(Folder(whole))
    with folder.create("tiles.parquet") as file:
        file.write((whole / "tiles.parquet").read_bytes())
    fields = manifest.model_dump() | {"shards": (Bulk(**shard.model_dump()), *manifest.shards[1:])}
    Tiles.model_validate(fields).finish(folder)
    with pytest.raises(CorruptTile, match=words):
        TileSet(folder).image(0)
