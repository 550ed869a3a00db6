"""The demonstration as a user has it: killed again and again, finished, held against one that nobody disturbed, and asked once more."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import geopandas
import numpy as np
import pystac
import pytest
import rasterio
import yaml
from rio_cogeo import cog_validate

from eartheye.blocks import Window, map_window
from eartheye.contracts import Map, ModelPackage, ServingPackage
from eartheye.predictor import open_predictor
from eartheye.raster import open_scene
from eartheye.settings import Settings
from eartheye.store import Folder
from pipelines.course import COLOUR
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
    "gate": {"min_miou": 0.0, "above_commonest": False},
}


LIMIT_S = 1800.0
"""A run that lives is waited for, on however slow a machine; one that takes longer stands still."""
pytestmark = pytest.mark.timeout(2 * LIMIT_S)
FINISHED_FIRST = ("world", "sampling", "tiles", "curated")
"""Folders that are there when pretraining begins."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run that was killed twice and started again each time, and one beside it in the same world that nobody disturbed."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "chain.yaml").write_text(yaml.safe_dump(CHAIN))
    disturbed, undisturbed = folder / "disturbed", folder / "undisturbed"
    kill_when(pretraining, disturbed)
    written = finished_files(disturbed)
    for name in FINISHED_FIRST:
        shutil.copytree(disturbed / name, undisturbed / name)
    with started(undisturbed) as beside:
        kill_when(promoted, disturbed)
        written |= finished_files(disturbed)
        with started(disturbed) as last:
            said = end_of(last)
        end_of(beside)
    return Runs(disturbed, undisturbed, written, said)


@dataclass(frozen=True)
class Runs:
    disturbed: Path
    undisturbed: Path
    written: dict[Path, int]
    """Time of each file in a folder that was finished when the run was killed."""
    said: str


def command(run, chain_file="chain.yaml"):
    options = {"--run": str(run), "--size-km": "3", "--chain": str(run.parent / chain_file)}
    return [sys.executable, "-m", "services.cli.main", "demo", *chain.from_iterable(options.items())]


@contextmanager
def started(run):
    """A demonstration at work, which is killed at the end of the block."""
    with subprocess.Popen(command(run), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def end_of(process):
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said
    return said


def kill_when(reached, run):
    with started(run) as process:
        wait_for(lambda: reached(run), process)


def pretraining(run):
    return any((run / "checkpoint").glob("*/state.pt"))


def promoted(run):
    return "Task 'promotion' finished with status SUCCESS" in log_of(run)


def finished_files(run):
    """Times of the files of finished folders, which are those with a manifest."""
    folders = (run / name for name in ("tiles", "curated", "backbone", "heads/landcover/model", "heads/landcover/serving"))
    return {
        path: path.stat().st_mtime_ns for folder in folders if any(folder.glob("*.json")) for path in folder.rglob("*") if path.is_file()
    }


def wait_for(condition, process):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline, "the step was not reached"
        time.sleep(0.2)


def log_of(run: Path) -> str:
    log = run / "pipeline.log"
    return COLOUR.sub("", log.read_text()) if log.exists() else ""


def test_a_killed_run_goes_on_with_what_was_not_finished(runs):
    assert str(runs.disturbed / "report.html") in runs.said
    assert {"tiles", "backbone", "heads"} <= {path.relative_to(runs.disturbed).parts[0] for path in runs.written}
    assert {path: path.stat().st_mtime_ns for path in runs.written} == runs.written


def test_a_killed_run_ends_with_the_weights_the_map_and_the_polygons_of_one_that_nobody_disturbed(runs):
    assert contents(runs.disturbed) == contents(runs.undisturbed)


def contents(run):
    """Digests of what the run made."""
    backbone, head = (ModelPackage.read(Folder(run / name)) for name in ("backbone", "heads/landcover/model"))
    serving = ServingPackage.read(Folder(run / "heads/landcover/serving"))
    made = Map.read(Folder(run / "maps/later/v1"))
    return {
        "backbone": (backbone.weights.sha256, backbone.digest),
        "head": (head.weights.sha256, head.digest),
        "serving": (serving.onnx.sha256, serving.digest),
        "map": made.raster.sha256,
        "polygons": made.polygons.sha256,
    }


def test_a_finished_run_does_nothing_and_says_so(runs):
    run = runs.disturbed
    before = (run / "report.html").stat().st_mtime_ns
    again = subprocess.run(command(run), capture_output=True, text=True, timeout=LIMIT_S, check=True)
    assert "Nothing to do" in again.stdout
    assert (run / "report.html").stat().st_mtime_ns == before


def test_the_map_is_a_valid_cog_and_equals_one_pass(runs):
    run = runs.disturbed
    folder, serving = Folder(run / "maps/later/v1"), Folder(run / "heads/landcover/serving")
    raster = folder.local(Map.read(folder).raster)
    assert cog_validate(raster, strict=True)[0]
    package = ServingPackage.read(serving)
    predict = open_predictor(serving, package, "landcover", 1, Settings(predictor="onnxruntime"))
    with open_scene(str(run / "world" / "mosaic_2024Q3.tif")) as scene, rasterio.open(raster) as mapped:
        expected = map_window(read_images(scene, package), predict, package, Window(0, 0, scene.width, scene.height), (0, 0))
        assert np.array_equal(mapped.read(1), expected)


def test_polygons_and_stac_item_describe_the_map(runs):
    folder = Folder(runs.disturbed / "maps/later/v1")
    made = Map.read(folder)
    polygons = geopandas.read_parquet(folder.local(made.polygons))
    with rasterio.open(folder.local(made.raster)) as mapped:
        labelled_m2 = np.count_nonzero(mapped.read(1)) * abs(mapped.transform.a * mapped.transform.e)
        assert polygons.crs == mapped.crs
    assert polygons.geometry.area.sum() == pytest.approx(labelled_m2, rel=1e-6)
    item = pystac.Item.from_dict(json.loads(folder.open(made.stac).read()))
    assert item.datetime.date().isoformat() == "2024-08-20" if item.datetime else item.properties["start_datetime"]


def test_the_report_shows_every_part_without_another_file(runs):
    page = (runs.disturbed / "report.html").read_text()
    for title in ("Sites: tiles", "Tiles", "Backbone", "Head: landcover", "Registry", "Map: later", "Run"):
        assert f"<h2>{title}" in page
    assert page.count("data:image/png;base64,") >= 6
    assert "EarthEye synthetic world" in page


def test_a_map_with_other_settings_under_the_same_title_is_refused_and_the_map_stays(runs):
    run = runs.undisturbed
    before = contents(run)
    changed = CHAIN | {"maps": [{**CHAIN["maps"][0], "scene": "mosaic_2023Q4.tif"}]}
    (run.parent / "changed.yaml").write_text(yaml.safe_dump(changed))
    done = subprocess.run(command(run, "changed.yaml"), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 2, done.stderr
    assert "eartheye: step mapping: job " in done.stderr
    assert "give the map 'later' another title in the chain, or remove that folder" in done.stderr
    assert contents(run) == before


def test_a_second_demonstration_in_the_same_folder_is_refused(tmp_path):
    from services.only_one import only_one

    with only_one(tmp_path, "another demonstration"):
        done = subprocess.run(
            [sys.executable, "-m", "services.cli.main", "demo", "--run", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "another demonstration is at work" in done.stderr
    assert "Traceback" not in done.stderr
