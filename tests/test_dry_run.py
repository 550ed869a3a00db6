"""`--dry-run` on the console: what would be done is told, and nothing is written."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import eartheye.tracking
from eartheye.contracts import Cells
from eartheye.grid import EaseGrid
from eartheye.settings import load
from eartheye.store import Folder
from services.cli.main import command_line
from tests.components.tiler_data import files_below, write_data, write_sites
from tests.services.inference.place import make_place


@pytest.fixture
def allowed(tmp_path, monkeypatch):
    """The settings of a service that may read and write in the test's folder."""
    monkeypatch.setenv("EARTHEYE_ALLOWED_ROOTS", f'["{tmp_path}"]')
    load.cache_clear()
    yield tmp_path
    load.cache_clear()


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command and return what it prints."""
    command_line(listing=False)([str(argument) for argument in arguments], result_action="return_value")
    return capsys.readouterr().out.strip()


def numbers(words: str) -> list[int]:
    return [int(number) for number in re.findall(r"\b\d+\b", words)]


def write_cells(folder: Folder) -> None:
    cell = np.arange(1000, 1400)
    lon, lat = EaseGrid(1).centre(cell)
    table = {"cell": cell, "region": np.ones(400, np.int32), "land_class": np.repeat(np.arange(1, 5, dtype=np.uint8), 100)}
    with folder.create("cells.parquet") as file:
        pq.write_table(pa.table(table | {"elevation_m": np.zeros(400, np.float32), "lon": lon, "lat": lat}), file)
    Cells(made_from="x", table=folder.bulk("cells.parquet"), count=400, cell_km=1, regions={1: "One"}, left_out={}).finish(folder)


def test_sites_are_counted_not_drawn(tmp_path: Path, capsys):
    write_cells(Folder(tmp_path / "cells"))
    command = ("sample", tmp_path / "cells", tmp_path / "sites", "--target-sites", "40")
    before = files_below(tmp_path)
    told = said(capsys, *command, "--dry-run")
    assert files_below(tmp_path) == before
    assert told.endswith(f"would be drawn from 400 cells into {tmp_path / 'sites'}; nothing was written")
    assert numbers(told)[:2] == numbers(said(capsys, *command))[:2]
    assert "drawn already" in said(capsys, *command, "--dry-run")


def test_tiles_are_counted_not_cut(tmp_path: Path, capsys):
    write_data(tmp_path / "data")
    write_sites(Folder(tmp_path / "sites"))
    command = ("tile", tmp_path / "data", tmp_path / "tiles", "--sites", tmp_path / "sites", "--chip-px", "64", "--part-tiles", "10")
    before = files_below(tmp_path)
    told = said(capsys, *command, "--dry-run")
    assert files_below(tmp_path) == before
    assert told.startswith(
        "tiles at sites: 12 (sites: 6, scenes: 2); tiles over covered scenes: 9; images to cut: 3; parts: 4 (done before: 0); about 29"
    )
    assert numbers(said(capsys, *command))[:2] == [24, 4]
    assert said(capsys, *command, "--dry-run") == f"all tiles are cut; in {tmp_path / 'tiles'} nothing was written"


def test_tiles_that_would_be_rejected_are_told(tmp_path: Path, capsys):
    write_data(tmp_path / "data")
    write_sites(Folder(tmp_path / "sites"))
    command = ("tile", tmp_path / "data", tmp_path / "tiles", "--sites", tmp_path / "sites", "--chip-px", "200", "--dry-run")
    assert said(capsys, *command).endswith(
        f"; rejected of 16 tried: 1 x tile larger than the scene; in {tmp_path / 'tiles'} nothing was written"
    )


def test_a_map_is_planned_not_asked_for(allowed: Path, capsys, monkeypatch):
    place = make_place(allowed, "127.0.0.1:1")  # no broker answers there, and none is asked
    monkeypatch.setattr(eartheye.tracking, "resolve", place.resolve)  # MLflow takes seconds to start and has tests of its own
    before = files_below(allowed)
    told = said(capsys, "map", "--job", "one", "--scene", place.scene, "--model", "landcover", "--output", allowed / "map", "--dry-run")
    assert files_below(allowed) == before
    words = f"landcover version 1 would map 200 x 140 pixels of {place.scene} (blocks: 1, up to 28.0 kB of classes) into {allowed / 'map'}"
    assert told == f"{words}; nothing was written"
