"""`--dry-run` on the console: what would be done is told, and nothing is written."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import eartheye.tracking
from eartheye.contracts import Cells
from eartheye.grid import EaseGrid
from eartheye.settings import load
from eartheye.store import Folder
from services.cli.main import command_line
from tests.components.sampler_data import Data
from tests.components.tiler_data import files_below, write_data, write_sites
from tests.components.tiny_tiles import write_tiles
from tests.components.tracked import own_mlflow
from tests.services.inference.place import make_place


@pytest.fixture
def allowed(tmp_path, monkeypatch):
    """The settings of a service that may read and write in the test's folder."""
    monkeypatch.setenv("EARTHEYE_ALLOWED_ROOTS", f'["{tmp_path}"]')
    load.cache_clear()
    yield tmp_path
    load.cache_clear()


@pytest.fixture
def mlflow(tmp_path_factory):
    """An MLflow of the test's own, and the directory that it and the cache lie in."""
    directory = tmp_path_factory.mktemp("mlflow")
    with own_mlflow(directory):
        yield directory


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


def test_class_ratios_that_do_not_add_up_to_1_are_told_beside_the_sites(tmp_path: Path, capsys):
    write_cells(Folder(tmp_path / "cells"))
    command = ("sample", tmp_path / "cells", tmp_path / "sites", "--target-sites", "40", "--dry-run")
    assert "24 sites of 4 strata (40 wanted) would be drawn" in said(capsys, *command)
    told = said(capsys, *command, "--class-ratio.forest", "0.3")
    assert "28 sites of 4 strata (40 wanted, the class ratios add up to 1.1) would be drawn" in told


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


def test_cells_are_counted_not_described(tmp_path: Path, capsys):
    catalogue = Data(tmp_path).catalogue
    (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump(catalogue.model_dump(mode="json", exclude_defaults=True)))
    command = ("cells", tmp_path, tmp_path / "cells")
    before = files_below(tmp_path)
    told = said(capsys, *command, "--dry-run")
    assert files_below(tmp_path) == before
    assert told.startswith("cells of 1 km to describe: ")
    assert told.endswith(f"(h:mm:ss); in {tmp_path / 'cells'} nothing was written")
    assert "tried: none; about " in told
    assert numbers(said(capsys, *command))[0] == numbers(told)[1]
    assert said(capsys, *command, "--dry-run") == f"all cells are described; in {tmp_path / 'cells'} nothing was written"


def test_a_backbone_and_what_is_made_of_it_are_counted_not_trained(tmp_path: Path, mlflow: Path, capsys):
    tiles, curated = write_tiles(tmp_path / "tiles", sites=16, quarters=2), tmp_path / "curated"
    labels = ("--samples.label-set", "cover", "--samples.input-px", "56")
    network = ("--size", "nano", "--views.global-px", "56", "--views.local-px", "28", "--head.prototypes", "64", "--batch-size", "4")
    commands = (
        (("curate", tiles.root, curated), "tiles: 32 (poor: none); to look at: 32; shards: 1 (done before: 0); about ",
         "all tiles are decided about"),
        (
            ("pretrain", tiles.root, curated, tmp_path / "backbone", "--checkpoint", tmp_path / "checkpoint", *network, "--steps", "2"),
            "sites: 16 (tiles: 32); steps: 2 (done before: 0), 8 images in 0.5 epochs; parameters: ",
            "the backbone is trained",
        ),
        (
            ("finetune", tiles.root, tmp_path / "backbone", tmp_path / "head", "--title", "cover", "--task", "segmentation", *labels,
             "--epochs", "1"),
            "windows: 80 to train on, 16 to choose the epoch by, 32 kept for the test; classes: 3; epochs: 1; parameters of the head: ",
            "the head is trained",
        ),
        (
            ("evaluate", tiles.root, tmp_path / "head", tmp_path / "report"),
            "windows: 80 to train on, 16 to choose by, 32 to test on; classes: 3; windows through a network: 160; "
            "epochs of the head on a random backbone: 1; features on this machine's disk meanwhile: up to ",
            "the report is there",
        ),
    )  # fmt: skip
    for command, words, finished in commands:
        before = files_below(tmp_path), files_below(mlflow)
        told = said(capsys, *command, "--dry-run")
        assert (files_below(tmp_path), files_below(mlflow)) == before
        assert told.startswith(words)
        assert told.endswith("nothing was written")
        said(capsys, *command)
        assert said(capsys, *command, "--dry-run").startswith(f"{finished}; in ")


def test_a_map_is_planned_not_asked_for(allowed: Path, capsys, monkeypatch):
    place = make_place(allowed, "127.0.0.1:1")  # no broker answers there, and none is asked
    monkeypatch.setattr(eartheye.tracking, "resolve", place.resolve)  # MLflow takes seconds to start and has tests of its own
    before = files_below(allowed)
    told = said(capsys, "map", "--job", "one", "--scene", place.scene, "--model", "landcover", "--output", allowed / "map", "--dry-run")
    assert files_below(allowed) == before
    size = "(blocks: 1 (done before: 0), tiles: 54, up to 28.0 kB of classes)"
    words = f"landcover version 1 would map 200 x 140 pixels of {place.scene} {size} into {allowed / 'map'}; about 0:00:0"
    assert told.startswith(words)
    assert told.endswith(" (h:mm:ss) for one worker here; nothing was written")
