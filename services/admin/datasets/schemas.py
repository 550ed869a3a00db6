"""What the API says about datasets."""

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

OUT = ConfigDict(frozen=True, use_attribute_docstrings=True)


class DatasetOut(BaseModel):
    """A finished folder of sites or of tiles."""

    model_config = OUT

    folder: str
    """Name it in the other routes."""
    kind: Literal["sites", "tiles"]
    count: int
    """Sites drawn, or tiles cut."""
    rejected: int
    """Tiles that were not cut."""
    words: str
    """What is in it."""


class FeatureCollection(BaseModel):
    """GeoJSON: sites as points, tiles by their outlines; longitude and latitude on WGS84."""

    model_config = OUT

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: tuple[dict[str, Any], ...]
    matched: int
    """How many there are; fewer are given where this is over the limit, evenly taken from all."""


class TileOut(BaseModel):
    """A tile, cut or rejected."""

    model_config = OUT

    tile: int
    """Its number in the folder."""
    site: int
    sensor: str
    source: str
    acquired: dt.date | None
    label: str | None
    label_sets: tuple[str, ...]
    rejected: str | None
    """Why there is no tile; null for one that was cut."""
