"""What cannot be opened as a scene, and what its owner is told to do."""

import numpy as np
import pytest
import rasterio
import rasterio.windows
from rasterio.control import GroundControlPoint

from eartheye.errors import MissingCrs, UnreadableRaster, WrongBands
from eartheye.raster import open_scene


def test_an_empty_file_is_to_be_copied_again(tmp_path):
    (tmp_path / "a.tif").touch()
    with pytest.raises(UnreadableRaster, match="it is empty, copy it again"), open_scene(tmp_path / "a.tif"):
        pass


def test_a_folder_is_no_raster(tmp_path):
    with pytest.raises(UnreadableRaster, match="is not there, or no file"), open_scene(tmp_path):
        pass


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("crs", [None, "EPSG:32633"])
def test_ground_control_points_alone_are_to_be_warped_and_not_given_a_reference_system(tmp_path, crs):
    corners = [GroundControlPoint(row, column, 400_000 + column, 5_500_000 - row) for row in (0, 20) for column in (0, 30)]
    with rasterio.open(tmp_path / "a.tif", "w", "GTiff", width=30, height=20, count=1, dtype="uint8") as file:
        file.write(np.ones((1, 20, 30), np.uint8))
        file.gcps = corners, rasterio.CRS.from_epsg(32633)
    told = "ground control points alone: georeference it, as gdalwarp does"
    with pytest.raises(MissingCrs, match=told), open_scene(tmp_path / "a.tif", crs=crs):
        pass


def test_an_image_of_palette_colours_is_to_be_turned_into_bands(tmp_path):
    profile = {"width": 30, "height": 20, "count": 1, "dtype": "uint8", "photometric": "palette", "crs": "EPSG:32633"}
    with rasterio.open(tmp_path / "a.tif", "w", "GTiff", transform=rasterio.Affine(1, 0, 400_000, 0, -1, 5_500_000), **profile) as file:
        file.write(np.ones((1, 20, 30), np.uint8))
        file.write_colormap(1, {1: (10, 200, 30, 255)})
    told = "the image has palette: turn it into bands with gdal_translate -expand rgb"
    with open_scene(tmp_path / "a.tif") as scene, pytest.raises(WrongBands, match=told):
        scene.read(rasterio.windows.Window(0, 0, 30, 20), ("red", "green", "blue"))
