"""When a demonstration takes a run for finished."""

import json
import shutil

import pytest

from eartheye.contracts import Map
from eartheye.store import Folder
from pipelines.config import ChainConfig
from services.demo.run import FINISHED, KIND, finished

CONFIG = ChainConfig.model_validate(
    {
        "name": "small",
        "samplings": [{"title": "tiles", "sampler": {"target_sites": 5}}],
        "heads": [{"finetuner": {"title": "landcover", "task": "segmentation", "samples": {"label_set": "landcover"}}}],
        "maps": [{"title": "later", "model": "landcover", "scene": "mosaic.tif"}],
    }
)


@pytest.fixture
def run(tmp_path):
    """A run that is finished, with a map of the model's second version."""
    folder = Folder(tmp_path / "maps/later/v2")
    for name in ("map.tif", "polygons.parquet", "item.json"):
        with folder.create(name) as file:
            file.write(name.encode())
    Map(
        made_from="plan",
        job="later",
        scene="mosaic.tif",
        model="landcover",
        model_version=2,
        model_digest="5e" * 32,
        raster=folder.bulk("map.tif"),
        polygons=folder.bulk("polygons.parquet"),
        stac=folder.bulk("item.json"),
        blocks_done=1,
        blocks_empty=0,
        licence=("CC0",),
        attribution=("nobody",),
    ).finish(folder)
    (tmp_path / "report.html").write_text("<html>")
    (tmp_path / FINISHED).write_text(json.dumps({"kind": KIND, "made_from": "all this", "maps": {"later": 2}}))
    return tmp_path


def done(run, root=None):
    return finished(run, str(root or run), "all this", CONFIG)


def test_a_run_with_its_report_and_its_map_is_finished(run):
    assert done(run)
    assert not finished(run, str(run), "something else", CONFIG)


@pytest.mark.parametrize("lost", [FINISHED, "report.html", "maps/later/v2", "maps/later/v2/map.tif", "maps/later/v2/manifest.json"])
def test_a_run_that_has_lost_a_part_goes_on(run, lost):
    part = run / lost
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    assert not done(run)


@pytest.mark.parametrize("cut", [FINISHED, "report.html", "maps/later/v2/polygons.parquet"])
def test_a_run_with_an_empty_file_goes_on(run, cut):
    (run / cut).write_bytes(b"")
    assert not done(run)


def test_maps_that_lie_elsewhere_are_looked_for_there_and_beside_the_report(run, tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    shutil.copytree(run / "maps", store / "maps")
    assert done(run, store)
    (store / "maps/later/v2/map.tif").unlink()
    assert not done(run, store)
