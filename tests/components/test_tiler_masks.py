import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from PIL import Image
from rasterio.transform import from_origin

from components.tiler.config import TilerConfig
from components.tiler.run import cut_tiles
from components.tiler.truth import classes_of
from eartheye.contracts import Catalogue, ClassSpec
from eartheye.contracts.catalogue import ImagesEntry, MaskLabels, RasterLabels, SceneEntry, VectorLabels, read_catalogue
from eartheye.errors import InvalidCatalogue, MissingCrs, NotEnoughTiles
from eartheye.store import Folder
from eartheye.tiles import TileSet

CRS, WEST, NORTH = "EPSG:32650", 500_000.0, 3_320_000.0
RGB = ("red", "green", "blue")
LAND, WATER = ClassSpec(value=1, name="land", colour="#8429f6"), ClassSpec(value=2, name="water", colour="#E2A929")
SCENE = SceneEntry(path="scene.tif", sensor="rgb", bands=RGB, cut="cover")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    pixels = np.random.default_rng(0).integers(1, 255, (3, 64, 64), np.uint8)
    pixels[:, 40:44] = 0
    write(tmp_path / "data" / "scene.tif", pixels, 1.0, nodata=0)
    return tmp_path / "data"


def write(path, pixels, metres, **profile):
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype, "crs": CRS}
    shape["transform"] = from_origin(WEST, NORTH, metres, metres)
    with rasterio.open(path, "w", "GTiff", **shape | profile) as file:
        file.write(pixels)


def cut(data, tmp_path, labels, scenes=(SCENE,), images=(), chip_px=32):
    given = Catalogue(title="t", licence="CC0", attribution="nobody", scenes=scenes, images=images, labels=labels)
    cut_tiles(str(data), given, None, TilerConfig(chip_px=chip_px), Folder(tmp_path / "tiles"))
    return TileSet(Folder(tmp_path / "tiles"))


def mosaic(tiles, name):
    """The masks of the four tiles of the scene, put together."""
    upper, lower = (np.hstack([tiles.mask(tile, name) for tile in pair]) for pair in ((0, 1), (2, 3)))
    return np.vstack([upper, lower])


def test_a_coarser_class_raster_is_cut_on_the_tiles_pixels(data, tmp_path):
    coarse = np.array([[1, 2, 9, 1], [1, 1, 2, 2], [0, 0, 0, 0], [2, 2, 1, 1]], np.uint8).repeat(2, 0).repeat(2, 1)
    write(data / "classes.tif", coarse[None], 8.0)
    tiles = cut(data, tmp_path, (RasterLabels(name="cover", path="classes.tif", classes=(LAND, WATER)),))
    wanted = coarse.repeat(8, 0).repeat(8, 1)
    wanted[wanted == 9] = 0  # a code that no class has
    wanted[40:44] = 0  # ground without pixels
    assert np.array_equal(mosaic(tiles, "cover"), wanted)
    assert tiles.label_sets["cover"].tiles == 4


def test_ground_beyond_the_class_raster_is_unlabelled_and_a_tile_without_labels_has_no_mask(data, tmp_path):
    write(data / "classes.tif", np.ones((1, 20, 20), np.uint8), 1.0)
    tiles = cut(data, tmp_path, (RasterLabels(name="cover", path="classes.tif", classes=(LAND, WATER)),))
    assert [list(sets) for sets in tiles.cut["label_sets"]] == [["cover"], [], [], []]
    assert tiles.mask(0, "cover")[:20, :20].all()
    assert tiles.mask(0, "cover").sum() == 400
    assert tiles.mask(3, "cover").tolist() == np.zeros((32, 32)).tolist()
    with pytest.raises(NotEnoughTiles, match="no labels 'roads', only"):
        tiles.mask(0, "roads")


def test_a_class_raster_without_a_reference_system_takes_the_catalogue_s(data, tmp_path):
    write(data / "classes.tif", np.ones((1, 64, 64), np.uint8), 1.0, crs=None)
    labels = RasterLabels(name="cover", path="classes.tif", classes=(LAND, WATER), crs="EPSG:32650")
    assert cut(data, tmp_path, (labels,)).label_sets["cover"].tiles == 4


def test_a_class_raster_of_some_scenes_is_not_the_truth_of_others(data, tmp_path):
    write(data / "classes.tif", np.ones((1, 64, 64), np.uint8), 1.0)
    (data / "later.tif").write_bytes((data / "scene.tif").read_bytes())
    labels = RasterLabels(name="cover", path="classes.tif", classes=(LAND,), scenes=("scene.tif",))
    tiles = cut(data, tmp_path, (labels,), scenes=(SCENE, SCENE.model_copy(update={"path": "later.tif"})))
    assert {source: bool(len(sets)) for source, sets in zip(tiles.cut["source"], tiles.cut["label_sets"], strict=True)} == {
        "scene.tif": True,
        "later.tif": False,
    }


