"""Ground across 180 degrees, where longitudes begin anew."""

import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine
from pyproj import Geod
from rasterio.crs import CRS

from eartheye.date_line import around_the_earth, bounds_around_the_earth
from eartheye.raster.reference import footprint
from eartheye.tiles import footprints

SIDE_PX = 200
ACROSS = {
    "EPSG:32601": Affine(1, 0, 166_063 - 100, 0, -1, 100_000),
    "EPSG:32660": Affine(-1, 0, 833_937 + 100, 0, -1, 100_000),  # columns from east to west
    "EPSG:3857": Affine(1, 0, 20_037_508.34 - 100, 0, -1, 100_000),
    "EPSG:4326": Affine(1e-5, 0, 180 - 1e-3, 0, -1e-5, 0.9),
}
"""Reference systems, and rasters whose middle column lies at 180 degrees."""


def area_m2(ground: shapely.Geometry) -> float:
    return sum(abs(Geod(ellps="WGS84").geometry_area_perimeter(part)[0]) for part in shapely.get_parts(ground))


@pytest.mark.parametrize("crs", ACROSS)
def test_a_raster_across_180_degrees_has_a_part_on_either_side_and_no_belt_around_the_earth(crs):
    whole = footprint(CRS.from_string(crs), ACROSS[crs], SIDE_PX, SIDE_PX)
    assert whole.is_valid
    ground = around_the_earth(whole)
    assert len(shapely.get_parts(ground)) == 2
    assert area_m2(ground) == pytest.approx(area_m2(whole), rel=1e-6)
    assert area_m2(ground) == pytest.approx(SIDE_PX**2 * (1.11**2 if crs == "EPSG:4326" else 1), rel=0.02)
    west, south, east, north = bounds_around_the_earth(whole)
    assert 179.99 < west < 180 < 180.01 < east + 360.011
    assert -180 <= east < -179.99
    assert 0.8 < south < north < 1


def test_bounds_of_ground_elsewhere_are_its_own_and_of_the_whole_earth_all_longitudes():
    assert bounds_around_the_earth(shapely.box(10, 1, 20, 2)) == (10, 1, 20, 2)
    assert bounds_around_the_earth(shapely.box(200, 1, 210, 2)) == (-160, 1, -150, 2)
    assert bounds_around_the_earth(shapely.box(0, -90, 360, 90)) == (-180, -90, 180, 90)


def test_a_tile_across_180_degrees_shares_no_ground_with_one_elsewhere_at_its_latitude():
    places = [*ACROSS.items(), ("EPSG:32631", Affine(1, 0, 500_000, 0, -1, 100_000)), (None, None)]
    index = pd.DataFrame({"crs": [crs for crs, _ in places], "transform": [t and list(t)[:6] for _, t in places]})
    *across, elsewhere, nowhere = footprints(index.assign(height=SIDE_PX, width=SIDE_PX))
    assert nowhere is None
    assert [len(shapely.get_parts(ground)) for ground in across] == [2] * len(ACROSS)
    assert not shapely.intersects(np.array(across), elsewhere).any()
