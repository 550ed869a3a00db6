import numpy as np
import pytest
import rasterio
from PIL import Image

from components.tiler.config import TilerConfig
from components.tiler.run import cut_tiles
from eartheye.contracts import Catalogue
from eartheye.contracts.catalogue import ImagesEntry
from eartheye.errors import InvalidCatalogue, NotEnoughTiles
from eartheye.store import Folder
from eartheye.tiles import TileSet

RGB = ("red", "green", "blue")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    return tmp_path / "data"


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(1, 255, (height, width, 3), np.uint8)


def cut(data, tmp_path, chip_px=32, **fields):
    entry = ImagesEntry(**{"path": "images", "sensor": "web", "bands": RGB} | fields)
    given = Catalogue(title="t", licence="CC0", attribution="nobody", images=(entry,))
    cut_tiles(str(data), given, None, TilerConfig(chip_px=chip_px, part_tiles=3), Folder(tmp_path / "tiles"))
    return TileSet(Folder(tmp_path / "tiles"))


def test_an_image_smaller_than_a_tile_stays_whole(data, tmp_path):
    Image.fromarray(picture(20, 31)).save(data / "images" / "a b, c.png")
    tiles = cut(data, tmp_path)
    assert np.array_equal(tiles.image(0)[0].transpose(1, 2, 0), picture(20, 31))
    row = tiles.cut.iloc[0]
    assert (row["source"], row["site"], row["crs"], row["height"], row["width"]) == ("images/a b, c.png", -1, None, 20, 31)
    assert np.isnan(row["gsd_m"])
    assert tiles.sensors["web"].gsd_m is None


def test_a_larger_image_is_cut_to_its_edges(data, tmp_path):
    Image.fromarray(picture(32, 75)).save(data / "images" / "a.png")
    tiles = cut(data, tmp_path)
    whole = picture(32, 75).transpose(2, 0, 1)
    for tile, column in enumerate((0, 32, 43)):
        assert np.array_equal(tiles.image(tile)[0], whole[:, :, column : column + 32])
    assert tiles.cut["group"].nunique() == 1
    assert tiles.cut["site"].tolist() == [-1, -2, -3]


def test_an_image_s_class_is_its_folder(data, tmp_path):
    for label in ("Pond", "Airport"):
        (data / "images" / label).mkdir()
        Image.fromarray(picture(16, 16)).save(data / "images" / label / "1.png")
    tiles = cut(data, tmp_path, labelled_by_folder=True)
    assert dict(zip(tiles.cut["source"], tiles.cut["label"], strict=True)) == {
        "images/Airport/1.png": "Airport",
        "images/Pond/1.png": "Pond",
    }


def test_parts_of_one_place_are_one_group(data, tmp_path):
    for name in ("tile1_part_1", "tile1_part_2", "tile2_part_1", "other"):
        Image.fromarray(picture(16, 16)).save(data / "images" / f"{name}.png")
    tiles = cut(data, tmp_path, group_pattern=r"(tile\d+)")
    assert tiles.cut["group"].tolist() == ["images/other.png", "images tile1", "images tile1", "images tile2"]


def test_palette_grey_and_transparent_images_become_what_the_bands_say(data, tmp_path):
    palette = Image.fromarray(picture(16, 16)).quantize(5)
    palette.save(data / "images" / "1.png")
    Image.fromarray(picture(16, 16)[..., 0]).save(data / "images" / "2.png")
    alpha = np.dstack([picture(16, 16), np.repeat([[0, 255]], 8, axis=1).repeat(16, axis=0).astype(np.uint8)])
    Image.fromarray(alpha).save(data / "images" / "3.png")
    tiles = cut(data, tmp_path)
    assert np.array_equal(tiles.image(0)[0].transpose(1, 2, 0), np.asarray(palette.convert("RGB")))
    assert np.array_equal(tiles.image(1)[0], np.repeat(picture(16, 16)[None, ..., 0], 3, axis=0))
    pixels, valid = tiles.image(2)
    assert np.array_equal(valid, alpha[..., 3] > 0)
    assert np.array_equal(pixels[:, valid], picture(16, 16)[valid].T)


