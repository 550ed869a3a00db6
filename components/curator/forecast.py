"""What curating would come to: counted from the index, its time from a few tiles looked at on trial."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.curator.config import CuratorConfig
from components.curator.looks import ShardLooks, look
from components.curator.run import dropped_of, identify, parts_of, sort_out
from eartheye.contracts import Curated
from eartheye.store import Folder
from eartheye.telemetry import progress_of
from eartheye.tiles import TileSet

TRIED = 24
"""Tiles, at most, that are looked at on trial."""


@dataclass(frozen=True)
class CurationForecast:
    """What is still to be done about tiles; which are copies or redundant is known when all have been looked at."""

    tiles: int
    """Tiles that were cut."""
    poor: dict[str, int]
    """Those that are dropped one by one, by reason."""
    looks: int
    """Good tiles that are still to be looked at."""
    parts: int
    """Shards that these are in."""
    done: int
    """Shards that an earlier run has looked at already."""
    size_bytes: int
    """Of the looks, about."""
    seconds: float
    """To look at tiles on this machine, about; sites are compared after that."""


def forecast_curation(tiles: Folder, config: CuratorConfig, curated: Folder) -> CurationForecast | None:
    """Say what `curate` would still do; nothing is written.

    Args:
        tiles: a finished folder of tiles.
        config: what is dropped.
        curated: where the decisions would go.

    Returns:
        The counts; None where the folder is finished.

    Raises:
        UserError: what `curate` would raise, but for a full store.
    """
    made_from = identify(tiles, config)
    if Curated.done(curated, made_from):
        return None
    tile_set = TileSet(tiles)
    table = sort_out(tile_set, config)
    parts = list(parts_of(table[table["reason"].isna()], curated))
    numbers = [rows["tile"].to_numpy() for rows, folder in parts if not ShardLooks.done(folder, made_from)]
    size_bytes, seconds = try_some(tile_set, np.concatenate([np.empty(0, np.int64), *numbers]))
    return CurationForecast(
        tiles=len(table),
        poor=dropped_of(table),
        looks=sum(map(len, numbers)),
        parts=len(numbers),
        done=len(parts) - len(numbers),
        size_bytes=size_bytes,
        seconds=seconds,
    )


def try_some(tiles: TileSet, numbers: NDArray[np.int64]) -> tuple[int, float]:
    """Look at a few tiles, and return bytes and seconds of all at this rate."""
    chosen = numbers[:: max(-(-len(numbers) // TRIED), 1)]
    if not len(chosen):
        return 0, 0.0
    begun = time.perf_counter()
    with progress_of("looking at a few tiles", len(chosen)) as advance:
        looks = look(tiles, chosen, advance)
    scale = len(numbers) / len(chosen)
    return round((looks.descriptors.nbytes + looks.thumbnails.nbytes) * scale), (time.perf_counter() - begun) * scale
