"""What can be set about the cutting of tiles."""

from pydantic import BaseModel, ConfigDict, Field

from eartheye.contracts.catalogue import LARGEST_CHIP_PX


class TilerConfig(BaseModel):
    """How tiles are cut; a scene's or image folder's own `chip_px` in the catalogue goes before the one here."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    chip_px: int = Field(574, ge=14, le=LARGEST_CHIP_PX)
    """Side of a tile, all told: 518 px, the largest crop of the report's training, and a margin of two patches of 14 px on every side,
    so that a crop can move."""
    min_valid_share: float = Field(0.5, ge=0, le=1)
    """Tiles with a smaller share of pixels with data are rejected. The report does not say: here half, and the curator asks for more."""
    group_side: int = Field(2, ge=1, le=10_000)
    """Side of a spatial group, which a split never parts: in cells of the grid for sites, in tiles for a covered scene."""
    part_tiles: int = Field(1024, ge=1)
    """Tiles of a part, the unit that is done again after an interruption; a site's acquisitions are never in two."""
    shard_mb: int = Field(1024, ge=1)
    """Size, in megabytes, at which a part begins another shard. Small enough that a node keeps the shards it works on in its cache."""


class Share(BaseModel):
    """What one of several processes cuts of a folder of tiles: every n-th part, of n processes."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    made_from: str
    """Digest of what the tiles are made from: taken once, for every file is read through for it."""
    number: int = Field(ge=0)
    shares: int = Field(ge=1)
    """Number of processes."""
