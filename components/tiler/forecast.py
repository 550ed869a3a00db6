"""What the cutting of tiles would come to: counted from its plan, its size and time from a few tiles cut on trial."""

import time
from dataclasses import dataclass
from itertools import chain

import pandas as pd

from components.tiler.config import TilerConfig
from components.tiler.merge import left_out, nothing_cut
from components.tiler.part import encode_samples
from components.tiler.plan import CoverPart, ImagesPart, Part, SitesPart, thin
from components.tiler.reading import Reader
from components.tiler.tiling import Tiling, identify, open_tiling
from eartheye.contracts import Catalogue, Tiles
from eartheye.store import Folder

TRIED = 24
"""Tiles, about, that are cut on trial."""


@dataclass(frozen=True)
class TilesForecast:
    """What is still to be cut of a folder of tiles."""

    parts: int
    done: int
    """Parts that an earlier run has cut already; they are not counted here."""
    sites: int
    """Sites that a scene shows."""
    scenes: int
    """Scenes that show them."""
    at_sites: int
    """Tiles at sites, one for each acquisition."""
    over_scenes: int
    """Tiles over scenes that are covered whole."""
    images: int
    """Images of image folders, each of which gives a tile or more."""
    size_bytes: int
    """Of the tiles with their masks, about; a shard adds some kilobytes."""
    seconds: float
    """On this machine, about."""
    tried: int
    """Tiles that were cut on trial."""
    rejections: tuple[str, ...]
    """Why some of these were rejected, each."""


@dataclass(frozen=True)
class Trial:
    """What became of a few tiles that were read and encoded, and thrown away."""

    tiles: int
    of_all: bool
    """Whether the parts have no other tiles."""
    rejections: tuple[str, ...]
    """Why tiles were rejected, each."""
    size_bytes: int
    """Of all tiles of the parts, at this rate."""
    seconds: float
    """For all of them, at this rate."""


def forecast_tiles(data: str, catalogue: Catalogue, sites: Folder | None, config: TilerConfig, tiles: Folder) -> TilesForecast | None:
    """Say what `cut_tiles` would still cut; nothing is written. Of the tiles planned, the run rejects those without enough data.

    Args:
        data: path or URI of the data folder.
        catalogue: what lies in it.
        sites: a finished folder of sites; None where no scene is cut at sites.
        config: how tiles are cut.
        tiles: where they would go.

    Returns:
        The counts; None where the folder is finished.

    Raises:
        TargetTooLarge, NotEnoughTiles: every tile was tried, and none could be cut.
        UserError: what `cut_tiles` would raise before it cuts.
    """
    made_from = identify(data, catalogue, sites, config)
    if Tiles.done(tiles, made_from):
        return None
    tiling = open_tiling(data, catalogue, sites, config, tiles, made_from)
    parts = [part for number, part in enumerate(tiling.parts) if not tiling.done(number)]
    none = pd.DataFrame(columns=["site", "scene"])
    visits = pd.concat([none, *(part.visits[none.columns] for part in parts if isinstance(part, SitesPart))])
    trial = try_some(tiling, parts)
    if trial.of_all and len(trial.rejections) == trial.tiles and len(parts) == len(tiling.parts):
        unseen = left_out(catalogue, tiling.found, tiling.sites, tiling.parts)
        raise nothing_cut([*trial.rejections, *(row["rejected"] for row in unseen)])
    return TilesForecast(
        parts=len(parts),
        done=len(tiling.parts) - len(parts),
        sites=visits["site"].nunique(),
        scenes=visits["scene"].nunique(),
        at_sites=len(visits),
        over_scenes=sum(part.tiles for part in parts if isinstance(part, CoverPart)),
        images=sum(part.tiles for part in parts if isinstance(part, ImagesPart)),
        size_bytes=trial.size_bytes,
        seconds=trial.seconds,
        tried=trial.tiles,
        rejections=trial.rejections,
    )


def try_some(tiling: Tiling, parts: list[Part]) -> Trial:
    """Read and encode a few tiles of each part, or of parts far from each other, and throw them away."""
    chosen = parts[:: max(len(parts) // TRIED, 1)]
    step = max(sum(part.tiles for part in chosen) // TRIED, 1)
    few = [thin(part, step) for part in chosen]
    reader = Reader(tiling.data, tiling.catalogue, tiling.found, tiling.config)
    begun = time.perf_counter()
    samples = chain.from_iterable(reader.read(part) for part in few)
    tiles = encode_samples(samples, tiling.bands, tiling.config)
    tried = [(sum(map(len, tile.records.values())), tile.row.get("rejected")) for tile in tiles]
    seconds = time.perf_counter() - begun
    all_tiles, few_tiles = (sum(part.tiles for part in some) for some in (parts, few))
    scale = all_tiles / max(few_tiles, 1)
    return Trial(
        tiles=len(tried),
        of_all=few_tiles == all_tiles,
        rejections=tuple(why for _, why in tried if why),
        size_bytes=round(sum(size_bytes for size_bytes, _ in tried) * scale),
        seconds=seconds * scale,
    )
