"""Datasets on a map."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from eartheye.contracts import LAND_CLASSES, Sites, Tiles
from eartheye.store import Folder
from eartheye.tiles import TileSet
from services.admin.datasets.catalogue import kind_of
from services.admin.datasets.schemas import FeatureCollection, TileOut


def features(folder: Folder, limit: int) -> FeatureCollection:
    """Return sites or tiles as GeoJSON; of more than the limit, evenly taken ones.

    Args:
        folder: of sites or tiles.
        limit: how many at most.
    """
    if kind_of(folder) == "sites":
        with folder.open(Sites.read(folder).table) as file:
            frame = gpd.read_parquet(file)
        names = ["site", "stratum", "land_class", "elevation_m"]
    else:
        with folder.open(Tiles.read(folder).index) as file:
            frame = gpd.read_parquet(file)
        frame = frame[frame.geometry.notna()]
        names = ["tile", "site", "sensor", "acquired", "rejected"]
    taken = frame.iloc[_evenly(len(frame), limit)]
    properties = taken[names].to_dict("records")
    found = tuple(
        {"type": "Feature", "geometry": shapely.geometry.mapping(shape), "properties": _plain(fields)}
        for shape, fields in zip(taken.geometry, properties, strict=True)
    )
    return FeatureCollection(features=found, matched=len(frame))


def list_tiles(tiles: TileSet, limit: int, after: int) -> list[TileOut]:
    """Return tiles by number, those after one.

    Args:
        tiles: of a finished folder.
        limit: how many at most.
        after: the last number of the page before, -1 for the first.
    """
    names = ["tile", "site", "sensor", "source", "acquired", "label", "rejected", "label_sets"]
    rows = tiles.index[names].iloc[after + 1 : after + 1 + limit].to_dict("records")
    return [TileOut.model_validate(_plain(row) | {"label_sets": tuple(row["label_sets"])}) for row in rows]


def _evenly(count: int, limit: int) -> Any:
    return np.arange(count) if count <= limit else np.linspace(0, count - 1, limit).astype(int)


def _plain(fields: dict[Any, Any]) -> dict[str, Any]:
    """Return values as JSON has them: no NaN, no NumPy, the land-cover class by its name."""
    plain: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "label_sets":
            continue
        missing = value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value))
        plain[str(name)] = None if missing else value.item() if isinstance(value, np.generic) else value
    if "land_class" in plain:
        plain["land_class"] = LAND_CLASSES[plain["land_class"] - 1]
    return plain
