"""`import eartheye`: light, and every verb behind it opens."""

import subprocess
import sys

import pytest
import rasterio

import eartheye
from eartheye.errors import InvalidConfig, NotFinished
from eartheye.store import Folder
from tests.services.inference.place import write_package, write_scene


@pytest.mark.parametrize("verb", sorted(eartheye.VERBS))
def test_every_verb_opens(verb):
    assert callable(getattr(eartheye, verb))


def test_an_unknown_verb_names_those_that_are():
    with pytest.raises(AttributeError, match="finetune"):
        eartheye.fintune  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    heavy = "import sys, eartheye; print([name for name in ('torch', 'mlflow', 'kfp', 'rasterio') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_loaded_model_maps_a_scene_and_writes_it(tmp_path):
    write_scene(tmp_path / "scene.tif")
    write_package(Folder(tmp_path / "serving"))
    made = eartheye.load(str(tmp_path / "serving")).predict(tmp_path / "scene.tif")
    made.write(tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as written, rasterio.open(tmp_path / "scene.tif") as scene:
        assert (written.transform, written.crs) == (scene.transform, scene.crs)
        assert (written.read(1) == made.classes).all()
    assert (made.classes[:60, :60] == 0).all()
    assert set(made.classes[80:].flat) <= {1, 3, 4, 9}


def test_a_folder_without_a_package_is_named(tmp_path):
    with pytest.raises(NotFinished, match="not finished"):
        eartheye.load(str(tmp_path))


def test_a_scene_classifier_makes_no_map(tmp_path):
    write_package(Folder(tmp_path / "serving"), task="scenes")
    with pytest.raises(InvalidConfig, match="classifies whole scenes"):
        eartheye.load(str(tmp_path / "serving"))
