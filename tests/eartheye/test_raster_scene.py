"""Scenes read from real files: windows, masks, names of bands, ground sampling distance, and what is refused."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from eartheye.errors import EmptyArea, MissingCrs, UnreadableRaster, WrongBands
from eartheye.raster import open_scene, select_bands

UTM = "EPSG:32650"
HERE = Affine(2.0, 0, 500_000, 0, -2.0, 3_300_000)


def write(path, pixels, crs=UTM, transform=HERE, colours=None, names=None, mask=None, **profile):
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64} | profile
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", width=width, height=height, count=count, dtype=pixels.dtype, crs=crs, transform=transform, **profile
        ) as file,
    ):
        file.write(pixels)
        if colours:
            file.colorinterp = colours
        for number, name in enumerate(names or (), 1):
            file.set_band_description(number, name)
        if mask is not None:
            file.write_mask(mask)
    return path


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(1, 255, (3, 100, 130), dtype=np.uint8)


@pytest.fixture
def rgb(tmp_path, pixels):
    return write(tmp_path / "rgb.tif", pixels, colours=[ColorInterp.red, ColorInterp.green, ColorInterp.blue])


def test_a_window_has_the_files_pixels(rgb, pixels):
    with open_scene(rgb) as scene:
        read, valid = scene.read(Window(10, 20, 70, 60))
        assert (scene.width, scene.height, scene.dtype, scene.block_shape) == (130, 100, "uint8", (64, 64))
        assert (scene.crs, scene.transform, scene.gsd_m) == (CRS.from_epsg(32650), HERE, 2.0)
    assert np.array_equal(read, pixels[:, 20:80, 10:80])
    assert valid.all()


@pytest.mark.parametrize("corner", [(-30, -20), (100, 80), (-30, 80), (100, -20)])
def test_ground_beyond_the_raster_has_no_data(rgb, pixels, corner):
    column, row = corner
    with open_scene(rgb) as scene:
        read, valid = scene.read(Window(column, row, 60, 50))
    padded = np.pad(pixels, ((0, 0), (60, 60), (60, 60)))
    assert np.array_equal(read, padded[:, row + 60 : row + 110, column + 60 : column + 120])
    assert np.array_equal(valid, (read > 0).all(axis=0))


def test_a_window_apart_from_the_raster_is_all_without_data(rgb):
    with open_scene(rgb) as scene:
        read, valid = scene.read(Window(500, 700, 8, 9))
    assert (read.shape, valid.any()) == ((3, 9, 8), False)


def test_bands_come_in_the_order_asked_for(rgb, pixels):
    with open_scene(rgb) as scene:
        read, _ = scene.read(Window(0, 0, 130, 100), ("blue", "red", "red"))
        with pytest.raises(WrongBands, match="bands nir are wanted, the image has red, green, blue"):
            scene.read(Window(0, 0, 4, 4), ("nir",))
    assert np.array_equal(read, pixels[[2, 0, 0]])


def test_a_window_without_extent_is_refused(rgb):
    with open_scene(rgb) as scene, pytest.raises(EmptyArea, match="choose a larger area"):
        scene.read(Window(0, 0, 0, 5))


def test_descriptions_are_names_before_colours(tmp_path, pixels):
    with open_scene(write(tmp_path / "a.tif", pixels, names=["B04", "B03", "B02"])) as scene:
        assert scene.bands == ("B04", "B03", "B02")


def test_nothing_is_guessed_about_bands_the_file_says_nothing_of(tmp_path, pixels):
    four = write(tmp_path / "four.tif", np.concatenate([pixels, pixels[:1]]), photometric="MINISBLACK")
    with open_scene(four) as scene:
        assert scene.bands == ("band-1", "band-2", "band-3", "band-4")
    with open_scene(write(tmp_path / "grey.tif", pixels[:1])) as scene:
        assert scene.bands == ("pan",)
    with open_scene(four, bands=("red", "green", "blue", "nir")) as scene:
        assert scene.bands == ("red", "green", "blue", "nir")


@pytest.mark.parametrize("names", [("red", "green"), ("red", "green", "blue", "nir")])
def test_another_number_of_names_than_bands_is_refused(rgb, names):
    with pytest.raises(WrongBands, match=f"has 3 bands, names were given for {len(names)}"), open_scene(rgb, bands=names):
        pass


def test_a_name_given_twice_is_refused(rgb):
    with pytest.raises(WrongBands, match="its own name"), open_scene(rgb, bands=("pan", "pan", "pan")):
        pass


def test_zero_is_data_in_a_dark_band_and_none_in_all_bands(tmp_path, pixels):
    pixels[0, 5, 5] = 0
    pixels[:, 7, 7] = 0
    with open_scene(write(tmp_path / "a.tif", pixels, nodata=0)) as scene:
        _, valid = scene.read(Window(0, 0, 130, 100))
    assert np.argwhere(~valid).tolist() == [[7, 7]]


def test_a_nodata_value_stands_in_only_where_the_file_declares_none(tmp_path, rgb, pixels):
    common = int(np.bincount(pixels[0].ravel()).argmax())
    with open_scene(rgb, nodata=common) as scene:
        assert np.array_equal(scene.read(Window(0, 0, 130, 100), ("red",))[1], pixels[0] != common)
    with open_scene(write(tmp_path / "declared.tif", pixels, nodata=0), nodata=common) as scene:
        assert scene.read(Window(0, 0, 130, 100))[1].all()


def test_one_band_of_float_nodata_or_nan_leaves_the_pixel_without_data(tmp_path):
    pixels = np.ones((2, 20, 20), np.float32)
    pixels[0, 3, 3] = np.nan
    pixels[1, 4, 4] = np.inf
    pixels[1, 5, 5] = np.float32(-3.4028234663852886e38)
    with open_scene(write(tmp_path / "a.tif", pixels, nodata=-3.4028234663852886e38)) as scene:
        read, valid = scene.read(Window(0, 0, 20, 20))
    assert np.argwhere(~valid).tolist() == [[3, 3], [4, 4], [5, 5]]
    assert read[:, [3, 4, 5], [3, 4, 5]].tolist() == [[0, 0, 0], [0, 0, 0]]


def test_the_files_mask_says_what_has_data(tmp_path, pixels):
    mask = np.full((100, 130), 255, np.uint8)
    mask[10:20, 30:50] = 0
    with open_scene(write(tmp_path / "a.tif", pixels, mask=mask)) as scene:
        read, valid = scene.read(Window(0, 0, 130, 100))
    assert np.array_equal(valid, mask > 0)
    assert not read[:, ~valid].any()


def test_an_alpha_band_is_a_mask_unless_it_is_given_a_name(tmp_path, pixels):
    alpha = np.full((1, 100, 130), 255, np.uint8)
    alpha[:, :10] = 0
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    path = write(tmp_path / "a.tif", np.concatenate([pixels, alpha]), colours=colours)
    with open_scene(path) as scene:
        read, valid = scene.read(Window(0, 0, 130, 100))
        assert (scene.bands, len(read), valid[:10].any(), valid[10:].all()) == (("red", "green", "blue"), 3, False, True)
    with open_scene(path, bands=("red", "green", "blue", "nir")) as scene:
        read, valid = scene.read(Window(0, 0, 130, 100), ("nir",))
        assert np.array_equal(read, alpha)
        assert valid.all()


def test_every_thread_reads_the_same_pixels(rgb, pixels):
    barrier = threading.Barrier(4)

    def read(number):
        barrier.wait()
        return [scene.read(Window(number, row, 50, 20))[0] for row in range(40)]

    with open_scene(rgb) as scene, ThreadPoolExecutor(4) as pool:
        for number, parts in enumerate(pool.map(read, range(4))):
            for row, part in enumerate(parts):
                assert np.array_equal(part, pixels[:, row : row + 20, number : number + 50])


@pytest.mark.parametrize(
    ("crs", "transform", "gsd_m"),
    [
        ("EPSG:32650", Affine(0.75, 0, 400_000, 0, -0.75, 3_300_000), 0.75),
        ("EPSG:4326", Affine(1e-5, 0, 117, 0, -1e-5, 60), (1.1155 * 0.5580) ** 0.5),  # a degree at 60 N: 111.4 km down, 55.8 km across
        ("EPSG:3857", Affine(1.0, 0, 13_000_000, 0, -1.0, 8_399_738), 0.5),  # Web Mercator doubles lengths at 60 N
        ("EPSG:2263", Affine(1.0, 0, 987_000, 0, -1.0, 212_000), 0.3048),  # US survey feet
    ],
)
def test_ground_sampling_distance_is_in_metres_on_the_ground(tmp_path, pixels, crs, transform, gsd_m):
    with open_scene(write(tmp_path / "a.tif", pixels, crs=crs, transform=transform)) as scene:
        assert scene.gsd_m == pytest.approx(gsd_m, rel=5e-3)


def test_the_footprint_lies_on_wgs84(rgb):
    with open_scene(rgb) as scene:
        west, south, east, north = scene.footprint.bounds
    assert (west, north) == pytest.approx((117.0, 29.8305), abs=1e-3)
    assert (east - west, north - south) == pytest.approx((0.00269, 0.0018), abs=2e-5)
    assert shapely.is_valid(scene.footprint)


@pytest.mark.parametrize("crs", [None, "+proj=longlat +ellps=clrk66", 'LOCAL_CS["site",UNIT["metre",1]]'])
def test_a_missing_or_unknown_reference_system_is_refused_or_stood_in_for(tmp_path, pixels, crs):
    path = write(tmp_path / "a.tif", pixels, crs=crs, transform=Affine(0.01, 0, 10, 0, -0.01, 50))
    with pytest.raises(MissingCrs, match="give its `crs`, as EPSG:4326"), open_scene(path):
        pass
    with open_scene(path, crs="EPSG:4326") as scene:
        assert scene.crs == CRS.from_epsg(4326)
    with pytest.raises(MissingCrs, match="which is no reference system"), open_scene(path, crs="EPSG:0"):
        pass


METRES, DEGREES = HERE, Affine(1e-4, 0, 117, 0, -1e-4, 30)


@pytest.mark.parametrize(
    ("crs", "stand_in", "transform"),
    [
        (None, "EPSG:4326", METRES),
        ("EPSG:4326", None, METRES),
        ("EPSG:4326", None, Affine(1e-4, 0, 117, 0, -1e-4, 200)),
        ("EPSG:4326", None, Affine(1e-4, 0, 1e12, 0, -1e-4, 30)),
        (UTM, None, Affine(2, 0, 1e12, 0, -2, 3_300_000)),
        ("ESRI:54009", None, Affine(300_000, 0, -18_040_000, 0, -180_000, 9_020_000)),
    ],
    ids=["metres for degrees", "metres declared degrees", "latitude 200", "longitude 1e12", "x 1e12", "corners beyond the Earth"],
)
def test_a_scene_that_lies_nowhere_on_earth_has_no_ground(tmp_path, pixels, crs, stand_in, transform):
    with open_scene(write(tmp_path / "a.tif", pixels, crs=crs, transform=transform), crs=stand_in) as scene:
        for ground in ("footprint", "gsd_m"):
            with pytest.raises(
                MissingCrs, match=f"a.tif lies nowhere on Earth under {stand_in or crs}, or reaches beyond it: correct `crs`"
            ):
                getattr(scene, ground)


def test_the_centre_of_a_pixel_may_lie_at_a_pole(tmp_path):
    pixels = np.ones((1, 181, 360), np.uint8)
    with open_scene(write(tmp_path / "a.tif", pixels, crs="EPSG:4326", transform=Affine(1, 0, -180.5, 0, -1, 90.5))) as scene:
        assert scene.footprint.bounds == (-180.5, -90.5, 179.5, 90.5)


@pytest.mark.parametrize("fault", [{"a": 0.0, "e": 0.0}, {"e": 0.0}, {"b": 2.0, "d": -2.0}, {"c": np.nan}, {"a": np.nan}, {"f": np.inf}])
def test_pixels_without_a_size_or_a_place_are_refused(tmp_path, pixels, fault):
    transform = Affine(**dict(zip("abcdef", HERE, strict=False)) | fault)
    with (
        pytest.raises(MissingCrs, match="georeference it, as gdalwarp does"),
        open_scene(write(tmp_path / "a.tif", pixels, transform=transform)),
    ):
        pass


STAND_INS = [
    "EPSG:5773",
    "EPSG:4978",
    "IAU_2015:49900",
    'LOCAL_CS["x",UNIT["metre",1]]',
    "http://127.0.0.1:9/x",
    "+proj=longlat +datum=WGS84",
]


@pytest.mark.parametrize("stand_in", STAND_INS)
def test_only_the_code_of_a_reference_system_of_places_on_earth_stands_in(tmp_path, pixels, stand_in):
    path = write(tmp_path / "a.tif", pixels, crs=None, transform=DEGREES)
    with pytest.raises(MissingCrs, match="which is no reference system of places on Earth"), open_scene(path, crs=stand_in):
        pass


def test_the_surface_of_another_planet_is_refused(tmp_path, pixels):
    with pytest.raises(MissingCrs, match="give its `crs`"), open_scene(write(tmp_path / "a.tif", pixels, "IAU_2015:49900", DEGREES)):
        pass


def test_a_known_reference_system_is_not_replaced(rgb):
    with open_scene(rgb, crs="EPSG:4326") as scene:
        assert scene.crs == CRS.from_epsg(32650)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_an_image_that_lies_nowhere_is_refused(tmp_path, pixels):
    with pytest.raises(MissingCrs, match="georeference it"), open_scene(write(tmp_path / "a.tif", pixels, transform=Affine.identity())):
        pass


def test_a_truncated_file_is_refused_when_its_missing_part_is_read(rgb):
    rgb.write_bytes(rgb.read_bytes()[:-20_000])
    with open_scene(rgb) as scene:
        assert scene.read(Window(0, 0, 8, 8))[1].all()
        with pytest.raises(UnreadableRaster, match=r"cannot be read \(TIFFFillTile:Read error\): it is truncated or corrupt"):
            scene.read(Window(0, 0, 130, 100))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is no GeoTIFF"), (b"not a raster", "convert it with gdal_translate"), (b"II*\0" + b"\0" * 60, "cannot be opened")],
)
def test_a_file_that_is_no_raster_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(UnreadableRaster, match=reason), open_scene(path):
        pass


@pytest.mark.parametrize("uri", ["missing.tif", "/vsicurl/http:/127.0.0.1:9/a.tif", "/vsimem/a.tif"])
def test_what_is_no_file_is_refused(uri):
    with pytest.raises(UnreadableRaster, match="is not there"), open_scene(uri):
        pass


def test_a_virtual_raster_that_names_other_files_is_refused(tmp_path, rgb):
    path = tmp_path / "a.vrt"
    rasterio.shutil.copy(rgb, path, driver="VRT")
    with pytest.raises(UnreadableRaster, match="is no GeoTIFF"), open_scene(path):
        pass


def test_a_scene_is_found_by_its_file_uri(tmp_path, pixels):
    path = write(tmp_path / "a b,c.tif", pixels)
    with open_scene(path.as_uri()) as scene:
        assert np.array_equal(scene.read(Window(0, 0, 130, 100))[0], pixels)


def test_a_band_may_be_selected_for_several_channels():
    assert select_bands(("pan",), ("pan", "pan", "pan")) == [0, 0, 0]
    assert select_bands(("blue", "green", "red"), ("red", "blue")) == [2, 0]
