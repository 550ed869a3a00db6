"""How a worker reads a scene for a model."""

import numpy as np
import rasterio

from eartheye.blocks import Window
from eartheye.contracts import ImageSpec
from eartheye.raster import open_scene
from eartheye.store import Folder
from services.inference.worker import read_images
from tests.services.inference.place import write_package, write_scene


def test_a_model_is_given_its_own_bands_normalised_and_the_mean_where_there_is_no_data(tmp_path):
    write_scene(tmp_path / "scene.tif")
    mean, std = (100.0, 110.0, 120.0), (20.0, 30.0, 40.0)
    image = ImageSpec(bands=("blue", "red", "green"), dtype="uint8", mean=mean, std=std, gsd_m=None, gsd_range_m=None)
    package = write_package(Folder(tmp_path / "serving"), image=image)
    with rasterio.open(tmp_path / "scene.tif") as file:
        pixels = file.read([3, 1, 2])[:, 60:100, 70:120].astype(float)
    wanted = (pixels - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    wanted[:, :10, :10] = 0  # the scene has no data above row 70 and left of column 80
    with open_scene(tmp_path / "scene.tif") as scene:
        images, valid = read_images(scene, package)(Window(70, 60, 50, 40))
    np.testing.assert_allclose(images, wanted, atol=1e-5)
    assert np.argwhere(~valid).tolist() == np.argwhere(np.ones((10, 10))).tolist()
