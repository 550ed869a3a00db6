"""What the curator says it would look at, held against what it looks at."""

import shutil

import pyarrow.parquet as pq
import pytest

import components.curator.forecast
from components.curator.config import CuratorConfig
from components.curator.forecast import forecast_curation
from components.curator.run import curate
from components.tiler.run import cut_tiles
from eartheye.errors import ConflictingOutput, NotEnoughTiles, NotFinished
from eartheye.store import Folder
from tests.components.tiler_data import CONFIG as TILING
from tests.components.tiler_data import files_below, write_data, write_sites

CONFIG = CuratorConfig(min_sharpness=0)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """24 tiles of two sensors in several shards."""
    root = tmp_path_factory.mktemp("data")
    made = Folder(tmp_path_factory.mktemp("tiles"))
    cut_tiles(str(root / "data"), write_data(root / "data"), write_sites(Folder(root / "sites")), TILING, made)
    return made


def test_the_counts_are_those_of_the_run_and_nothing_is_written(tiles, tmp_path):
    curated = Folder(tmp_path / "curated")
    before = files_below(tmp_path)
    told = forecast_curation(tiles, CONFIG, curated)
    assert files_below(tmp_path) == before
    made = curate(tiles, CONFIG, curated)
    looks = [pq.read_table(path) for path in sorted((tmp_path / "curated").glob("parts/*/looks.parquet"))]
    assert (told.looks, told.parts, told.done) == (sum(table.num_rows for table in looks), len(looks), 0)
    assert told.tiles == made.kept + sum(made.dropped.values()) == 24
    assert told.size_bytes == pytest.approx(sum(table.nbytes for table in looks), rel=0.05)
    assert told.seconds > 0
    assert forecast_curation(tiles, CONFIG, curated) is None


def test_poor_tiles_are_counted_by_reason_and_not_looked_at(tiles, tmp_path):
    entropy_bit = pq.read_table(f"{tiles.root}/tiles.parquet", columns=["entropy_bit"])["entropy_bit"].to_numpy()
    config = CuratorConfig(min_sharpness=0, min_entropy_bit=float(sorted(entropy_bit)[5]))
    told = forecast_curation(tiles, config, Folder(tmp_path))
    made = curate(tiles, config, Folder(tmp_path))
    assert told.poor == {"low entropy": 5}
    assert made.dropped["low entropy"] == 5
    assert told.looks == 24 - 5


def test_shards_that_are_done_are_not_counted(tiles, tmp_path):
    curated = Folder(tmp_path / "curated")
    whole = forecast_curation(tiles, CONFIG, curated)
    curate(tiles, CONFIG, curated)
    (tmp_path / "curated" / "manifest.json").unlink()
    shutil.rmtree(tmp_path / "curated" / "parts" / "00001")
    rest = forecast_curation(tiles, CONFIG, curated)
    assert (rest.parts, rest.done) == (1, whole.parts - 1)
    assert 0 < rest.looks < whole.looks
    (tmp_path / "curated" / "parts" / "00001").mkdir()
    curate(tiles, CONFIG, curated)
    (tmp_path / "curated" / "manifest.json").unlink()
    last = forecast_curation(tiles, CONFIG, curated)
    assert (last.looks, last.parts, last.size_bytes, last.seconds) == (0, 0, 0, 0)


def test_of_many_tiles_a_few_are_looked_at(tiles, tmp_path, monkeypatch):
    whole = forecast_curation(tiles, CONFIG, Folder(tmp_path))
    monkeypatch.setattr(components.curator.forecast, "TRIED", 3)
    assert forecast_curation(tiles, CONFIG, Folder(tmp_path)).size_bytes == whole.size_bytes


def test_what_the_run_would_refuse_is_refused(tiles, tmp_path):
    with pytest.raises(NotFinished):
        forecast_curation(Folder(tmp_path / "none"), CONFIG, Folder(tmp_path / "curated"))
    told = []
    for step in (forecast_curation, curate):
        with pytest.raises(NotEnoughTiles, match=r"no tile would be kept \(24 x low entropy\)") as caught:
            step(tiles, CuratorConfig(min_entropy_bit=8), Folder(tmp_path / "curated"))
        told.append(str(caught.value))
    assert told[0] == told[1]
    curate(tiles, CONFIG, Folder(tmp_path / "curated"))
    with pytest.raises(ConflictingOutput):
        forecast_curation(tiles, CuratorConfig(seed=1), Folder(tmp_path / "curated"))
