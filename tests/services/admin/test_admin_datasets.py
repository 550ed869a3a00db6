"""Datasets over the API: found in the allowed folders, drawn on a map, shown as pictures."""

import io

import geopandas as gpd
import numpy as np
import pytest
import shapely
from PIL import Image

from eartheye.contracts import Sites
from eartheye.store import Folder
from tests.components.tiny_tiles import write_tiles


@pytest.fixture(scope="module", autouse=True)
def datasets(admin):
    write_tiles(admin.root / "run" / "tiles", sites=3, quarters=2)
    folder = Folder(admin.root / "run" / "sites")
    columns = {"site": [10, 11, 12], "stratum": [0, 0, 1], "land_class": np.array([1, 6, 4], np.uint8), "elevation_m": [5.0, np.nan, 7.0]}
    points = [shapely.Point(10 + number, 50) for number in range(3)]
    with folder.create("sites.parquet") as file:
        gpd.GeoDataFrame(columns, geometry=points, crs="EPSG:4326").to_parquet(file)
    Sites(made_from="x", table=folder.bulk("sites.parquet"), count=3, strata=2, cell_km=1).finish(folder)


def folder(admin, name: str) -> dict[str, str]:
    return {"folder": f"{admin.root}/run/{name}"}


def test_finished_folders_are_listed_and_nothing_else(admin):
    (admin.root / "run" / "broken").mkdir(exist_ok=True)
    (admin.root / "run" / "broken" / "manifest.json").write_text('{"kind": "tiles/999"}')
    listed = admin.ask("GET", "/v1/datasets").json()
    assert [(each["folder"], each["kind"], each["count"], each["rejected"]) for each in listed] == [
        (f"{admin.root}/run/sites", "sites", 3, 0),
        (f"{admin.root}/run/tiles", "tiles", 6, 1),
    ]


def test_sites_are_points_on_a_map(admin):
    found = admin.ask("GET", "/v1/datasets/geojson", params=folder(admin, "sites")).json()
    assert (found["type"], found["matched"]) == ("FeatureCollection", 3)
    assert found["features"][1] == {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [11.0, 50.0]},
        "properties": {"site": 11, "stratum": 0, "land_class": "built-up", "elevation_m": None},
    }


def test_of_too_many_features_some_are_taken_evenly(admin):
    found = admin.ask("GET", "/v1/datasets/geojson", params=folder(admin, "sites") | {"limit": 2}).json()
    assert ([feature["properties"]["site"] for feature in found["features"]], found["matched"]) == ([10, 12], 3)


def test_tiles_are_outlines_on_a_map(admin):
    found = admin.ask("GET", "/v1/datasets/geojson", params=folder(admin, "tiles")).json()
    assert found["matched"] == 6
    assert found["features"][0]["geometry"]["type"] == "Polygon"
    assert found["features"][0]["properties"]["acquired"] == "2023-02-01"


def test_tiles_are_listed_page_by_page(admin):
    pages = [
        admin.ask("GET", "/v1/datasets/tiles", params=folder(admin, "tiles") | {"limit": 4, "after": after}).json() for after in (-1, 3)
    ]
    assert [[tile["tile"] for tile in page] for page in pages] == [[0, 1, 2, 3], [4, 5, 6]]
    rejected = next(tile for page in pages for tile in page if tile["rejected"])
    assert (rejected["rejected"], rejected["source"]) == ("unreadable", "corrupt")


def test_a_tile_is_a_picture_clear_without_data(admin):
    cut = next(tile for tile in admin.ask("GET", "/v1/datasets/tiles", params=folder(admin, "tiles")).json() if tile["site"] == 1)
    response = admin.ask("GET", f"/v1/datasets/tiles/{cut['tile']}/picture", params=folder(admin, "tiles"))
    picture = np.asarray(Image.open(io.BytesIO(response.content)))
    assert picture.shape == (84, 84, 4)
    assert picture[0, 0, 3] == 0
    assert picture[40, 40, 3] == 255
    missing = admin.ask("GET", "/v1/datasets/tiles/999/picture", params=folder(admin, "tiles"))
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:eartheye:problem:not-enough-tiles")


@pytest.mark.parametrize("path", ["/etc", "{root}/../..", "{root}/run/../../../..", "s3://bucket/prefix", "http://example.org", "\0"])
def test_a_path_that_climbs_out_is_refused(admin, path):
    refused = admin.ask("GET", "/v1/datasets/geojson", params={"folder": path.format(root=admin.root)})
    assert refused.status_code in (403, 422)
    assert refused.json()["type"] in ("urn:eartheye:problem:outside-roots", "urn:eartheye:problem:request-rejected")


def test_a_link_that_leads_out_is_refused(admin):
    (admin.root / "run" / "link").symlink_to("/etc")
    assert admin.ask("GET", "/v1/datasets/geojson", params=folder(admin, "link")).status_code == 403


def test_a_folder_of_another_kind_is_not_there(admin):
    assert admin.ask("GET", "/v1/datasets/geojson", params=folder(admin, "nothing")).status_code == 404
    wrong = admin.ask("GET", "/v1/datasets/tiles", params=folder(admin, "sites"))
    assert wrong.json()["type"] == "urn:eartheye:problem:unreadable-manifest"