def buildings(path="b.geojson"):
    return VectorLabels(name="buildings", path=path, scene="scene.tif", background=LAND, foreground=WATER)


def write_polygons(path, polygons, crs=CRS):
    geopandas.GeoDataFrame(geometry=polygons, crs=crs).to_file(path)


@pytest.mark.parametrize("crs", [CRS, "EPSG:4326", "EPSG:3857"])
def test_polygons_in_any_reference_system_are_drawn_on_their_scene(data, tmp_path, crs):
    polygons = geopandas.GeoSeries([shapely.box(WEST + 10, NORTH - 50, WEST + 40, NORTH - 20)], crs=CRS).to_crs(crs)
    write_polygons(data / "b.gpkg", polygons, crs)
    tiles = cut(data, tmp_path, (buildings("b.gpkg"),))
    wanted = np.full((64, 64), LAND.value, np.uint8)
    wanted[20:50, 10:40] = WATER.value
    wanted[40:44] = 0
    assert np.array_equal(mosaic(tiles, "buildings"), wanted)


@pytest.mark.parametrize("west", [180 - 32e-5, -180 - 32e-5])
def test_polygons_on_either_side_of_180_degrees_are_drawn_on_a_scene_across_them(data, tmp_path, west):
    write(data / "scene.tif", np.ones((3, 64, 64), np.uint8), 1.0, crs="EPSG:4326", transform=from_origin(west, 0.5, 1e-5, 1e-5))
    write_polygons(data / "b.gpkg", [shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -180 + 16e-5, 1)], "EPSG:4326")
    wanted = np.full((64, 64), WATER.value, np.uint8)
    wanted[:, 48:] = LAND.value
    assert np.array_equal(mosaic(cut(data, tmp_path, (buildings("b.gpkg"),)), "buildings"), wanted)


def test_tiles_without_a_polygon_are_background(data, tmp_path):
    write_polygons(data / "b.gpkg", [shapely.box(WEST, NORTH - 5, WEST + 5, NORTH)])
    tiles = cut(data, tmp_path, (buildings("b.gpkg"),))
    assert np.unique(tiles.mask(1, "buildings")).tolist() == [LAND.value]


def test_polygons_of_another_place_are_refused(data, tmp_path):
    write_polygons(data / "b.gpkg", [shapely.box(WEST + 5000, NORTH, WEST + 5010, NORTH + 10)])
    with pytest.raises(InvalidCatalogue, match=r"no polygon of b.gpkg lies on scene.tif"):
        cut(data, tmp_path, (buildings("b.gpkg"),))


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_polygons_without_a_reference_system_are_refused(data, tmp_path):
    write_polygons(data / "b.gpkg", [shapely.box(WEST, NORTH - 5, WEST + 5, NORTH)], crs=None)
    with pytest.raises(MissingCrs, match="has no known reference system"):
        cut(data, tmp_path, (buildings("b.gpkg"),))


def test_polygons_in_a_local_reference_system_are_refused(data, tmp_path):
    write_polygons(data / "b.gpkg", [shapely.box(0, 0, 5, 5)], crs='LOCAL_CS["site",UNIT["metre",1]]')
    with pytest.raises(MissingCrs, match="has no known reference system"):
        cut(data, tmp_path, (buildings("b.gpkg"),))


def test_degrees_that_are_metres_lie_nowhere(data, tmp_path):
    write_polygons(data / "b.gpkg", [shapely.box(WEST, NORTH - 5, WEST + 5, NORTH)], crs="EPSG:4326")
    with pytest.raises(InvalidCatalogue, match="polygons that lie nowhere in WGS 84 / UTM zone 50N"):
        cut(data, tmp_path, (buildings("b.gpkg"),))


@pytest.mark.parametrize("shape", [shapely.Point(WEST + 5, NORTH - 5), shapely.LineString([(WEST, NORTH), (WEST + 9, NORTH - 9)])])
def test_labels_drawn_as_points_or_lines_are_refused(data, tmp_path, shape):
    write_polygons(data / "b.gpkg", [shapely.box(WEST, NORTH - 5, WEST + 5, NORTH), shape])
    with pytest.raises(InvalidCatalogue, match=f"1 {shape.geom_type} beside 1 polygon: give a layer of polygons alone"):
        cut(data, tmp_path, (buildings("b.gpkg"),))


def test_labels_in_a_table_are_refused(data, tmp_path):
    (data / "b.csv").write_text("id\n1\n")
    with pytest.raises(InvalidCatalogue, match=r"b\.csv is a table without geometry"):
        cut(data, tmp_path, (buildings("b.csv"),))


def test_a_spike_of_a_polygon_is_no_ground(data, tmp_path):
    corners = [(0, 0), (20, 0), (50, 0), (20, 0), (20, 20), (0, 20)]
    write_polygons(data / "b.gpkg", [shapely.Polygon([(WEST + x, NORTH - y) for x, y in corners])])
    wanted = np.full((64, 64), LAND.value, np.uint8)
    wanted[:20, :20] = WATER.value
    wanted[40:44] = 0
    assert np.array_equal(mosaic(cut(data, tmp_path, (buildings("b.gpkg"),)), "buildings"), wanted)


