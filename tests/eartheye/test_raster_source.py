"""What cannot be opened as a scene, and what its owner is told to do."""

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint

from eartheye.errors import MissingCrs, UnreadableRaster
from eartheye.raster import open_scene


def test_an_empty_file_is_to_be_copied_again(tmp_path):
    (tmp_path / "a.tif").touch()
    with pytest.raises(UnreadableRaster, match="it is empty, copy it again"), open_scene(tmp_path / "a.tif"):
        pass


def test_a_folder_is_no_raster(tmp_path):
    with pytest.raises(UnreadableRaster, match="is not there, or no file"), open_scene(tmp_path):
        pass


@pytest.mark.parametrize("crs", [None, "EPSG:32633"])
def test_ground_control_points_alone_are_to_be_warped_and_not_given_a_reference_system(tmp_path, crs):
    corners = [GroundControlPoint(row, column, 400_000 + column, 5_500_000 - row) for row in (0, 20) for column in (0, 30)]
    with rasterio.open(tmp_path / "a.tif", "w", "GTiff", width=30, height=20, count=1, dtype="uint8") as file:
        file.write(np.ones((1, 20, 30), np.uint8))
        file.gcps = corners, rasterio.CRS.from_epsg(32633)
    told = "ground control points alone: georeference it, as gdalwarp does"
    with pytest.raises(MissingCrs, match=told), open_scene(tmp_path / "a.tif", crs=crs):
        pass
