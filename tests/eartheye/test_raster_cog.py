"""Cloud Optimized GeoTIFF as it is written, and what is left when there is no room for it."""

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from eartheye.contracts import ClassSpec
from eartheye.errors import StoreFull
from eartheye.raster import CogSpec, open_scene, write_cog
from tests.limits import file_size_limit

WIDTH, HEIGHT = 1300, 1100
CLASSES = (ClassSpec(value=1, name="building", colour="#c81e1e"), ClassSpec(value=3, name="water", colour="#1e5ac8"))


def spec(**fields):
    plain = {"crs": CRS.from_epsg(32650), "transform": Affine(0.75, 0, 500_000, 0, -0.75, 3_300_000), "width": WIDTH, "height": HEIGHT}
    return CogSpec.model_validate(plain | {"dtype": "uint8", "bands": ("red", "green", "blue")} | fields)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(1, 255, (3, HEIGHT, WIDTH), dtype=np.uint8)


def test_an_image_is_a_valid_cog_with_its_description(tmp_path, pixels):
    path = tmp_path / "new" / "a.tif"
    write_cog(path, pixels, spec(nodata=0, tags={"ATTRIBUTION": "A & B <c>"}))
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as file:
        assert (file.crs, file.transform) == (CRS.from_epsg(32650), Affine(0.75, 0, 500_000, 0, -0.75, 3_300_000))
        assert (file.nodata, file.overviews(1), file.block_shapes[0]) == (0, [2, 4], (512, 512))
        assert file.tags()["ATTRIBUTION"] == "A & B <c>"
        assert file.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert np.array_equal(file.read(), pixels)
        half = file.read(1, out_shape=(HEIGHT // 2, WIDTH // 2))
    means = pixels[0].reshape(HEIGHT // 2, 2, WIDTH // 2, 2).mean(axis=(1, 3))
    assert np.abs(half - means).max() <= 1
    assert [path.name for path in path.parent.iterdir()] == ["a.tif"]


def test_bands_keep_their_names_for_the_scene_reader(tmp_path):
    four = np.ones((4, HEIGHT, WIDTH), np.uint16)
    write_cog(tmp_path / "a.tif", four, spec(dtype="uint16", bands=("red", "green", "blue", "nir")))
    with open_scene(tmp_path / "a.tif") as scene:
        assert (scene.bands, scene.dtype) == (("red", "green", "blue", "nir"), "uint16")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.colorinterp[3] == ColorInterp.nir


def test_classes_have_colours_names_and_overviews_of_the_most_frequent(tmp_path):
    classes = np.ones((1, HEIGHT, WIDTH), np.uint8)
    classes[:, ::2, ::2] = 3  # a quarter of the pixels: the mean would be 1.5, the nearest 3
    write_cog(tmp_path / "a.tif", classes, spec(bands=("class",), nodata=0, classes=CLASSES))
    assert cog_validate(tmp_path / "a.tif", strict=True) == (True, [], [])
    with rasterio.open(tmp_path / "a.tif") as file:
        assert (file.colormap(1)[1], file.colormap(1)[3]) == ((200, 30, 30, 255), (30, 90, 200, 255))
        assert (file.tags()["CLASS_1"], file.tags()["CLASS_3"]) == ("building", "water")
        assert file.colorinterp == (ColorInterp.palette,)
        assert np.unique(file.read(1, out_shape=(HEIGHT // 2, WIDTH // 2))).tolist() == [1]
        assert np.array_equal(file.read(), classes)


def test_windows_in_any_order_make_the_same_bytes_as_the_whole(tmp_path, pixels):
    windows = [Window(c, r, min(333, WIDTH - c), min(271, HEIGHT - r)) for r in range(0, HEIGHT, 271) for c in range(0, WIDTH, 333)]
    parts = [(w, pixels[(slice(None), *w.toslices())]) for w in windows]
    write_cog(tmp_path / "whole.tif", pixels, spec())
    write_cog(tmp_path / "parts.tif", iter(parts[::-1]), spec())
    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("whole.tif", "parts.tif")}
    assert len(digests) == 1


def test_ground_that_nothing_was_painted_on_has_no_data(tmp_path):
    window = Window(100, 200, 50, 60)
    write_cog(tmp_path / "a.tif", [(window, np.full((1, 60, 50), 7.5, np.float32))], spec(dtype="float32", bands=("height",), nodata=-1.0))
    with open_scene(tmp_path / "a.tif") as scene:
        read, valid = scene.read(Window(0, 0, WIDTH, HEIGHT))
    assert valid.sum() == 50 * 60
    assert (read[0][window.toslices()] == 7.5).all()


def test_pixels_of_another_type_are_not_cast(tmp_path):
    with pytest.raises(TypeError, match="Cannot cast"):
        write_cog(tmp_path / "a.tif", np.zeros((3, HEIGHT, WIDTH), np.int64), spec())
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_file(tmp_path, pixels):
    write_cog(tmp_path / "a.tif", pixels, spec())
    before = (tmp_path / "a.tif").read_bytes()

    def windows():
        yield Window(0, 0, 10, 10), pixels[:, :10, :10]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_cog(tmp_path / "a.tif", windows(), spec())
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.tif", before)]


KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
from rasterio.windows import Window
from eartheye.raster import write_cog
from tests.eartheye.test_raster_cog import spec

def windows():
    yield Window(0, 0, 10, 10), np.ones((3, 10, 10), np.uint8)
    os.kill(os.getpid(), signal.SIGKILL)

write_cog(Path(sys.argv[1]), windows(), spec())
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path, pixels):
    command = [sys.executable, "-c", KILLED, tmp_path / "a.tif"]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / ".a.tif-empty").mkdir()
    (tmp_path / ".b.tif-other").mkdir()
    write_cog(tmp_path / "a.tif", pixels, spec())
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.tif-other", "a.tif"]


def test_two_writers_of_one_file_leave_each_other_alone(tmp_path, pixels):
    whole = Window(0, 0, WIDTH, HEIGHT)

    def windows():
        write_cog(tmp_path / "a.tif", pixels[::-1], spec())
        yield whole, pixels

    write_cog(tmp_path / "a.tif", windows(), spec())
    with rasterio.open(tmp_path / "a.tif") as file:
        assert np.array_equal(file.read(), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


RAW = 3 * HEIGHT * WIDTH


@pytest.mark.parametrize("size", [RAW // 2, RAW + 1, int(RAW * 1.1), int(RAW * 1.3)])
def test_a_limit_met_anywhere_in_the_file_leaves_nothing(tmp_path, pixels, size):
    with file_size_limit(size), pytest.raises(StoreFull, match="free space, raise the limit"):
        write_cog(tmp_path / "a.tif", pixels, spec())
    assert list(tmp_path.iterdir()) == []


def test_the_last_byte_that_does_not_fit_is_noticed(tmp_path, pixels):
    write_cog(tmp_path / "a.tif", pixels, spec())
    size = (tmp_path / "a.tif").stat().st_size
    (tmp_path / "a.tif").unlink()
    for missing in (1, 1000, 100_000):
        with file_size_limit(size - missing), pytest.raises(StoreFull):
            write_cog(tmp_path / "a.tif", pixels, spec())
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("height", [500, 1000])
def test_a_full_disk_leaves_nothing(small_disk, height):
    noise = np.random.default_rng(0).integers(0, 255, (3, height, WIDTH), dtype=np.uint8)
    with pytest.raises(StoreFull, match="no room to write"):
        write_cog(small_disk / "a.tif", noise[:, :, :1250], spec(height=height, width=1250))
    assert list(small_disk.iterdir()) == []
