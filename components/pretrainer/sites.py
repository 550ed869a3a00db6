"""Which sites are pretrained on, and which tiles show them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from components.pretrainer.views import Acquisition
from eartheye.contracts import ImageSpec
from eartheye.errors import NotEnoughTiles
from eartheye.tiles import SplitConfig, TileSet, clear_of_test
from models.package import check_sensor


@dataclass(frozen=True)
class PretrainingSites:
    """Sites with at least one tile that may be learned from."""

    sites: tuple[int, ...]
    """Ascending."""
    tiles: dict[int, tuple[int, ...]]
    """A site's acquisitions, ascending."""
    index: pd.DataFrame
    """Rows of the tile index that are used."""
    image: ImageSpec
    """Images of the sensor of most tiles: what the model package describes."""


def choose_sites(tiles: TileSet, curated: pd.DataFrame, holdout: SplitConfig | None) -> PretrainingSites:
    """Take the tiles that the curator kept, less those held out.

    Args:
        tiles: the tiles.
        curated: columns `tile` and `keep`.
        holdout: the test part of this split is left out, and other tiles of its groups and its ground.

    Raises:
        NotEnoughTiles: no tile is left.
        WrongBands: one network cannot take the channels of all sensors.
    """
    index = tiles.cut
    usable = index["pretrain"] & index["tile"].isin(curated.loc[curated["keep"], "tile"])
    if holdout is not None:
        usable &= clear_of_test(index, holdout)
    index = index[usable]
    if index.empty:
        raise NotEnoughTiles("no tile is left to pretrain on: loosen the curator's thresholds or the holdout")

    of_site: dict[int, tuple[int, ...]] = {}
    for site, tile in zip(index["site"].tolist(), index["tile"].tolist(), strict=True):
        of_site[site] = (*of_site.get(site, ()), tile)
    used = Counter(index["sensor"].tolist())
    image = tiles.image_spec(min(used, key=lambda sensor: (-used[sensor], sensor)))
    for sensor in used:
        check_sensor(tiles.sensors[sensor], image)
    return PretrainingSites(tuple(sorted(of_site)), of_site, index, image)


def read_acquisition(tiles: TileSet, tile: int) -> Acquisition:
    """Return a tile with what its values mean."""
    image = tiles.image_spec(str(tiles.index["sensor"].iat[tile]))
    mean, std = torch.tensor(image.mean), torch.tensor(image.std)
    lowest, highest = (-np.inf, np.inf) if image.dtype == "float32" else (np.iinfo(image.dtype).min, np.iinfo(image.dtype).max)
    return Acquisition(tile, torch.from_numpy(tiles.channels(tile)), mean, torch.where(std > 0, std, 1.0), (float(lowest), float(highest)))
