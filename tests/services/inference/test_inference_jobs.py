"""A job, from its request to its map, through a real broker, a real database and a real model."""

import hashlib
import io
import json
from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pystac
import pytest
import rasterio
import shapely
from affine import Affine
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rio_cogeo.cogeo import cog_validate

from eartheye.blocks import Window, polygonise
from eartheye.bus import Bus
from eartheye.contracts import Map
from eartheye.contracts.messages import JOB_REQUESTS, JOB_RESULTS, JobCommand, JobRequest, JobResult
from eartheye.predictor import open_predictor
from eartheye.store import Folder
from services.inference.stac_item import source_href
from tests.services.inference.place import GRID, QUICK, Place, ask, write_scene
from tests.services.inference.roles import inference_service
from tests.waiting import LIMIT_S


@pytest.fixture(scope="module")
def opened() -> list[str]:
    """Names of the models that the worker has opened."""
    return []


@pytest.fixture(scope="module")
def service(place: Place, opened: list[str]) -> Iterator[None]:
    def open_noted(serving, package, name, version):
        opened.append(f"{name}/{version}")
        return open_predictor(serving, package, name, version)

    with inference_service(place.settings, place.resolve, open_noted, QUICK):
        yield


@pytest.fixture(scope="module")
def result(service: None, place: Place, bus: Bus) -> JobResult:
    """The first job."""
    return ask(bus, place.request("first", acquired="2023-05-17"))


@pytest.fixture(scope="module")
def folder(result: JobResult) -> Folder:
    assert result.map
    return Folder(result.map)


def test_a_job_ends_with_a_map_and_counts_its_blocks(result, place):
    assert (result.state, result.reason, result.map) == ("done", None, str(place.root / "maps" / "first"))
    # 200 x 140 px in blocks of 64: 4 x 3; one of them lies in the corner without data
    assert (result.blocks_done, result.blocks_empty, result.blocks_failed) == (11, 1, 0)


def test_the_map_is_that_of_one_pass_bit_by_bit(folder, place):
    with rasterio.open(folder.local(Map.read(folder).raster)) as map_:
        np.testing.assert_array_equal(map_.read(1), place.one_pass())
        assert (map_.crs.to_epsg(), map_.transform, map_.nodata) == (32633, GRID, 0)
        assert map_.colormap(1)[3] == (0x1F, 0x4F, 0xD1, 255)


def test_the_map_is_a_valid_cog(folder):
    valid, errors, warnings = cog_validate(folder.local(Map.read(folder).raster), strict=True)
    assert (valid, errors, warnings) == (True, [], [])


def test_the_polygons_are_those_of_one_pass_with_names_and_areas(folder, place):
    table = gpd.read_parquet(folder.local(Map.read(folder).polygons))
    classes = place.one_pass()
    [whole] = polygonise(lambda _: classes, [Window(0, 0, 200, 140)], GRID)
    assert table["class"].tolist() == whole.value.tolist()
    assert shapely.to_wkb(table.geometry.to_numpy()).tolist() == shapely.to_wkb(whole.geometry).tolist()
    assert table.crs.to_epsg() == 32633
    names = {1: "forest", 3: "water", 4: "built up", 9: "other"}
    assert table["name"].tolist() == [names[value] for value in table["class"]]
    np.testing.assert_allclose(table["area_m2"], table.geometry.area, rtol=2e-3)  # the projection's scale differs from 1


def test_the_stac_item_is_valid_and_names_its_files(folder, place):
    manifest = Map.read(folder)
    fields = json.loads(folder.read(manifest.stac.name))
    JsonSchemaSTACValidator().validate_core(fields, pystac.STACObjectType.ITEM, "1.1.0")
    item = pystac.Item.from_dict(fields)
    assert item.properties["proj:code"] == "EPSG:32633"
    assert item.properties["proj:shape"] == [140, 200]
    assert item.properties["datetime"] == item.properties["start_datetime"] == "2023-05-17T00:00:00Z"
    assert "description" not in item.properties
    assert item.get_single_link("derived_from").href == place.scene.as_uri()
    assert (item.properties["licence"], item.properties["attribution"]) == ("CC-BY-4.0", "Example Imagery 2023")
    assert shapely.geometry.shape(item.geometry).exterior.is_ccw
    raster = item.assets["map"]
    assert raster.href == "./map.tif"
    assert raster.extra_fields["file:checksum"] == "1220" + hashlib.sha256(folder.read("map.tif")).hexdigest()
    assert [c["value"] for c in raster.extra_fields["classification:classes"]] == [0, 1, 3, 4, 9]
    assert raster.extra_fields["classification:classes"][3]["name"] == "built-up"
    west, south, east, north = item.bbox
    assert 13 < west < east < 14
    assert 49 < south < north < 50


