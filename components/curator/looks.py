"""What the tiles of a shard look like, kept so that an interrupted run need not look again."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.curator.descriptors import Description, describe
from eartheye.contracts import Manifest
from eartheye.raster import normalise, select_bands
from eartheye.store import Bulk, Folder
from eartheye.telemetry import Advance
from eartheye.tiles import TileSet


class ShardLooks(Manifest):
    """Looks of the good tiles of a shard: `tile` int64, `descriptor` list of float32, `thumbnail` list of uint8."""

    kind: Literal["shard-looks/1"] = "shard-looks/1"
    table: Bulk
    """Parquet."""


@dataclass(frozen=True)
class Looks:
    """What tiles look like."""

    descriptors: NDArray[np.float32]
    """(N, D)."""
    thumbnails: NDArray[np.uint8]
    """(N, 1024)."""

    @classmethod
    def joined(cls, parts: list["Looks"]) -> "Looks":
        """Return the looks of several shards as one."""
        return cls(np.concatenate([part.descriptors for part in parts]), np.concatenate([part.thumbnails for part in parts]))


def look_at(tiles: TileSet, chosen: NDArray[np.int64], folder: Folder, made_from: str, advance: Advance) -> Looks:
    """Return what tiles of a shard look like, from the folder if that is finished.

    Args:
        tiles: all tiles.
        chosen: (N,) those to look at.
        folder: takes the looks.
        made_from: digest of what decides them.
        advance: is told of each tile.
    """
    if done := ShardLooks.done(folder, made_from):
        advance(len(chosen))
        with folder.open(done.table) as file:
            table = pq.read_table(file)
        return Looks(*(np.stack(table[name].to_numpy()) for name in ("descriptor", "thumbnail")))

    looks = look(tiles, chosen, advance)
    columns = {
        "tile": pa.array(chosen, pa.int64()),
        "descriptor": pa.array(list(looks.descriptors), pa.list_(pa.float32())),
        "thumbnail": pa.array(list(looks.thumbnails), pa.list_(pa.uint8())),
    }
    with folder.create("looks.parquet") as file:
        pq.write_table(pa.table(columns), file)
    ShardLooks(made_from=made_from, table=folder.bulk("looks.parquet")).finish(folder)
    return looks


def look(tiles: TileSet, chosen: NDArray[np.int64], advance: Advance) -> Looks:
    """Return what tiles look like.

    Args:
        tiles: all tiles.
        chosen: (N,) those to look at.
        advance: is told of each tile.
    """

    def look_at_one(tile: int) -> Description:
        pixels, valid = tiles.image(tile)
        sensor = tiles.sensor(tile)
        channels = pixels[select_bands(sensor.bands, sensor.channels)]
        seen = describe(normalise(channels, valid, tiles.image_spec(sensor.name)), valid)
        advance()
        return seen

    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="looks") as pool:
        seen = list(pool.map(look_at_one, chosen.tolist()))
    return Looks(np.stack([one.descriptor for one in seen]), np.stack([one.thumbnail for one in seen]))
