"""The file of a map's polygons."""

import json

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import shapely
from rasterio.crs import CRS

from eartheye.blocks import Polygons
from services.inference.vector_map import write_polygons
from tests.services.inference.place import CLASSES

SQUARES = shapely.box(
    [400_000, 400_100, 400_200], [5_500_000, 5_500_100, 5_500_200], [400_010, 400_101, 400_220], [5_500_010, 5_500_101, 5_500_220]
)
GROUPS = [
    Polygons(np.array([1, 3], np.uint8), SQUARES[:2]),
    Polygons(np.array([9], np.uint8), SQUARES[2:]),
    Polygons(np.empty(0, np.uint8), np.empty(0, object)),
]


def written(path, groups, min_area_m2=0.0):
    with path.open("wb") as file:
        write_polygons(file, iter(groups), CRS.from_epsg(32633), CLASSES, min_area_m2)
    return pq.read_metadata(path)


def test_groups_of_polygons_are_row_groups_of_one_geoparquet_file(tmp_path):
    metadata = written(tmp_path / "polygons.parquet", GROUPS)
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [2, 1]
    table = gpd.read_parquet(tmp_path / "polygons.parquet")
    assert (table["class"].tolist(), table["name"].tolist()) == ([1, 3, 9], ["forest", "water", "other"])
    np.testing.assert_allclose(table["area_m2"], [100, 1, 400], rtol=2e-3)
    assert table.geometry.to_numpy().tolist() == SQUARES.tolist()
    assert table.crs.to_epsg() == 32633
    described = json.loads(metadata.metadata[b"geo"])
    assert described["primary_column"] == "geometry"
    column = described["columns"]["geometry"]
    assert (column["encoding"], column["geometry_types"]) == ("WKB", ["Polygon"])
    assert column["bbox"] == [400_000, 5_500_000, 400_220, 5_500_220]


def test_the_extent_is_that_of_the_polygons_that_are_large_enough(tmp_path):
    metadata = written(tmp_path / "polygons.parquet", GROUPS, min_area_m2=200.0)
    assert json.loads(metadata.metadata[b"geo"])["columns"]["geometry"]["bbox"] == [400_200, 5_500_200, 400_220, 5_500_220]
    assert gpd.read_parquet(tmp_path / "polygons.parquet")["class"].tolist() == [9]


def test_a_map_without_polygons_has_an_empty_table(tmp_path):
    written(tmp_path / "polygons.parquet", GROUPS, min_area_m2=1000.0)
    table = gpd.read_parquet(tmp_path / "polygons.parquet")
    assert (len(table), table.columns.tolist(), table.crs.to_epsg()) == (0, ["class", "name", "area_m2", "geometry"], 32633)