def test_the_stac_item_of_a_scene_without_a_day_is_valid_and_says_so(result, place, bus):
    undated = ask(bus, place.request("undated", output=str(place.root / "undated")))
    fields = json.loads(Folder(undated.map).read("item.json"))
    JsonSchemaSTACValidator().validate_core(fields, pystac.STACObjectType.ITEM, "1.1.0")
    times = [fields["properties"][name] for name in ("datetime", "start_datetime", "end_datetime")]
    assert times == [None, "1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
    assert "day of the scene is not known" in fields["properties"]["description"]
    assert [link["href"] for link in fields["links"] if link["rel"] == "derived_from"] == ["../scene.tif"]


def test_the_stac_item_of_a_scene_across_180_degrees_has_a_part_on_either_side(service, place, bus):
    write_scene(place.root / "fiji.tif", crs="EPSG:32601", transform=Affine(0.75, 0, 165_950, 0, -0.75, 100_000))
    across = ask(bus, place.request("across", scene=str(place.root / "fiji.tif")))
    fields = json.loads(Folder(across.map).read("item.json"))
    JsonSchemaSTACValidator().validate_core(fields, pystac.STACObjectType.ITEM, "1.1.0")
    assert fields["geometry"]["type"] == "MultiPolygon"
    assert all(shapely.geometry.shape(fields["geometry"]).geoms[part].exterior.is_ccw for part in (0, 1))
    west, _, east, _ = fields["bbox"]
    assert 179.99 < west < 180
    assert -180 < east < -179.99


def test_the_map_of_a_scene_whose_rows_run_north_and_columns_west_lies_where_the_scene_does(service, place, bus):
    write_scene(place.root / "turned.tif", transform=Affine(-0.75, 0, 400_000, 0, 0.75, 5_500_000))
    turned = Folder(ask(bus, place.request("turned", scene=str(place.root / "turned.tif"))).map)
    projection = json.loads(turned.read("item.json"))["properties"]
    assert projection["proj:bbox"] == [399_850, 5_500_000, 400_000, 5_500_105]
    assert projection["proj:transform"] == [-0.75, 0, 400_000, 0, 0.75, 5_500_000]
    polygons = gpd.read_parquet(io.BytesIO(turned.read(Map.read(turned).polygons.name)))
    assert polygons.total_bounds.tolist() == projection["proj:bbox"]


@pytest.mark.parametrize(
    ("source", "folder", "href"),
    [
        ("/data/a scene 100%.tif", "/data/map", "../a%20scene%20100%25.tif"),
        ("/data/2024/may.tif", "/data/map", "../2024/may.tif"),
        ("/data/über.tif", "/maps/first", "file:///data/%C3%BCber.tif"),
        ("/data/scene.tif", "/map", "file:///data/scene.tif"),
        ("s3://imagery/2024/may.tif", "s3://imagery/map", "../2024/may.tif"),
        ("s3://imagery/2024/may.tif", "s3://maps/first", "s3://imagery/2024/may.tif"),
        ("s3://imagery/2024/may.tif", "s3://maps", "s3://imagery/2024/may.tif"),
    ],
)
def test_an_item_refers_to_the_scene_beside_it_relatively_and_to_another_by_uri(source, folder, href):
    assert source_href(source, folder) == href


def test_the_manifest_says_what_the_map_was_made_from(folder, place):
    manifest = Map.read(folder)
    assert (manifest.model, manifest.model_version, manifest.model_digest) == ("landcover", 1, "d" * 64)
    assert (manifest.scene, manifest.job) == (str(place.scene), "first")
    assert (manifest.blocks_done, manifest.blocks_empty) == (11, 1)
    assert manifest.licence == ("CC-BY-4.0",)
    assert manifest.attribution == ("Example Imagery 2023",)


def test_a_job_asked_for_again_gets_the_same_result(result, place, bus):
    assert ask(bus, place.request("first", acquired="2023-05-17")) == result


def test_the_same_map_for_another_job_is_made_from_the_first_one(result, folder, place, bus, opened):
    again = ask(bus, place.request("second", acquired="2023-05-17"))
    assert (again.state, again.blocks_done) == ("done", 11)
    assert opened == ["landcover/1"]
    other = Folder(again.map)
    for name in ("map.tif", "polygons.parquet", "item.json"):
        assert other.read(name) == folder.read(name)


def test_small_polygons_are_left_out_without_mapping_anew(result, folder, place, bus):
    coarse = ask(bus, place.request("coarse", min_area_m2=50.0))
    table = gpd.read_parquet(Folder(coarse.map).local(Map.read(Folder(coarse.map)).polygons))
    whole = gpd.read_parquet(folder.local(Map.read(folder).polygons))
    assert table["area_m2"].tolist() == whole.loc[whole["area_m2"] >= 50, "area_m2"].tolist()
    assert Folder(coarse.map).read("map.tif") == folder.read("map.tif")


def test_an_area_gets_a_map_of_its_own_grid(service, place, bus):
    area = Window(37, 41, 120, 90)
    west, north = GRID @ np.array([area.column, area.row])
    east, south = GRID @ np.array([area.right, area.bottom])
    result = ask(bus, place.request("area", area=(west, south, east, north)))
    with rasterio.open(Folder(result.map).local_directory() / "map.tif") as map_:
        assert (map_.width, map_.height, map_.transform.c, map_.transform.f) == (120, 90, west, north)
        np.testing.assert_array_equal(map_.read(1), place.one_pass(area))


def test_a_map_does_not_take_the_place_of_another(result, place, bus):
    refused = ask(bus, place.request("greedy", output=str(place.root / "maps" / "first"), min_area_m2=7.0))
    assert refused.state == "rejected"
    assert "made from another input" in refused.reason


def test_requests_sent_twice_and_at_once_make_one_map(service, place, bus):
    request = place.request("twice", area=(400_010.0, 5_499_900.0, 400_100.0, 5_500_000.0))
    with bus.replies(JOB_RESULTS, "twice", (JobResult,)) as replies:
        for _ in range(3):
            bus.publish(JOB_REQUESTS, "twice", request)
        assert replies.next(LIMIT_S).state == "done"


def test_a_name_that_belongs_to_another_request_is_refused(result, place, bus):
    refused = ask(bus, place.request("first", min_area_m2=1.0))
    assert (refused.state, refused.reason) == ("rejected", "another request has the name 'first': give the job another")


def test_a_rejected_job_keeps_its_reason_until_it_is_redriven(service, place, bus, monkeypatch):
    request = place.request("early", model="coming")
    refused = ask(bus, request)
    assert refused.state == "rejected"
    assert refused.reason == "the registry has no model 'coming' with alias 'champion': register and promote it first"
    assert ask(bus, request) == refused
    monkeypatch.setitem(place.models, ("coming", "champion"), place.models["landcover", "champion"])
    with bus.replies(JOB_RESULTS, "early", (JobResult,)) as replies:
        bus.publish(JOB_REQUESTS, "early", JobCommand(job="early", command="redrive"))
        assert replies.next(LIMIT_S).state == "done"


def test_other_threads_may_ask_at_the_same_time(service, place, bus):
    requests = [place.request(f"crowd-{n}", area=(400_010.0, 5_499_900.0 - n, 400_060.0, 5_500_000.0)) for n in range(4)]
    for request in requests:
        bus.publish(JOB_REQUESTS, request.job, request)
    assert {ask(bus, JobRequest.model_validate(request)).state for request in requests} == {"done"}