@pytest.mark.parametrize("values", [range(1, 301), [3, 3]])
def test_classes_that_a_mask_of_bytes_cannot_tell_apart_are_refused(values, tmp_path):
    classes = [{"value": value, "name": f"class {value}", "colour": "#102030"} for value in values]
    labels = {"kind": "raster", "name": "crops", "path": "crops.tif", "classes": classes}
    (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump({"title": "t", "licence": "CC0", "attribution": "nobody", "labels": [labels]}))
    with pytest.raises(InvalidCatalogue, match=r"labels 'crops' have the values \d+ to \d+: give each its own `value` from 1 to 255"):
        read_catalogue(tmp_path / "catalogue.yaml")


def test_labels_of_what_the_catalogue_does_not_have_are_refused(data, tmp_path):
    with pytest.raises(InvalidCatalogue, match=r"the labels b.geojson are not in"):
        cut(data, tmp_path, (buildings(),))
    (data / "b.geojson").write_text("not geography")
    with pytest.raises(InvalidCatalogue, match="cannot be read as a layer of polygons"):
        cut(data, tmp_path, (buildings(),))
    lost = MaskLabels(name="m", images="nowhere", find=("a", "b"), classes=(LAND,))
    with pytest.raises(InvalidCatalogue, match=r"labels 'm' are of \['nowhere'\]"):
        cut(data, tmp_path, (lost,))


IMAGES = ImagesEntry(path="images", sensor="web", bands=RGB)
MASKS = MaskLabels(name="parcels", images="images", find=("images/", "masks/"), classes=(WATER, LAND))


@pytest.fixture
def pictures(data):
    (data / "images").mkdir()
    (data / "masks").mkdir()
    for name in ("rgb", "palette", "none", "size", "broken"):
        Image.fromarray(np.random.default_rng(1).integers(1, 255, (40, 50, 3), np.uint8)).save(data / "images" / f"{name}.jpg")
    colours = np.zeros((40, 50, 3), np.uint8)
    colours[:, :20] = (0x84, 0x29, 0xF6)
    colours[:, 20:] = (0xE2, 0xA9, 0x29)
    colours[:, 20] = (0xB3, 0x69, 0x90)  # an edge smoothed by whoever drew it
    Image.fromarray(colours).save(data / "masks" / "rgb.png")
    Image.fromarray(colours).quantize(8).save(data / "masks" / "palette.png")
    Image.fromarray(colours[:30]).save(data / "masks" / "size.png")
    (data / "masks" / "broken.png").write_bytes((data / "masks" / "rgb.png").read_bytes()[:60])
    return data


def test_colours_become_classes_and_smoothed_edges_stay_unlabelled(pictures, tmp_path, capsys):
    tiles = cut(pictures, tmp_path, (MASKS,), scenes=(), images=(IMAGES,), chip_px=64)
    wanted = np.zeros((40, 50), np.uint8)
    wanted[:, :20], wanted[:, 21:] = LAND.value, WATER.value
    of = dict(zip(tiles.cut["source"], tiles.cut["tile"], strict=True))
    assert np.array_equal(tiles.mask(of["images/rgb.jpg"], "parcels"), wanted)
    assert np.array_equal(tiles.mask(of["images/palette.jpg"], "parcels"), wanted)
    assert tiles.label_sets["parcels"].tiles == 2
    told = capsys.readouterr().out
    for words in ("pixels of a colour that no class has", "images without a mask", "another size than their image", "cannot be read"):
        assert words in told
    assert "count=80" in told


def test_masks_are_cut_with_their_image(pictures, tmp_path):
    tiles = cut(pictures, tmp_path, (MASKS,), scenes=(), images=(IMAGES,), chip_px=16)
    whole = cut(pictures, tmp_path / "whole", (MASKS,), scenes=(), images=(IMAGES,), chip_px=64)
    mask = whole.mask(int(whole.cut.loc[whole.cut["source"] == "images/rgb.jpg", "tile"].iloc[0]), "parcels")
    of = tiles.cut.loc[tiles.cut["source"] == "images/rgb.jpg", "tile"].tolist()
    assert np.array_equal(tiles.mask(of[0], "parcels"), mask[:16, :16])
    assert np.array_equal(tiles.mask(of[-1], "parcels"), mask[24:, 34:])


def test_every_colour_finds_its_class_whatever_the_order_of_the_classes():
    classes = tuple(
        ClassSpec(value=value, name=str(value), colour=f"#{colour:06x}") for value, colour in ((5, 0xFFFFFF), (3, 0), (9, 0xFF))
    )
    colours = np.array([[[255, 0, 0, 255]], [[255, 0, 0, 255]], [[255, 0, 255, 254]]], np.uint8)
    values, unknown = classes_of(colours, classes)
    assert values.tolist() == [[5, 3, 9, 0]]
    assert unknown == 1
