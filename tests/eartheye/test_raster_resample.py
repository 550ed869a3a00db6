"""Scenes read on another grid."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import Resampling

from eartheye.errors import WrongBands
from eartheye.raster import open_scene, read_on_grid

UTM = CRS.from_epsg(32650)
HERE = Affine(2.0, 0, 500_000, 0, -2.0, 3_300_000)


@pytest.fixture
def ramp(tmp_path):
    """A float scene whose two bands are the easting and the northing of each pixel, with a hole of nodata."""
    column, row = np.meshgrid(np.arange(200) + 0.5, np.arange(150) + 0.5)
    pixels = np.stack(HERE @ np.stack([column, row])).astype(np.float32) - np.array([500_000, 3_299_700], np.float32)[:, None, None]
    pixels[:, 60:70, 80:90] = -9999
    path = tmp_path / "ramp.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=200, height=150, count=2, dtype="float32", crs=UTM, transform=HERE, nodata=-9999
    ) as file:
        file.write(pixels)
    with open_scene(path, bands=("x", "y")) as scene:
        yield scene, pixels


def test_the_scenes_own_grid_is_read_as_it_is(ramp):
    scene, pixels = ramp
    shifted = HERE @ Affine.translation(-10, 20)
    read, valid = read_on_grid(scene, UTM, shifted, 100, 120, Resampling.cubic)
    assert np.array_equal(read[:, :, 10:][:, valid[:, 10:]], pixels[:, 20:120, :110][:, valid[:, 10:]])
    assert not valid[:, :10].any()
    assert valid[:, 10:].sum() == 100 * 110 - 100


def test_a_shifted_finer_grid_is_interpolated(ramp):
    scene, _ = ramp
    grid = Affine(1.3, 0, 500_040.5, 0, -1.3, 3_299_960.2)
    read, valid = read_on_grid(scene, UTM, grid, 60, 70)
    column, row = np.meshgrid(np.arange(70) + 0.5, np.arange(60) + 0.5)
    x, y = grid @ np.stack([column, row])
    assert valid.all()
    assert np.abs(read[0] - (x - 500_000)).max() < 0.02
    assert np.abs(read[1] - (y - 3_299_700)).max() < 0.02


def test_a_grid_of_another_reference_system_shows_the_same_ground(ramp):
    scene, _ = ramp
    lon, lat = Transformer.from_crs(UTM.to_wkt(), "EPSG:4326", always_xy=True).transform(500_050, 3_299_950)
    grid = Affine(2e-5, 0, lon, 0, -2e-5, lat)
    read, valid = read_on_grid(scene, CRS.from_epsg(4326), grid, 40, 40, bands=("y", "x"))
    column, row = np.meshgrid(np.arange(40) + 0.5, np.arange(40) + 0.5)
    x, y = Transformer.from_crs("EPSG:4326", UTM.to_wkt(), always_xy=True).transform(*(grid @ np.stack([column, row])))
    assert valid.all()
    assert np.abs(read[1] - (x - 500_000)).max() < 0.3  # GDAL places pixels to within an eighth of one
    assert np.abs(read[0] - (y - 3_299_700)).max() < 0.3


def test_a_hole_stays_a_hole_and_does_not_bleed(ramp):
    scene, _ = ramp
    read, valid = read_on_grid(scene, UTM, HERE @ Affine.translation(0.5, 0.5), 150, 200)
    assert 80 <= (~valid[50:80, 70:100]).sum() <= 130
    assert read[:, valid].min() > -1
    assert not read[:, ~valid].any()


def test_a_coarser_grid_keeps_the_mean(ramp):
    scene, pixels = ramp
    read, valid = read_on_grid(scene, UTM, HERE @ Affine.scale(10), 5, 8, Resampling.average)
    assert valid.all()
    assert read[0] == pytest.approx(pixels[0, :50, :80].reshape(5, 10, 8, 10).mean(axis=(1, 3)), rel=1e-5)


def test_a_grid_elsewhere_has_no_data(ramp):
    scene, _ = ramp
    read, valid = read_on_grid(scene, UTM, Affine(1.5, 0, 600_000, 0, -1.5, 3_300_000), 10, 12)
    assert (read.shape, read.any(), valid.any()) == ((2, 10, 12), False, False)
    assert not read_on_grid(scene, CRS.from_epsg(4326), Affine(0.1, 0, -60, 0, -0.1, -30), 10, 12)[1].any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_integers_are_interpolated_with_their_holes(tmp_path, dtype):
    pixels = np.full((1, 50, 50), 100, dtype)
    pixels[:, :, :20] = 0
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", driver="GTiff", width=50, height=50, count=1, dtype=dtype, crs=UTM, transform=HERE, nodata=0) as file:
        file.write(pixels)
    with open_scene(path) as scene:
        read, valid = read_on_grid(scene, UTM, HERE @ Affine.translation(0.3, 0.3), 40, 40)
    assert np.unique(read[:, valid]).tolist() == [100]
    assert not valid[:, :19].any()
    assert valid[:, 20:].all()


def test_a_band_that_is_not_there_is_refused(ramp):
    with pytest.raises(WrongBands, match="bands red are wanted"):
        read_on_grid(ramp[0], UTM, HERE @ Affine.scale(3), 4, 4, bands=("red",))
