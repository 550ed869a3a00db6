"""The demonstration as a user has it: started, killed, started again, and asked once more when it is finished."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas
import numpy as np
import pystac
import pytest
import rasterio
import yaml
from rio_cogeo import cog_validate

from eartheye.blocks import Window, map_window
from eartheye.contracts import Map, ServingPackage
from eartheye.predictor import open_predictor
from eartheye.raster import open_scene
from eartheye.settings import Settings
from eartheye.store import Folder
from services.inference.worker import read_images

SPLIT = {"test_share": 0.3, "validation_share": 0.2}
CHAIN = {
    "name": "smallest",
    "samplings": [{"title": "tiles", "sampler": {"target_sites": 9, "interval_m": 500}}],
    "tiler": {"chip_px": 168, "group_side": 1},
    "curator": {"clusters": 3},
    "pretrainer": {
        "size": "nano",
        "views": {"global_px": 56, "local_px": 28},
        "head": {"hidden": 64, "bottleneck": 32, "prototypes": 64},
        "steps": 4,
        "batch_size": 4,
        "precision": "float32",
    },
    "evaluator": {"samples": {"label_set": "landcover", "input_px": 84, "acquisitions": 1, "split": SPLIT}, "resamples": 20},
    "heads": [
        {
            "finetuner": {
                "title": "landcover",
                "task": "segmentation",
                "samples": {"label_set": "landcover", "input_px": 84, "acquisitions": 1, "split": SPLIT},
                "head_width": 16,
                "epochs": 2,
            },
            "evaluator": {"resamples": 20, "forest_pixels": 500},
        }
    ],
    "maps": [{"title": "later", "model": "landcover", "scene": "mosaic_2024Q3.tif", "area": None}],
    "gate": {"min_miou": 0.0},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that was killed while it tiled, and started again."""
    run = tmp_path_factory.mktemp("demo") / "run"
    chain = run.parent / "chain.yaml"
    chain.write_text(yaml.safe_dump(CHAIN))
    command = [sys.executable, "-m", "services.cli.main", "demo", "--run", str(run), "--size-km", "3", "--chain", str(chain)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: "'curator'" in read(run / "pipeline.log"), first)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    written = {path: path.stat().st_mtime_ns for path in (run / "tiles").rglob("*") if path.is_file()}
    second = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert second.returncode == 0, second.stdout + second.stderr
    return run, command, written, second.stdout


def wait_for(condition, process, limit_s=300.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "the step was not reached"
        time.sleep(0.2)


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_killed_run_goes_on_with_what_was_not_finished(finished):
    run, _, written, said = finished
    assert str(run / "report.html") in said
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_a_finished_run_does_nothing_and_says_so(finished):
    run, command, _, _ = finished
    before = (run / "report.html").stat().st_mtime_ns
    again = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Nothing to do" in again.stdout
    assert (run / "report.html").stat().st_mtime_ns == before


def test_the_map_is_a_valid_cog_and_equals_one_pass(finished):
    run = finished[0]
    folder, serving = Folder(run / "maps/later/v1"), Folder(run / "heads/landcover/serving")
    raster = folder.local(Map.read(folder).raster)
    assert cog_validate(raster, strict=True)[0]
    package = ServingPackage.read(serving)
    predict = open_predictor(serving, package, "landcover", 1, Settings(predictor="onnxruntime"))
    with open_scene(str(run / "world" / "mosaic_2024Q3.tif")) as scene, rasterio.open(raster) as mapped:
        window = Window(1000, 1000, 300, 260)
        expected = map_window(read_images(scene, package), predict, package, window, (0, 0))
        assert np.array_equal(mapped.read(1, window=rasterio.windows.Window(*window)), expected)


def test_polygons_and_stac_item_describe_the_map(finished):
    folder = Folder(finished[0] / "maps/later/v1")
    made = Map.read(folder)
    polygons = geopandas.read_parquet(folder.local(made.polygons))
    with rasterio.open(folder.local(made.raster)) as mapped:
        labelled_m2 = np.count_nonzero(mapped.read(1)) * abs(mapped.transform.a * mapped.transform.e)
        assert polygons.crs == mapped.crs
    assert polygons.geometry.area.sum() == pytest.approx(labelled_m2, rel=1e-6)
    item = pystac.Item.from_dict(json.loads(folder.open(made.stac).read()))
    assert item.datetime.date().isoformat() == "2024-08-20" if item.datetime else item.properties["start_datetime"]


def test_the_report_shows_every_part_without_another_file(finished):
    page = (finished[0] / "report.html").read_text()
    for title in ("Sites: tiles", "Tiles", "Backbone", "Head: landcover", "Registry", "Map: later", "Run"):
        assert f"<h2>{title}" in page
    assert page.count("data:image/png;base64,") >= 6
    assert "EarthEye synthetic world" in page


def test_a_second_demonstration_in_the_same_folder_is_refused(finished, tmp_path):
    from services.demo.run import only_one

    with only_one(tmp_path):
        done = subprocess.run(
            [sys.executable, "-m", "services.cli.main", "demo", "--run", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "another demonstration is at work" in done.stderr
    assert "Traceback" not in done.stderr
