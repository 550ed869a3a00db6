"""What a pipeline asks of the services: the same under the same name, something else under another, and what was lost once more."""

import datetime as dt

import pytest
import yaml
from pydantic import ValidationError

from eartheye.contracts import Catalogue, Map
from eartheye.contracts.catalogue import SceneEntry
from eartheye.contracts.messages import JobRequest, JobResult
from eartheye.errors import JobFailed
from eartheye.store import Folder
from eartheye.tracking import RegisteredModel
from pipelines.config import MapConfig
from pipelines.requests import make_map, map_request
from pipelines.steps import mapping
from services.demo.servers import environment
from services.stack.broker import API_VERSION, embedded_broker
from tests.services.inference.place import QUICK, make_place
from tests.services.inference.roles import inference_service

WANTED = MapConfig(title="later", model="landcover", scene="mosaic.tif")
CHAMPION = RegisteredModel("landcover", 3, "models", "serving", "5e" * 32, "report")


def job(wanted=WANTED, champion=CHAMPION, data="data", root="run"):
    return map_request(data, root, wanted, champion).job


def test_the_same_map_asked_again_is_the_same_job():
    assert job() == job()
    assert job().startswith("later-landcover-v3-")
    assert job(WANTED.model_copy(update={"timeout_s": 5.0})) == job()


def test_a_title_and_a_model_of_any_length_make_a_name_that_can_be_asked_for():
    long = MapConfig(title="t" * 128, model="m" * 128, scene="mosaic.tif")
    asked = map_request("data", "run", long, RegisteredModel("m" * 128, 12345, "models", "serving", "5e" * 32, "report"))
    assert JobRequest.model_validate_json(asked.model_dump_json()) == asked
    assert job(long) != job(long.model_copy(update={"title": "t" * 127}))


@pytest.mark.parametrize(
    "change",
    [
        {"scene": "other.tif"},
        {"area": (0.0, 0.0, 10.0, 10.0)},
        {"bands": ("red", "green", "blue")},
        {"nodata": 255.0},
        {"crs": "EPSG:32633"},
        {"min_area_m2": 4.0},
        {"acquired": dt.date(2024, 8, 20)},
        {"model": "roofs"},
        {"title": "sooner"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_map_is_another_job(change):
    assert job(WANTED.model_copy(update=change)) != job()


def test_what_stands_in_for_the_words_of_a_file_goes_with_the_request():
    wanted = WANTED.model_copy(update={"bands": ("pan",), "nodata": 255.0, "crs": "EPSG:32633"})
    request = map_request("data", "run", wanted, CHAMPION)
    assert (request.bands, request.nodata, request.crs) == (("pan",), 255.0, "EPSG:32633")
    with pytest.raises(ValidationError):
        MapConfig(title="later", model="landcover", scene="mosaic.tif", crs="/etc/hosts")


def test_what_a_map_leaves_out_is_what_the_catalogue_says_of_its_scene():
    said = {"bands": ("red", "nir"), "nodata": 0.0, "crs": "EPSG:32650", "acquired": dt.date(2024, 8, 20)}
    scene = SceneEntry(path="mosaic.tif", sensor="s", channels=("red",), **said)
    catalogue = Catalogue(title="t", licence="l", attribution="a", scenes=(scene,))
    request = map_request("data", "run", WANTED.completed(catalogue), CHAMPION)
    assert {name: getattr(request, name) for name in said} == said
    own = {"bands": ("pan", "nir"), "nodata": 255.0, "crs": "EPSG:32633", "acquired": dt.date(2024, 8, 21)}
    request = map_request("data", "run", WANTED.model_copy(update=own).completed(catalogue), CHAMPION)
    assert {name: getattr(request, name) for name in own} == own
    holed = catalogue.model_copy(update={"scenes": (scene.model_copy(update={"nodata": float("nan")}),)})
    assert map_request("data", "run", WANTED.completed(holed), CHAMPION).nodata is None
    other = WANTED.model_copy(update={"scene": "other.tif"})
    assert other.completed(catalogue) == other


def test_the_mapping_step_asks_as_the_catalogue_says(tmp_path, monkeypatch):
    scene = {"path": "mosaic.tif", "sensor": "s", "bands": ["pan"], "channels": ["pan"], "crs": "EPSG:32650", "nodata": 7}
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(yaml.safe_dump({"title": "t", "licence": "l", "attribution": "a", "scenes": [scene]}))
    asked = []
    monkeypatch.setattr("pipelines.requests.resolve", lambda *_: CHAMPION)
    monkeypatch.setattr("pipelines.requests.request_map", lambda request, _: asked.append(request) or JobResult.model_construct(map="made"))
    wanted = WANTED.model_dump(mode="json", exclude_defaults=True)
    assert mapping.python_func(str(tmp_path), str(catalogue), str(tmp_path / "run"), wanted) == "made"
    assert [(request.bands, request.crs, request.nodata) for request in asked] == [(("pan",), "EPSG:32650", 7.0)]


def test_another_package_folder_of_data_or_run_is_another_job():
    exported_again = RegisteredModel("landcover", 3, "models", "serving", "6f" * 32, "report")
    assert len({job(), job(champion=exported_again), job(data="elsewhere"), job(root="another-run")}) == 4


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Have the service map the scene of a place; what is changed of the map is given."""
    with embedded_broker() as address:
        place = make_place(tmp_path, address)
        served = place.models["landcover", "champion"]
        champion = RegisteredModel("landcover", served.version, "models", served.serving, served.serving_digest, "report")
        monkeypatch.setattr("pipelines.requests.resolve", lambda *_: champion)  # MLflow takes seconds to start
        broker = {"EARTHEYE_KAFKA_BOOTSTRAP": address, "EARTHEYE_KAFKA_API_VERSION": str(list(API_VERSION))}
        wanted = WANTED.model_copy(update={"scene": place.scene.name})
        with environment(broker), inference_service(place.settings, place.resolve, config=QUICK):
            yield lambda **changes: Folder(make_map(str(tmp_path), str(tmp_path / "run"), wanted.model_copy(update=changes)))


@pytest.mark.server
@pytest.mark.parametrize("lost", ["map.tif", "polygons.parquet"])
def test_a_map_that_has_lost_a_file_is_made_again(lost, ask):
    folder = ask()
    made = Map.read(folder)
    folder.delete(lost)
    assert ask() == folder
    assert Map.read(folder) == made
    for bulk in (made.raster, made.polygons, made.stac):
        folder.open(bulk).close()


@pytest.mark.server
def test_another_title_is_advised_where_a_title_has_another_map_and_for_no_other_failure(ask):
    folder = ask()
    with pytest.raises(JobFailed, match=f"{folder.root} holds the map .* give the map 'later' another title"):
        ask(min_area_m2=50.0)
    with pytest.raises(JobFailed, match="bands red are wanted") as failed:
        ask(bands=("nir", "green", "blue"))
    assert "title" not in str(failed.value)
