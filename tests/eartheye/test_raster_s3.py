"""Scenes read where they lie in a bucket."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from eartheye.errors import UnreadableRaster
from eartheye.raster import CogSpec, open_scene, write_cog
from eartheye.store import Folder

pytestmark = pytest.mark.server


@pytest.fixture
def scene_of(s3_bucket, tmp_path):
    pixels = np.random.default_rng(0).integers(1, 255, (1, 900, 900), dtype=np.uint8)
    here = Affine(2.0, 0, 500_000, 0, -2.0, 3_300_000)
    spec = CogSpec(crs=CRS.from_epsg(32650), transform=here, width=900, height=900, dtype="uint8", bands=("pan",))
    write_cog(tmp_path / "a.tif", pixels, spec)
    Folder(f"{s3_bucket}/scenes").upload("a b,c.tif", tmp_path / "a.tif")
    return f"{s3_bucket}/scenes/a b,c.tif", pixels


def test_threads_read_windows_of_a_scene_in_a_bucket(scene_of):
    uri, pixels = scene_of
    with open_scene(uri) as scene, ThreadPoolExecutor(3) as pool:
        parts = pool.map(lambda row: scene.read(Window(100, row, 300, 50))[0], range(0, 850, 50))
        for row, part in zip(range(0, 850, 50), parts, strict=True):
            assert np.array_equal(part, pixels[:, row : row + 50, 100:400])


def test_a_scene_that_is_not_in_the_bucket_is_refused(scene_of):
    with pytest.raises(UnreadableRaster, match="is not there"), open_scene(scene_of[0].replace("a b", "b")):
        pass
