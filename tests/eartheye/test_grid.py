"""The EASE-Grid 2.0 family against its published definition and against PROJ."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from eartheye.grid import EaseGrid, GridWindow
from eartheye.grid.ease import OUTSIDE, latitude_deg, northing_m

TO_METRES = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)
KM = st.sampled_from([1, 3, 9, 36])
LON = st.floats(-180, 179.999999)
LAT = st.floats(-84.9, 84.9)

# Brodzik et al. 2012 (with the correction of 2014), and the grid definitions of NSIDC
PUBLISHED = {
    36: (964, 406, 36032.220840584),
    9: (3856, 1624, 9008.055210146),
    3: (11568, 4872, 3002.6850700487),
    1: (34704, 14616, 1000.89502334956),
}


def cell_at(grid, lon, lat):
    """Number of the cell in a place's row and column."""
    return grid.row_at(lat) * grid.columns + grid.column_at(lon)


@pytest.mark.parametrize("cell_km", PUBLISHED)
def test_size_and_corner_are_the_published_ones(cell_km):
    grid = EaseGrid(cell_km)
    columns, rows, cell_m = PUBLISHED[cell_km]
    assert (grid.columns, grid.rows) == (columns, rows)
    assert grid.cell_m == pytest.approx(cell_m, abs=1e-8)
    assert grid.upper_left_m == pytest.approx((-17367530.445161499, 7314540.830638599), abs=1e-5)


def test_the_corner_cells_reach_the_published_latitude():
    grid = EaseGrid(36)
    west, _, _, north = grid.polygon(np.array([0]))[0].bounds
    assert (west, north) == pytest.approx((-180.0, 85.0445664), abs=1e-6)


def test_a_width_outside_the_family_is_refused():
    with pytest.raises(ValueError, match="not of 2"):
        EaseGrid(2)


def test_northing_is_that_of_proj():
    lat = np.linspace(-90, 90, 100_001)
    assert np.abs(northing_m(lat) - TO_METRES.transform(np.zeros_like(lat), lat)[1]).max() < 1e-6


@given(st.floats(-89.0, 89.0))
def test_latitude_is_the_inverse_of_northing(lat):
    assert latitude_deg(northing_m(lat)) == pytest.approx(lat, abs=1e-9)


@given(KM, LON, LAT)
def test_a_place_lies_in_the_cell_that_proj_puts_it_in(cell_km, lon, lat):
    grid = EaseGrid(cell_km)
    x, y = TO_METRES.transform(lon, lat)
    left, top = grid.upper_left_m
    column, row = (x - left) / grid.cell_m, (top - y) / grid.cell_m
    if min(column % 1, 1 - column % 1, row % 1, 1 - row % 1) < 1e-6:
        return  # on a border rounding decides
    assert (grid.row_at(lat), grid.column_at(lon)) == (int(row), int(column))


@given(KM, LON, LAT)
def test_a_centre_and_the_polygon_around_it_belong_to_their_cell(cell_km, lon, lat):
    grid = EaseGrid(cell_km)
    cell = cell_at(grid, [lon], [lat])
    centre = grid.centre(cell)
    assert cell_at(grid, *centre) == cell
    polygon = grid.polygon(cell)[0]
    assert polygon.contains(shapely.points(*centre)[0])
    west, south, east, north = polygon.bounds
    assert west - 1e-9 <= lon <= east + 1e-9
    assert south - 1e-9 <= lat <= north + 1e-9


@given(LON, LAT)
def test_the_family_is_nested(lon, lat):
    fine = EaseGrid(1)
    cell = cell_at(fine, lon, lat)
    for cell_km in (3, 9, 36):
        assert fine.block_of(cell, cell_km) == cell_at(EaseGrid(cell_km), *fine.centre(cell))


@pytest.mark.parametrize("lat", [0.0, 30.0, 45.0, 70.0, -80.0])
def test_every_cell_has_the_same_area(lat):
    grid = EaseGrid(1)
    area_m2, _ = Geod(ellps="WGS84").geometry_area_perimeter(grid.polygon(cell_at(grid, [117.0], [lat]))[0])
    assert abs(area_m2) == pytest.approx(grid.cell_m**2, rel=1e-4)


def test_places_beyond_85_degrees_lie_in_no_row():
    assert EaseGrid(1).row_at([85.1, -85.1, 90.0]).tolist() == [OUTSIDE] * 3


def test_longitudes_of_another_turn_are_the_same_meridian():
    grid = EaseGrid(9)
    assert grid.column_at([180.0, -180.0, 190.5, 539.999]).tolist() == grid.column_at([-180.0, 180.0, -169.5, 179.999]).tolist()


@given(KM, LON, LAT, st.floats(0.001, 3), st.floats(0.001, 3))
def test_a_window_holds_the_cells_that_have_a_part_in_the_box(cell_km, west, south, width, height):
    grid = EaseGrid(cell_km)
    box = (west, south, min(west + width, 180.0), min(south + height, 84.95))
    window = grid.window(*box)
    assert cell_at(grid, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2) in grid.cells(window)
    around = grid.bounds(window)
    cell_lon, cell_lat = 360 / grid.columns, around[3] - grid.bounds(GridWindow(window.row, 0, 1, 1))[1]
    assert around[0] - 1e-6 <= box[0] < around[0] + cell_lon
    assert around[2] - cell_lon < box[2] <= around[2] + 1e-6
    assert around[3] - cell_lat - 1e-9 <= box[3] <= around[3] + 1e-6
    assert around[1] <= box[1] + 1e-6


def test_the_box_of_a_cell_is_that_cell():
    grid = EaseGrid(1)
    cell = cell_at(grid, [117.0], [30.0])
    assert grid.cells(grid.window(*grid.polygon(cell)[0].bounds)).tolist() == [cell.tolist()]


def test_a_box_across_the_date_line_goes_around_the_earth():
    assert EaseGrid(36).window(179.0, 0.0, -179.0, 1.0).width == 964


@pytest.mark.parametrize("box", [(0.0, 86.0, 1.0, 87.0), (0.0, 1.0, 1.0, 1.0), (181.0, 0.0, 182.0, 1.0)])
def test_a_box_without_cells_is_refused(box):
    with pytest.raises(ValueError, match="beyond the grid"):
        EaseGrid(36).window(*box)


def test_cell_numbers_of_another_grid_are_refused():
    with pytest.raises(ValueError, match="36 km grid has cells 0 to 391383"):
        EaseGrid(36).centre([391384])


def test_strips_cover_a_window_once():
    window = GridWindow(10, 5, 7, 4)
    assert list(window.strips(8)) == [GridWindow(10, 5, 2, 4), GridWindow(12, 5, 2, 4), GridWindow(14, 5, 2, 4), GridWindow(16, 5, 1, 4)]
    assert next(window.strips(1)).height == 1
    assert list(window.strips(1000)) == [window]


def test_neighbours_share_a_block_and_distant_cells_do_not():
    grid = EaseGrid(1)
    cell = cell_at(grid, [117.0, 117.0, 118.0], [30.0, 30.001, 30.0])
    blocks = grid.block_of(cell, 8)
    assert blocks[0] == blocks[1] != blocks[2]
