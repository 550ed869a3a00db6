"""Which scenes show which sites, and on whose pixels a site's tiles are cut."""

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import Transformer

from components.tiler.survey import SceneFacts
from eartheye.contracts.catalogue import SceneEntry
from eartheye.raster import WGS84

COLUMNS = ["site", "sensor", "scene", "anchor", "column", "row"]


def find_visits(sites: pd.DataFrame, entries: tuple[SceneEntry, ...], scenes: dict[int, SceneFacts]) -> pd.DataFrame:
    """Pair sites with the scenes that their centres lie in.

    All acquisitions of a sensor at a site share one grid: the pixels of the first of them, by date, which is the site's anchor.

    Args:
        sites: columns `site`, `lon`, `lat`.
        entries: all scenes of the catalogue.
        scenes: the ones to cut at sites, by their number.

    Returns:
        A row for each tile: `site`, `sensor`, `scene` and `anchor`, numbers of scenes, and `column` and `row` of the site in pixels of
        the anchor. Tiles of a site follow each other by date, and sites in the order of the blocks of the anchor's file, so that a block
        is decoded once.
    """
    order = {number: rank for rank, number in enumerate(sorted(scenes, key=lambda number: (_date(entries[number]), number)))}
    visits = [_visits(sites, number, facts, entries[number].sensor, order[number]) for number, facts in scenes.items()]
    if not visits:
        return pd.DataFrame(columns=COLUMNS)
    together = pd.concat(visits, ignore_index=True).sort_values(["sensor", "site", "rank"], kind="stable", ignore_index=True)
    anchors = together.drop_duplicates(["sensor", "site"]).rename(columns={"scene": "anchor", "rank": "anchor_rank"})
    of_anchor = ["anchor", "anchor_rank", "column", "row", "block_row", "block_column"]
    together = together[["sensor", "site", "scene", "rank"]].merge(anchors[["sensor", "site", *of_anchor]], on=["sensor", "site"])
    together = together.sort_values(["sensor", "anchor_rank", "block_row", "block_column", "site", "rank"], kind="stable")
    return together[COLUMNS].reset_index(drop=True)


def _date(entry: SceneEntry) -> dt.date:
    """Return when a scene was acquired, the middle of its quarter where only that is known; scenes without a date are the last."""
    if entry.acquired:
        return entry.acquired
    if entry.quarter:
        return dt.date(int(entry.quarter[:4]), 3 * int(entry.quarter[-1]) - 1, 15)
    return dt.date.max


def _visits(sites: pd.DataFrame, number: int, facts: SceneFacts, sensor: str, rank: int) -> pd.DataFrame:
    west, south, east, north = facts.bounds
    lon = sites["lon"] + 360.0 * (sites["lon"] < west) - 360.0 * (sites["lon"] > east)  # a scene may go on beyond 180 degrees
    is_near = lon.between(west, east) & sites["lat"].between(south, north)
    near = sites[is_near]
    column, row = _pixel_at(lon[is_near].to_numpy(), near["lat"].to_numpy(), facts)
    inside = (column >= 0) & (column < facts.width) & (row >= 0) & (row < facts.height)
    visited = near.loc[inside, ["site"]].assign(sensor=sensor, scene=number, rank=rank, column=column[inside], row=row[inside])
    visited["block_row"] = visited["row"] // facts.block_shape[0]
    visited["block_column"] = visited["column"] // facts.block_shape[1]
    return visited


def _pixel_at(lon: NDArray[np.float64], lat: NDArray[np.float64], facts: SceneFacts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the column and row (N,) of the pixels that places, degrees on WGS84, lie in; they may be outside the scene."""
    x, y = Transformer.from_crs(WGS84.to_wkt(), facts.crs.to_wkt(), always_xy=True).transform(lon, lat)
    column, row = ~facts.transform @ np.stack([x, y])
    reachable = np.isfinite(column) & np.isfinite(row)
    return np.where(reachable, np.floor(column), -1).astype(np.int64), np.where(reachable, np.floor(row), -1).astype(np.int64)
