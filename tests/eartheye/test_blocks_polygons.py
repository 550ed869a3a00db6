"""Polygons of blocks, merged, are the polygons of one pass."""

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from eartheye.blocks import Polygons, Window, cut_blocks, geodesic_area_m2, polygonise, polygons
from eartheye.errors import MissingCrs

PIXELS = Affine.identity()


def blocks_of(classes, block_px, column=0, row=0):
    return [block.window for block in cut_blocks(Window(column, row, classes.shape[1], classes.shape[0]), block_px, (1, 1))]


def read(classes):
    return lambda window: classes[window.row : window.bottom, window.column : window.right]


def polygonised(classes, blocks, transform=PIXELS):
    """Polygons of all groups."""
    groups = list(polygonise(read(classes), blocks, transform))
    return Polygons(np.concatenate([group.value for group in groups]), np.concatenate([group.geometry for group in groups]))


def in_one_pass(classes):
    """Polygons as GDAL makes them, by class value and in a form that can be compared."""
    areas = rasterio.features.shapes(classes, mask=classes > 0, connectivity=4)
    return sorted((int(value), shapely.normalize(shapely.geometry.shape(area)).wkb) for area, value in areas)


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**31), st.sampled_from([0.3, 0.6, 0.9]))
def test_blocks_of_any_size_give_the_polygons_of_one_pass(height, width, block_px, seed, share):
    random = np.random.default_rng(seed)
    classes = np.where(random.random((height, width)) < share, 1, random.integers(0, 4, (height, width))).astype(np.uint8)
    found = polygonised(classes, blocks_of(classes, block_px))
    assert sorted(zip(found.value.tolist(), shapely.to_wkb(shapely.normalize(found.geometry)), strict=True)) == in_one_pass(classes)
    assert shapely.is_valid(found.geometry).all()


@pytest.mark.parametrize("block_px", [3, 7, 64])
def test_order_and_vertices_do_not_depend_on_the_blocks(block_px):
    classes = np.random.default_rng(5).integers(0, 3, (30, 41)).astype(np.uint8)
    transform = Affine(0.31, 0.02, 500_000.7, 0.03, -0.29, 4_000_000.1)
    whole = polygonised(classes, blocks_of(classes, 1000), transform)
    blocked = polygonised(classes, blocks_of(classes, block_px), transform)
    assert blocked.value.tolist() == whole.value.tolist()
    assert shapely.to_wkb(blocked.geometry).tolist() == shapely.to_wkb(whole.geometry).tolist()


@pytest.mark.parametrize("arranged", [list, reversed, lambda blocks: [block for block in blocks if block != Window(17, 17, 17, 17)]])
def test_groups_of_parts_of_blocks_in_any_order_give_the_polygons_of_one_pass(arranged, monkeypatch):
    classes = np.random.default_rng(2).integers(0, 3, (60, 45)).astype(np.uint8)
    classes[17:34, 17:34] = 0  # an empty block need not be among them
    monkeypatch.setattr(polygons, "PART_PX", 6)
    monkeypatch.setattr(polygons, "GROUP", 50)
    groups = list(polygonise(read(classes), arranged(blocks_of(classes, 17)), PIXELS))
    found = sorted((value, area.wkb) for group in groups for value, area in zip(group.value.tolist(), group.geometry, strict=True))
    assert found == in_one_pass(classes)
    assert min(len(group.value) for group in groups[:-1]) >= 50


def test_an_area_is_handed_out_when_nothing_to_come_adds_to_it(monkeypatch):
    classes = np.zeros((40, 20), np.uint8)
    classes[2:14, 4:16] = 1  # in four blocks
    classes[8:40, 18] = 2  # to the last row
    classes[35, 3] = 3
    monkeypatch.setattr(polygons, "GROUP", 1)
    seen = []

    def noting(window):
        seen.append(window.row)
        return read(classes)(window)

    handed_out = [(group.value.tolist(), seen[-1]) for group in polygonise(noting, blocks_of(classes, 10), PIXELS)]
    assert handed_out == [([1], 10), ([3], 30), ([2], 30), ([], 30)]


def test_a_ring_road_through_many_blocks_is_one_polygon_with_a_hole():
    classes = np.zeros((100, 100), np.uint8)
    classes[10:90, 10:90] = 7
    classes[20:80, 20:80] = 0
    found = polygonised(classes, blocks_of(classes, 16), Affine.translation(5, 3))
    outer = shapely.box(15, 13, 95, 93)
    assert found.value.tolist() == [7]
    assert found.geometry[0].equals(outer - shapely.box(25, 23, 85, 83))
    assert len(found.geometry[0].exterior.coords) == 5


def test_areas_that_meet_at_a_corner_of_blocks_stay_apart():
    classes = np.array([[1, 0], [0, 1]], np.uint8)
    assert len(polygonised(classes, blocks_of(classes, 1), PIXELS).geometry) == 2


def test_a_map_without_classes_has_no_polygons():
    classes = np.zeros((20, 20), np.uint8)
    found = polygonised(classes, blocks_of(classes, 8))
    assert (len(found.value), len(found.geometry)) == (0, 0)


def test_areas_are_those_of_the_ellipsoid_in_any_reference_system():
    square = np.array([shapely.box(500_000, 5_500_000, 501_000, 5_502_000) - shapely.box(500_200, 5_500_200, 500_400, 5_500_400)])
    utm = CRS.from_epsg(32633)
    expected_m2 = (2_000_000 - 40_000) / 0.9996**2  # scale on the central meridian
    assert geodesic_area_m2(square, utm) == pytest.approx([expected_m2], rel=1e-5)
    for epsg in (4326, 3857):
        moved = Transformer.from_crs(utm, epsg, always_xy=True)
        placed = shapely.transform(square, lambda xy, moved=moved: np.stack(moved.transform(*xy.T), axis=1))
        assert geodesic_area_m2(placed, CRS.from_epsg(epsg)) == pytest.approx([expected_m2], rel=1e-5)


def test_a_local_reference_system_has_no_areas():
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    with pytest.raises(MissingCrs, match="no place on Earth"):
        geodesic_area_m2(np.array([shapely.box(0, 0, 1, 1)]), local)
