import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eartheye.contracts import LabelSet, Sensor, Tiles
from eartheye.errors import NotEnoughTiles, NotFinished, WrongBands
from eartheye.store import Folder
from eartheye.tiles import ShardWriter, TileSet, encode

PAN = Sensor(name="pan", bands=("nir", "pan"), channels=("pan", "pan"), dtype="uint16", mean=(1.0, 500.0), std=(1.0, 100.0), gsd_m=0.5)
COUNT = 20


def image(tile):
    return np.full((2, 8, 6), 400 + tile, np.uint16)


@pytest.fixture
def folder(tmp_path):
    """Twenty tiles in several shards, the odd ones with a mask, and a rejected one."""
    made = Folder(tmp_path)
    with ShardWriter(made, 1000) as writer:
        places = []
        for tile in range(COUNT):
            records = {f"{tile:08d}": encode(image(tile))}
            if tile % 2:
                records[f"{tile:08d}/roads"] = encode(np.full((1, 8, 6), tile, np.uint8))
            places.append(writer.add(records))
        shards = writer.finish()
    index = {
        "tile": pa.array(range(COUNT + 1), pa.int64()),
        "sensor": pa.array(["pan"] * COUNT + [""]),
        "shard": pa.array([*places, None], pa.int32()),
        "key": pa.array([*(f"{tile:08d}" for tile in range(COUNT)), None]),
        "height": pa.array([8] * (COUNT + 1), pa.int32()),
        "width": pa.array([6] * (COUNT + 1), pa.int32()),
        "label_sets": pa.array([["roads"] * (tile % 2) for tile in range(COUNT)] + [[]], pa.list_(pa.string())),
        "rejected": pa.array([*[None] * COUNT, "no coverage"]),
        "geometry": pa.array([b""] * (COUNT + 1), pa.binary()),
    }
    with made.create("tiles.parquet") as file:
        pq.write_table(pa.table(index), file)
    Tiles(
        made_from="x",
        index=made.bulk("tiles.parquet"),
        shards=shards,
        sensors=(PAN,),
        label_sets=(LabelSet(name="roads", classes=(), smallest_width_m=None, tiles=COUNT // 2),),
        chip_px=8,
        count=COUNT,
        rejected=1,
        attribution=(),
    ).finish(made)
    return made


def test_a_tile_is_read_with_all_bands_and_its_mask(folder):
    tiles = TileSet(folder)
    assert len(tiles.manifest.shards) == 3
    pixels, valid = tiles.image(7)
    assert np.array_equal(pixels, image(7))
    assert valid.all()
    assert tiles.mask(7, "roads").tolist() == [[7] * 6] * 8
    assert not tiles.mask(8, "roads").any()


def test_channels_are_the_sensor_s_normalised(folder):
    channels = TileSet(folder).channels(19)
    assert channels.dtype == np.float32
    assert channels.shape == (2, 8, 6)
    assert np.allclose(channels, (419 - 500) / 100)


def test_channels_can_be_those_that_a_model_was_trained_on(folder):
    tiles = TileSet(folder)
    spec = tiles.image_spec("pan")
    assert (spec.bands, spec.mean, spec.std) == (("pan", "pan"), (500.0, 500.0), (100.0, 100.0))
    other = spec.model_copy(update={"bands": ("nir",), "mean": (400.0,), "std": (10.0,)})
    assert np.allclose(tiles.channels(19, other), 1.9)
    with pytest.raises(WrongBands, match="red"):
        tiles.channels(19, spec.model_copy(update={"bands": ("red", "pan")}))


def test_the_index_has_none_for_what_is_missing_and_no_geometry(folder):
    index = TileSet(folder).index
    assert index["key"].iloc[-1] is None
    assert index["rejected"].iloc[0] is None
    assert "geometry" not in index
    assert len(TileSet(folder).cut) == COUNT


def test_tiles_that_are_not_there_say_so(folder):
    tiles = TileSet(folder)
    with pytest.raises(NotEnoughTiles, match="tiles 0 to 20, not 21"):
        tiles.image(21)
    with pytest.raises(NotEnoughTiles, match=r"tile 20 was rejected \(no coverage\)"):
        tiles.image(20)
    with pytest.raises(NotFinished):
        TileSet(folder / "elsewhere")


def test_threads_and_processes_share_a_set(folder):
    tiles = TileSet(folder)
    order = np.random.default_rng(0).integers(0, COUNT, 400).tolist()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda tile: int(tiles.image(tile)[0][0, 0, 0]) - 400, order))
    assert found == order
    again = pickle.loads(pickle.dumps(tiles))
    assert np.array_equal(again.image(3)[0], image(3))
