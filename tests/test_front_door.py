"""`import eartheye`: light, and every verb behind it opens."""

import os
import subprocess
import sys

import pytest
import rasterio

import eartheye
from eartheye import settings
from eartheye.errors import InvalidConfig, NotFinished, PredictorUnavailable, StoreUnavailable
from eartheye.store import Folder
from services.inference.here import check_folder
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
        assert (written.tags()["LICENCE"], written.tags()["ATTRIBUTION"]) == ("CC-BY-4.0", "Example Imagery 2023")
    assert (made.classes[:60, :60] == 0).all()
    assert set(made.classes[80:].flat) <= {1, 3, 4, 9}


def test_a_folder_without_a_package_is_named(tmp_path):
    with pytest.raises(NotFinished, match="not finished"):
        eartheye.load(str(tmp_path))


def test_a_scene_classifier_makes_no_map(tmp_path):
    write_package(Folder(tmp_path / "serving"), task="scenes")
    with pytest.raises(InvalidConfig, match="classifies whole scenes"):
        eartheye.load(str(tmp_path / "serving"))


@pytest.fixture
def set_settings(monkeypatch):
    """Settings of this process that hold for a test."""

    def set_all(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"EARTHEYE_{name.upper()}", value)
        settings.load.cache_clear()

    yield set_all
    monkeypatch.undo()
    settings.load.cache_clear()


def test_a_loaded_model_is_run_by_the_predictor_of_the_settings(tmp_path, set_settings):
    write_package(Folder(tmp_path / "serving"))
    set_settings(predictor="torch")
    with pytest.raises(PredictorUnavailable, match="does not name the model it was exported from"):
        eartheye.load(str(tmp_path / "serving"))


def test_a_loaded_model_needs_no_server_where_the_settings_name_triton(tmp_path, set_settings):
    write_scene(tmp_path / "scene.tif")
    write_package(Folder(tmp_path / "serving"))
    here = eartheye.load(str(tmp_path / "serving")).predict(tmp_path / "scene.tif")
    set_settings(predictor="triton", triton_url="127.0.0.1:1", triton_repository=str(tmp_path))
    beside = eartheye.load(str(tmp_path / "serving")).predict(tmp_path / "scene.tif")
    assert (beside.classes == here.classes).all()


@pytest.mark.parametrize("name", ["/proc/map.tif", "/proc/new/map.tif"])
def test_a_map_that_cannot_be_written_where_it_is_wanted_says_so(tmp_path, name):
    write_scene(tmp_path / "scene.tif")
    write_package(Folder(tmp_path / "serving"))
    made = eartheye.load(str(tmp_path / "serving")).predict(tmp_path / "scene.tif")
    with pytest.raises(StoreUnavailable, match=f"{name} cannot be made .* choose another folder"):
        made.write(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_map_in_a_folder_of_somebody_else_says_so(tmp_path):
    os.seteuid(65534)
    try:
        with pytest.raises(StoreUnavailable, match=r"Permission denied.*give this user the right"):
            check_folder(tmp_path / "map.tif")
    finally:
        os.seteuid(0)
