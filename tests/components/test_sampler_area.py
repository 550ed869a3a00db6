"""Which cells are wanted: the ground of the land cover, round the Earth and under scenes."""

import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from affine import Affine
from structlog.testing import capture_logs

from eartheye.contracts.catalogue import LandCover, SceneEntry
from eartheye.errors import EmptyArea, InvalidCatalogue
from eartheye.grid import EaseGrid
from tests.components.sampler_data import Data, patches, write


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


def test_longitudes_from_0_to_360_are_the_same_ground(data):
    codes = patches(180, 360, codes=np.arange(17, dtype=np.uint8), side=3)
    heights = np.random.default_rng(0).normal(500, 100, (90, 180)).astype(np.float32)
    data.write_regions([(1, "World", shapely.box(-180, -90, 180, 90))])
    data.with_(land_cover=LandCover(path="cover.tif", legend="igbp"), cell_km=36)
    tables = []
    for name, west in (("from-180", -180), ("from-0", 0)):
        turn = 0 if west else 1
        write(data.path / "cover.tif", np.roll(codes, 180 * turn, axis=1), Affine(1, 0, west, 0, -1, 90), "EPSG:4326", nodata=255)
        write(data.path / "dem.tif", np.roll(heights, 90 * turn, axis=1), Affine(2, 0, west, 0, -2, 90), "EPSG:4326")
        tables.append(data.aggregate(name)[1])
    one, other = tables
    assert len(one) == 964 * 406
    pd.testing.assert_frame_equal(one.drop(columns="elevation_m"), other.drop(columns="elevation_m"))
    away = ((one.lon.abs() > 1) & (one.lon.abs() < 179)).to_numpy()  # the seam of a raster has neighbours on one side only
    assert one.elevation_m[away].to_numpy() == pytest.approx(other.elevation_m[away].to_numpy(), abs=1e-2)


FIJI = 800_000, 8_200_000
"""UTM 60 south, metres: 180 degrees lies 20 km east of it."""


def cells_within(left, bottom, right, top, crs):
    """The cells of the 9 km grid whose centres lie in a box of a projection, looked up cell by cell."""
    grid = EaseGrid(9)
    around = [grid.cells(grid.window(*box)).ravel() for box in ((177, -18, 180, -14), (-180, -18, -177, -14))]
    cell = np.concatenate(around)
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*grid.centre(cell))
    return set(cell[(x > left) & (x < right) & (y > bottom) & (y < top)].tolist())


def test_a_projected_land_cover_across_180_degrees_has_the_cells_on_both_sides(data):
    left, top = FIJI
    codes = np.full((400, 600), 10, np.uint8)
    codes[:, 300:] = 40
    write(data.path / "cover.tif", codes, Affine(300, 0, left, 0, -300, top), "EPSG:32760", nodata=0)
    write(data.path / "dem.tif", np.full((100, 150), 7, np.float32), Affine(1200, 0, left, 0, -1200, top), "EPSG:32760")
    data.write_regions([(1, "World", shapely.box(-180, -90, 180, 90))])
    _, cells = data.with_(cell_km=9).aggregate()
    wanted = cells_within(left, top - 120_000, left + 180_000, top, "EPSG:32760")
    assert (cells.lon > 0).any()
    assert (cells.lon < 0).any()
    assert set(cells.cell) == wanted
    x, _ = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32760", always_xy=True).transform(cells.lon, cells.lat)
    away = np.abs(x - left - 90_000) > 9_000
    assert (cells.land_class[away] == np.where(x < left + 90_000, 1, 3)[away]).all()
    assert (cells.elevation_m == 7).all()


def test_longitudes_that_go_on_beyond_180_or_before_it_are_the_ground_on_the_other_side(data):
    codes = patches(80, 80, codes=np.arange(17, dtype=np.uint8), side=3)
    data.write_regions([(1, "World", shapely.box(-180, -90, 180, 90))])
    data.with_(land_cover=LandCover(path="cover.tif", legend="igbp"), cell_km=36)
    write(data.path / "dem.tif", np.ones((90, 180), np.float32), Affine(2, 0, -180, 0, -2, 90), "EPSG:4326")
    tables = []
    for name, west in (("beyond", 176.0), ("before", -184.0)):
        write(data.path / "cover.tif", codes, Affine(0.1, 0, west, 0, -0.1, -10), "EPSG:4326", nodata=255)
        tables.append(data.aggregate(name)[1])
    pd.testing.assert_frame_equal(*tables)
    assert sorted(np.sign(tables[0].lon).unique()) == [-1, 1]
    assert tables[0].lon.abs().min() > 175


