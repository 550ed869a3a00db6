"""Polygons of a map against those of the truth: pairs, shares, and the ground that they are compared on."""

import itertools

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from services.demo.report.agreement import cut_out, match_polygons, pixel_iou
from services.demo.report.map_figures import MappedScene, burn_truth
from services.demo.report.map_section import hold
from services.demo.report.unseen import unseen_ground


def squares_on_a_lattice(seed: int, count: int) -> np.ndarray:
    """Squares that do not touch each other, each in a lattice cell of 10 m, shifted and sized by chance."""
    random = np.random.default_rng(seed)
    cells = random.permutation(64)[:count]
    left, bottom = cells % 8 * 10 + random.uniform(0, 3, count), cells // 8 * 10 + random.uniform(0, 3, count)
    side = random.uniform(3, 7, count)
    return shapely.box(left, bottom, left + side, bottom + side)


@pytest.mark.parametrize("seed", range(8))
def test_pairs_of_polygons_apart_are_those_that_every_comparison_finds(seed):
    found, truth = squares_on_a_lattice(seed, 40), squares_on_a_lattice(seed + 100, 35)
    expected = {
        (i, j)
        for (i, a), (j, b) in itertools.product(enumerate(found), enumerate(truth))
        if a.intersection(b).area / a.union(b).area >= 0.5
    }
    matches = match_polygons(found, truth)
    assert {(i, j) for i, j in enumerate(matches.of_found.tolist()) if j >= 0} == expected
    assert {(i, j) for j, i in enumerate(matches.of_truth.tolist()) if i >= 0} == expected
    assert expected
    assert matches.precision == len(expected) / 40
    assert matches.recall == len(expected) / 35


def test_an_object_mapped_twice_counts_once_for_the_better_polygon():
    truth = shapely.box([0], [0], [10], [10])
    found = shapely.box([0, 0], [0, 0], [10, 10], [7, 9])
    matches = match_polygons(found, truth)
    assert matches.of_found.tolist() == [-1, 0]
    assert matches.of_truth.tolist() == [1]
    assert (matches.count, matches.precision, matches.recall) == (1, 0.5, 1.0)


def test_a_pair_may_have_the_least_overlap_and_not_less():
    truth = shapely.box([0], [0], [10], [10])
    assert match_polygons(shapely.box([0], [0], [5], [10]), truth).count == 1
    assert match_polygons(shapely.box([0], [0], [4.9], [10]), truth).count == 0


def test_shares_of_nothing_are_undefined():
    nothing, one = shapely.box([], [], [], []), shapely.box([0], [0], [1], [1])
    assert (match_polygons(nothing, one).precision, match_polygons(nothing, one).recall) == (None, 0.0)
    assert (match_polygons(one, nothing).precision, match_polygons(one, nothing).recall) == (0.0, None)
    assert pixel_iou(np.zeros(4, bool), np.zeros(4, bool)) is None
    assert pixel_iou(np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)) == pytest.approx(1 / 3)


def test_what_the_edge_of_the_ground_cuts_apart_is_two_and_what_only_touches_is_none():
    ground = shapely.union(shapely.box(0, 0, 4, 10), shapely.box(6, 0, 10, 10))
    pieces = cut_out(shapely.box([2, 10, 20], [2, 0, 0], [8, 12, 22], [4, 10, 10]), ground)
    assert sorted(shapely.area(pieces).tolist()) == [4.0, 4.0]


def tile_index(corners: list[tuple[float, float]], side_m: float = 100.0) -> pd.DataFrame:
    """Tiles of 100 px whose upper left corners these are, in UTM zone 16 north."""
    pixel = side_m / 100
    return pd.DataFrame(
        {
            "crs": ["EPSG:32616"] * len(corners),
            "transform": [[pixel, 0.0, west, 0.0, -pixel, north] for west, north in corners],
            "height": 100,
            "width": 100,
        }
    )


def test_unseen_is_the_ground_of_the_test_that_no_other_part_shows():
    west, north = 733_600.0, 3_725_100.0
    index = tile_index([(west, north), (west + 100, north), (west + 150, north), (west + 5000, north)])
    parts = pd.DataFrame({"tile": [0, 1, 2, 3], "part": ["train", "test", "validation", "test"]})
    extent = shapely.box(west, north - 100, west + 250, north)
    unseen = unseen_ground(index, parts, CRS.from_epsg(32616), extent)
    assert shapely.symmetric_difference(unseen, shapely.box(west + 100, north - 100, west + 150, north)).area < 0.1


def test_images_without_georeference_leave_no_unseen_ground():
    index = tile_index([(0.0, 0.0)]).assign(crs=None, transform=None)
    parts = pd.DataFrame({"tile": [0], "part": ["test"]})
    assert unseen_ground(index, parts, CRS.from_epsg(32616), shapely.box(0, 0, 1, 1)).is_empty


def test_a_map_is_held_against_the_truth_on_the_ground_asked_for_alone():
    west, north = 733_600.0, 3_725_100.0
    true = shapely.box(west + np.array([2, 12]), north - np.array([8, 8]), west + np.array([8, 18]), north - np.array([2, 2]))
    mapped = shapely.box(
        west + np.array([3, 12, 1]), north - np.array([8, 8, 19]), west + np.array([8, 14, 2]), north - np.array([2, 2, 18])
    )
    picture, empty = np.zeros((20, 20, 3), np.uint8), np.ones((20, 20), np.uint8)
    scene = MappedScene(picture, empty, Affine(1, 0, west, 0, -1, north), CRS.from_epsg(32616), 1.0)
    overview = MappedScene(picture, burn_truth(mapped, 1, 2, scene), scene.transform, scene.crs, 1.0)
    left = shapely.box(west, north - 20, west + 10, north)
    held = hold(geopandas.GeoSeries(mapped, crs="EPSG:32616"), true, left, 4.0, 2, overview, burn_truth(true, 1, 2, scene))
    assert held.area_m2 == pytest.approx(200, rel=2e-3)
    assert held.share == 0.5
    assert (len(held.found), len(held.truth), held.matches.count) == (1, 1, 1)
    assert held.iou == pytest.approx(30 / 37)
