"""Reading tiles: the index, and the pixels and masks of each."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eartheye.contracts import ImageSpec, LabelSet, Sensor, Tiles
from eartheye.errors import CorruptTile, NotEnoughTiles
from eartheye.raster import normalise, select_bands
from eartheye.store import Folder
from eartheye.tiles.codec import decode
from eartheye.tiles.shard import ShardReader
from eartheye.wording import counted


class TileSet:
    """The tiles of a finished folder; threads may share one, and processes may be sent one.

    A shard is fetched to this machine when the first of its tiles is read.

    Args:
        folder: made by the tiler.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.manifest = Tiles.read(folder)
        self.sensors: dict[str, Sensor] = {sensor.name: sensor for sensor in self.manifest.sensors}
        self.label_sets: dict[str, LabelSet] = {labels.name: labels for labels in self.manifest.label_sets}
        self._readers: dict[int, ShardReader] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return TileSet, (self.folder,)

    @cached_property
    def index(self) -> pd.DataFrame:
        """A row for each tile, rejected ones included, with the columns of `Tiles` but the geometry; the row number is the tile's.

        A text or date that is missing is None, a number NaN.
        """
        with self.folder.open(self.manifest.index) as file:
            parquet = pq.ParquetFile(file)
            table = parquet.read(columns=[name for name in parquet.schema_arrow.names if name != "geometry"])
        frame = table.to_pandas(ignore_metadata=True)
        for name in frame.columns[[pa.types.is_string(kind) for kind in table.schema.types]]:
            frame[name] = pd.Series(table[name].to_pylist(), dtype=object)
        frame["shard"] = table["shard"].to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get)
        return frame

    @property
    def cut(self) -> pd.DataFrame:
        """The rows of the index that are not rejected."""
        return self.index[self.index["rejected"].isna()]

    def image(self, tile: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return a tile's pixels (C, H, W), all bands of its sensor in its data type, and its valid mask (H, W).

        Raises:
            NotEnoughTiles: there is no such tile, or it was rejected.
            CorruptTile: its bytes do not decode to what the index says.
        """
        pixels, valid = self._decode(tile, "")
        sensor = self.sensor(tile)
        if len(pixels) != len(sensor.bands) or pixels.dtype != sensor.dtype:
            raise CorruptTile(
                f"tile {tile} has {counted(len(pixels), 'band')} of {pixels.dtype}, its sensor another number or type: cut the tiles again"
            )
        return pixels, valid

    def mask(self, tile: int, label_set: str) -> NDArray[np.uint8]:
        """Return a tile's labels: (H, W) values of the set's classes, 0 where nothing is labelled, so all 0 where the tile has no mask.

        Raises:
            NotEnoughTiles: there is no such tile or label set, or the tile was rejected.
            CorruptTile: the mask's bytes do not decode to what the index says.
        """
        if label_set not in self.label_sets:
            raise NotEnoughTiles(f"{self.folder.root} has no labels '{label_set}', only {sorted(self.label_sets)}: choose one of these")
        if label_set not in self.index["label_sets"].to_numpy()[tile]:
            return np.zeros(self._size(tile), np.uint8)
        return self._decode(tile, f"/{label_set}")[0][0]

    def sensor(self, tile: int) -> Sensor:
        """Return the sensor of a tile."""
        return self.sensors[self.index["sensor"].to_numpy()[tile]]

    def channels(self, tile: int, image: ImageSpec | None = None) -> NDArray[np.float32]:
        """Return a tile as a network takes it: (C, H, W) channels of its sensor, normalised; 0, the mean, where there is no data.

        Args:
            tile: its number.
            image: what the network takes, where that is not what the tile's sensor has.

        Raises:
            WrongBands: the sensor lacks a band of `image`, or has another data type.
            NotEnoughTiles: there is no such tile, or it was rejected.
            CorruptTile: its bytes do not decode to what the index says.
        """
        pixels, valid = self.image(tile)
        sensor = self.sensor(tile)
        image = image or self.image_spec(sensor.name)
        return normalise(pixels[select_bands(sensor.bands, image.bands)], valid, image)

    def image_spec(self, sensor: str) -> ImageSpec:
        """Return what a network that takes a sensor's channels has to say about them."""
        given = self.sensors[sensor]
        chosen = select_bands(given.bands, given.channels)
        return ImageSpec(
            bands=given.channels,
            dtype=given.dtype,
            mean=tuple(given.mean[band] for band in chosen),
            std=tuple(given.std[band] for band in chosen),
            gsd_m=given.gsd_m,
            gsd_range_m=None,
        )

    @cached_property
    def _shards(self) -> NDArray[np.int64]:
        """(N,) shard of each tile, -1 for a rejected one."""
        return self.index["shard"].fillna(-1).to_numpy(np.int64)

    def _size(self, tile: int) -> tuple[int, int]:
        return int(self.index["height"].to_numpy()[tile]), int(self.index["width"].to_numpy()[tile])

    def _decode(self, tile: int, record: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        if not 0 <= tile < len(self.index):
            raise NotEnoughTiles(f"{self.folder.root} has tiles 0 to {len(self.index) - 1}, not {tile}: choose one of these")
        if self._shards[tile] < 0:
            raise NotEnoughTiles(f"tile {tile} was rejected ({self.index['rejected'].to_numpy()[tile]}): choose one that was cut")
        key = f"{self.index['key'].to_numpy()[tile]}{record}"
        pixels, valid = decode(self._reader(int(self._shards[tile])).read(key))
        if valid.shape != self._size(tile):
            raise CorruptTile(f"tile {tile} is {valid.shape}, the index says {self._size(tile)}: cut the tiles again")
        return pixels, valid

    def _reader(self, shard: int) -> ShardReader:
        if (reader := self._readers.get(shard)) is None:
            # two threads may both fetch; the store lets one do the work
            reader = self._readers.setdefault(shard, ShardReader(self.folder.local(self.manifest.shards[shard])))
        return reader
