"""Tiles cut at the sites, and what the curator decided about them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from eartheye.contracts.manifest import Manifest
from eartheye.contracts.package import ClassSpec
from eartheye.store import Bulk


class Sensor(BaseModel):
    """What the tiles of one sensor have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    bands: tuple[str, ...]
    """Bands of a tile, in order."""
    channels: tuple[str, ...]
    """Bands that a network's channels take; a band may stand for several channels."""
    dtype: Literal["uint8", "uint16", "int16", "float32"]
    mean: tuple[float, ...]
    """Mean of each band over the valid pixels of the tiles."""
    std: tuple[float, ...]
    gsd_m: float | None
    """Ground sampling distance; None where the images have no known scale."""


class LabelSet(BaseModel):
    """Masks that were cut with the tiles: uint8, 0 unlabelled, otherwise the value of a class."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    classes: tuple[ClassSpec, ...]
    smallest_width_m: float | None
    tiles: int
    """Tiles that have a mask of this set."""


class Tiles(Manifest):
    """Tiles in LMDB shards and an index with a row for each tile, cut or rejected.

    Index columns: `tile` int64, the row's number; `site` int64 (negative, each tile its own, for what stands on no drawn site: images
    without georeference and covered scenes); `source` string, the scene or image, empty for a site that no scene shows, as its
    `sensor`; `sensor` string; `acquired` date32 or null; `quarter` string or null, as `2023Q1`; `shard` int32 and `key` string, null for
    a rejected tile; `height`, `width` int32; `gsd_m` float32 or null; `valid` float32, share of pixels with data; `clear` float32 or
    null, share of these without cloud, where that can be told; `sharpness` float32; `entropy_bit` float32; `label` string or null, the
    class folder of a labelled image; `label_sets` list of string, the sets that have a mask of the tile; `group` string, what must not
    be split between training and test (the grid block of a site, the block of a covered scene, the source image otherwise); `pretrain`
    bool, whether the tile may be used for pretraining; `crs` string or null and `transform` list of six float64 or null, the tile's
    grid (affine coefficients a to f); `licence`, `attribution` string; `rejected` string or null, why there is no tile: a few words,
    then perhaps a colon and the details; `geometry`, the footprint on WGS84, null for an image without georeference. What was not
    measured of a rejected tile is null.
    """

    kind: Literal["tiles/1"] = "tiles/1"
    index: Bulk
    """GeoParquet."""
    shards: tuple[Bulk, ...]
    """LMDB files; a key's value is read by `eartheye.tiles`."""
    sensors: tuple[Sensor, ...]
    label_sets: tuple[LabelSet, ...]
    chip_px: int
    """Side of the tiles of what has no size of its own in the catalogue."""
    count: int
    """Tiles that were cut."""
    rejected: int
    attribution: tuple[str, ...]


class Curated(Manifest):
    """What is kept for pretraining. Columns: `tile` int64, `keep` bool, `reason` string or null, `cluster` int32 or null."""

    kind: Literal["curated/1"] = "curated/1"
    table: Bulk
    """Parquet, a row for each tile that was cut."""
    kept: int
    dropped: dict[str, int]
    """Tiles dropped, by reason."""
    clusters: int
