"""Layers that cannot be used: each is refused with a word on what to change."""

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from components.sampler.legend import LEGENDS, classify
from eartheye.contracts import LAND_CLASSES
from eartheye.contracts.catalogue import Elevation, LandCover, Regions
from eartheye.errors import EmptyArea, InvalidCatalogue, MissingCrs, UnknownLandCover, UnreadableRaster, WrongBands
from eartheye.store import Folder
from tests.components.sampler_data import Data, write


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_codes_that_the_legend_does_not_name_are_refused_by_number(data, dtype):
    cover = data.cover.astype(dtype)
    cover[250, 300], cover[251, 300] = 37, 99
    write(data.path / "cover.tif", cover, data.cover_transform, "EPSG:32650", nodata=0)
    with pytest.raises(UnknownLandCover, match=r"cover.tif has codes 37(\.0)?, 99(\.0)?, which the legend 'worldcover' does not name"):
        data.aggregate()
    assert not Folder(data.path / "cells").exists("manifest.json")


@pytest.mark.parametrize("code", [-1, 266, 300, 10.5])
def test_codes_beyond_a_byte_are_not_taken_for_others(code):
    with pytest.raises(UnknownLandCover, match=f"codes {code}"):
        classify(np.array([10, code], np.float64), "worldcover", "a.tif")


def test_every_class_can_be_met_in_every_legend():
    for codes in LEGENDS.values():
        assert set(codes.values()) == set(range(1, len(LAND_CLASSES) + 1))


def test_land_cover_without_a_reference_system_is_refused_unless_the_catalogue_gives_one(data):
    lon_lat = Affine(1e-4, 0, 116.985, 0, -9e-5, 30.03)
    write(data.path / "cover.tif", data.cover, lon_lat, "+proj=longlat +ellps=clrk66", nodata=0)
    with pytest.raises(MissingCrs, match="give its `crs`"):
        data.aggregate()
    made, _ = data.with_(land_cover=LandCover(path="cover.tif", legend="worldcover", crs="EPSG:4326")).aggregate()
    assert made.count > 20


def test_elevation_without_a_reference_system_takes_the_catalogue_s(data):
    with rasterio.open(data.path / "dem.tif") as dem:
        heights, transform = dem.read(1), dem.transform
    write(data.path / "dem.tif", heights, transform, None)
    with pytest.raises(MissingCrs, match="give its `crs`"):
        data.aggregate()
    made, _ = data.with_(elevation=Elevation(path="dem.tif", crs="EPSG:4326")).aggregate()
    assert made.count > 20


def test_a_truncated_layer_is_refused(data):
    path = data.path / "cover.tif"
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(UnreadableRaster, match="truncated or corrupt"):
        data.aggregate()
    assert list((data.path / "cells").iterdir()) == []


@pytest.mark.parametrize("name", ["cover.tif", "dem.tif"])
def test_a_layer_of_several_bands_is_refused(data, name):
    write(data.path / name, np.ones((3, 50, 50), np.uint8), data.cover_transform, "EPSG:32650")
    with pytest.raises(WrongBands, match=f"{name} has 3 bands, names were given for 1"):
        data.aggregate()


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_regions_without_a_reference_system_or_polygon_or_column_are_refused(data):
    box = shapely.box(116, 29, 118, 31)
    data.write_regions([(1, "a", box)], crs=None)
    with pytest.raises(MissingCrs, match=r"regions\.gpkg has no known reference system"):
        data.aggregate()
    data.write_regions([(1, "a", None)])
    with pytest.raises(EmptyArea, match="has no polygon"):
        data.aggregate()
    data.write_regions([(1, "a", box)], columns=("number", "label"))
    with pytest.raises(InvalidCatalogue, match="has no column title, it has number, label, geometry"):
        data.aggregate()
    (data.path / "regions.gpkg").write_bytes(b"no regions")
    with pytest.raises(InvalidCatalogue, match="cannot be read as a layer of polygons"):
        data.aggregate()


def regions_of(data, name, rows, crs="EPSG:4326"):
    gpd.GeoDataFrame({"number": range(len(rows)), "title": "a"}, geometry=rows, crs=crs).to_file(data.path / name)
    return data.with_(regions=Regions(path=name, id="number", name="title"))


BOX = shapely.box(116, 29, 118, 31)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([shapely.Point(117, 30), shapely.Point(117, 31)], "2 Point beside 0 polygons"),
        ([BOX, BOX.exterior], "1 LineString beside 1 polygon"),
        ([shapely.GeometryCollection([BOX])], "1 GeometryCollection beside 0 polygons"),
    ],
)
def test_regions_of_anything_but_polygons_are_refused(data, rows, found):
    with pytest.raises(InvalidCatalogue, match=f"regions.geojson has {found}: give a layer of polygons alone"):
        regions_of(data, "regions.geojson", rows).aggregate()


def test_a_table_is_no_layer_of_regions(data):
    (data.path / "regions.csv").write_text("number,title\n1,a\n")
    with pytest.raises(InvalidCatalogue, match=r"regions\.csv is a table without geometry: give a GeoPackage or GeoJSON of polygons"):
        data.with_(regions=Regions(path="regions.csv", id="number", name="title")).aggregate()


@pytest.mark.parametrize(("crs", "box"), [("EPSG:4326", (5e5, 3.3e6, 6e5, 3.4e6)), ("EPSG:32650", (1e12, 0, 2e12, 1))])
def test_regions_that_lie_nowhere_on_earth_are_refused(data, crs, box):
    with pytest.raises(InvalidCatalogue, match="polygons that lie nowhere in WGS 84: correct its reference system"):
        regions_of(data, "nowhere.gpkg", [shapely.box(*box)], crs).aggregate()


def test_an_area_without_a_region_is_empty(data):
    data.write_regions([(1, "Far", shapely.box(0, 0, 1, 1))])
    with pytest.raises(EmptyArea, match=r"no cell of 1 km is left to draw from \(30 in no region\)"):
        data.aggregate()
    assert list((data.path / "cells").iterdir()) == []


@pytest.mark.parametrize("name", ["land_cover", "elevation", "regions"])
def test_a_layer_that_is_not_named_or_not_there_is_refused(data, name):
    (data.path / getattr(data.catalogue, name).path).unlink()
    with pytest.raises(InvalidCatalogue, match=f"which is not in {data.path}"):
        data.aggregate()
    with pytest.raises(InvalidCatalogue, match=f"names no {name}"):
        data.with_(**{name: None}).aggregate()