def test_a_land_cover_around_a_pole_is_refused(data):
    write(data.path / "cover.tif", np.full((200, 200), 10, np.uint8), Affine(20_000, 0, -2e6, 0, -20_000, 2e6), "EPSG:3413", nodata=0)
    with pytest.raises(InvalidCatalogue, match="around a pole"):
        data.with_(cell_km=36).aggregate()


@pytest.mark.parametrize(("north", "told"), [(89, "86.0 to 89.0"), (-86, "-89.0 to -86.0")])
def test_a_land_cover_beyond_85_degrees_is_beyond_the_grid(data, north, told):
    write(data.path / "cover.tif", np.full((30, 30), 10, np.uint8), Affine(0.1, 0, 10, 0, -0.1, north), "EPSG:4326", nodata=0)
    with pytest.raises(EmptyArea, match=f"the area, {told} degrees north, lies beyond the grid of the cells, which ends at 85 degrees"):
        data.with_(cell_km=36).aggregate()


def scene(data, name, west_m, north_m, side_px, **entry):
    write(data.path / name, np.ones((3, side_px, side_px), np.uint8), Affine(10, 0, west_m, 0, -10, north_m), "EPSG:32650")
    return SceneEntry(path=name, sensor="rgb", bands=("red", "green", "blue"), **entry)


def test_footprints_narrow_the_area_to_the_scenes_that_are_cut_at_sites(data):
    scenes = (
        scene(data, "a.tif", 500_000, 3_320_000, 200),
        scene(data, "b.tif", 501_000, 3_320_000, 200),
        scene(data, "covered.tif", 499_000, 3_318_000, 200, cut="cover"),
    )
    _, everywhere = data.aggregate("everywhere")
    made, cells = data.with_(scenes=scenes).aggregate("footprints", area="footprints")
    x, y = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32650", always_xy=True).transform(everywhere.lon, everywhere.lat)
    inside = (x > 500_000) & (x < 503_000) & (y > 3_318_000) & (y < 3_320_000)
    pd.testing.assert_frame_equal(cells, everywhere[inside].reset_index(drop=True))
    assert (made.count, made.left_out) == (inside.sum(), {})


def test_a_corrupt_scene_is_told_of_and_leaves_the_others(data):
    scenes = (scene(data, "a.tif", 500_000, 3_320_000, 300), scene(data, "corrupt.tif", 500_000, 3_318_000, 300))
    (data.path / "corrupt.tif").write_bytes(b"II*\0")
    with capture_logs() as logs:
        made, _ = data.with_(scenes=scenes).aggregate(area="footprints")
    assert made.count > 0
    assert [(log["log_level"], log["scene"]) for log in logs] == [("warning", "corrupt.tif")]


def test_without_a_scene_there_are_no_footprints(data):
    with pytest.raises(EmptyArea, match="no readable scene with cut: sites"):
        data.aggregate(area="footprints")


def test_scenes_beside_the_land_cover_are_refused(data):
    with pytest.raises(EmptyArea, match="outside the land cover"):
        data.with_(scenes=(scene(data, "a.tif", 600_000, 3_320_000, 200),)).aggregate(area="footprints")


def test_scenes_that_touch_the_land_cover_at_its_edge_have_no_ground_on_it(data):
    write(data.path / "cover.tif", np.full((30, 30), 10, np.uint8), Affine(0.1, 0, 10, 0, -0.1, 50), "EPSG:4326", nodata=0)
    write(data.path / "a.tif", np.ones((3, 30, 30), np.uint8), Affine(0.1, 0, 13, 0, -0.1, 50), "EPSG:4326")
    beside = SceneEntry(path="a.tif", sensor="rgb", bands=("red", "green", "blue"))
    with pytest.raises(EmptyArea, match="outside the land cover"):
        data.with_(scenes=(beside,)).aggregate(area="footprints")


def test_a_footprint_between_the_centres_of_cells_is_refused(data):
    with pytest.raises(EmptyArea, match="the area holds no cell's centre"):
        data.with_(scenes=(scene(data, "a.tif", 500_100, 3_319_900, 3),)).aggregate(area="footprints")
    assert not (data.path / "cells" / "cells.parquet").exists()