def test_a_palette_s_grey_stands_for_one_band(data, tmp_path):
    grey = Image.fromarray(picture(16, 16)[..., 0]).convert("P")
    grey.save(data / "images" / "1.png")
    tiles = cut(data, tmp_path, bands=("pan",), channels=("pan", "pan", "pan"))
    assert np.array_equal(tiles.image(0)[0][0], np.asarray(grey.convert("L")))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_images_that_cannot_be_read_or_have_other_bands_are_listed_and_the_rest_is_cut(data, tmp_path):
    Image.fromarray(picture(64, 64)).save(data / "images" / "0.jpg")
    whole = (data / "images" / "0.jpg").read_bytes()
    (data / "images" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(picture(64, 64)).save(data / "images" / "2.png")
    whole = (data / "images" / "2.png").read_bytes()
    (data / "images" / "2.png").write_bytes(whole[: len(whole) // 2])
    (data / "images" / "3.jpg").write_bytes(b"")
    with rasterio.open(data / "images" / "4.tif", "w", "GTiff", count=2, height=8, width=8, dtype="uint8") as file:
        file.write(np.ones((2, 8, 8), np.uint8))
    with rasterio.open(data / "images" / "5.tif", "w", "GTiff", count=3, height=8, width=8, dtype="uint16") as file:
        file.write(np.ones((3, 8, 8), np.uint16))
    (data / "images" / "notes.txt").write_text("not an image")
    tiles = cut(data, tmp_path, chip_px=64)
    assert tiles.cut["source"].tolist() == ["images/0.jpg"]
    rejected = tiles.index.dropna(subset="rejected").set_index("source")["rejected"].str.partition(":")[0]
    assert rejected.to_dict() == {
        "images/1.jpg": "unreadable",
        "images/2.png": "unreadable",
        "images/3.jpg": "unreadable",
        "images/4.tif": "wrong bands",
        "images/5.tif": "wrong type",
    }


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_folder_of_a_type_that_no_tile_has_says_what_to_convert_it_to(data, tmp_path):
    (data / "more").mkdir()
    for name in ("images/a.tif", "more/b.tif"):
        with rasterio.open(data / name, "w", "GTiff", count=3, height=8, width=8, dtype="float64") as file:
            file.write(np.ones((3, 8, 8)))
    with pytest.raises(NotEnoughTiles, match="1 x wrong type"):
        cut(data, tmp_path)
    Image.fromarray(picture(8, 8)).save(data / "more" / "a.png")
    tiles = cut(data, tmp_path, path="more")
    assert tiles.cut["source"].tolist() == ["more/a.png"]
    refused = tiles.index.set_index("source")["rejected"]["more/b.tif"]
    assert refused == "wrong type: it is float64: convert it to one of uint8, uint16, int16, float32"


def test_a_pattern_chooses_images_folder_by_folder(data, tmp_path):
    (data / "images" / "deep").mkdir()
    for name in ("a.png", "b.jpg", "deep/c.png"):
        Image.fromarray(picture(16, 16)).save(data / "images" / name)
    assert cut(data, tmp_path, path="images/*.png").cut["source"].tolist() == ["images/a.png"]


def test_a_folder_without_an_image_is_refused(data, tmp_path):
    with pytest.raises(InvalidCatalogue, match="there is no image in"):
        cut(data, tmp_path)


def test_tiles_of_a_bucket_cut_into_a_bucket_are_those_of_a_directory(data, tmp_path, s3_bucket):
    for name in ("a", "b", "c", "d"):
        Image.fromarray(picture(40, 40)).save(data / "images" / f"{name} 1.png")
        Folder(f"{s3_bucket}/data").upload(f"images/{name} 1.png", data / "images" / f"{name} 1.png")
    here = cut(data, tmp_path)
    given = Catalogue(
        title="t", licence="CC0", attribution="nobody", images=(ImagesEntry(path="images", sensor="web", bands=RGB, chip_px=32),)
    )
    cut_tiles(f"{s3_bucket}/data", given, None, TilerConfig(chip_px=32, part_tiles=3), Folder(f"{s3_bucket}/tiles"))
    there = TileSet(Folder(f"{s3_bucket}/tiles"))
    assert there.manifest.shards == here.manifest.shards
    assert there.index.equals(here.index)
    assert np.array_equal(there.image(3)[0], here.image(3)[0])
