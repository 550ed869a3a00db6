"""Which windows of which tiles a head learns from, is chosen on, and is tested on."""

import colorsys
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.finetuner.config import SamplesConfig, Task
from eartheye.contracts import ClassSpec
from eartheye.errors import NotEnoughTiles
from eartheye.telemetry import progress
from eartheye.tiles import TileSet, split
from eartheye.wording import counted

GOLDEN_RATIO = 0.618033988749895


class Window(NamedTuple):
    """A square of a labelled tile."""

    tile: int
    top: int
    """First row, px."""
    left: int
    """First column, px."""
    label: int
    """Number of its class, from 0: the scene's, or the most frequent of its pixels."""
    part: str
    """`train`, `validation` or `test`."""
    group: str
    """What is never split between the parts."""


@dataclass(frozen=True)
class Windows:
    """Windows of tiles of one sensor; features and targets of a window are found by its place in `all`."""

    all: tuple[Window, ...]
    parts: pd.Series
    """`train`, `validation` or `test` of every tile that takes part, by tile."""
    classes: tuple[ClassSpec, ...]
    sensor: str
    input_px: int

    def rows(self, *parts: str) -> NDArray[np.int64]:
        """Return the places of the windows of some parts."""
        return np.array([row for row, window in enumerate(self.all) if window.part in parts], np.int64)

    def rows_of(self, tile: int) -> NDArray[np.int64]:
        """Return the places of a tile's windows."""
        return np.array([row for row, window in enumerate(self.all) if window.tile == tile], np.int64)

    def tiles(self, part: str) -> dict[int, str]:
        """Return the tiles of a part in the order of their windows, each with its group."""
        return {window.tile: window.group for window in self.all if window.part == part}

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) class number of each window, from 0."""
        return np.array([window.label for window in self.all], np.int64)


def choose_windows(tiles: TileSet, task: Task, samples: SamplesConfig) -> Windows:
    """Cover the labelled tiles with windows.

    Args:
        tiles: the tiles.
        task: what is to be learned.
        samples: labels, size, split.

    Raises:
        NotEnoughTiles: there are no labels, or those of several sensors; tiles are smaller than the windows; or fewer than two
            windows, or classes, are left for training.
    """
    index = labelled_tiles(tiles, samples)
    parts = split(index, samples.split)
    index = index[index["tile"].isin(parts.index)]
    if samples.acquisitions is not None:
        index = draw_acquisitions(index, samples.acquisitions, samples.split.seed)
    if samples.label_set is None:
        classes = classes_of(sorted(index["label"].unique()))
        found = list(middles(index, classes, samples.input_px))
    else:
        classes = tiles.label_sets[samples.label_set].classes
        least_share = samples.min_share if task == "scenes" else 0.0
        found = list(masked_windows(tiles, index["tile"].tolist(), samples.label_set, classes, samples.input_px, least_share))
    part, group = parts.to_dict(), dict(zip(index["tile"].tolist(), index["group"].tolist(), strict=True))
    windows = tuple(Window(tile, top, left, label, part[tile], group[tile]) for tile, top, left, label in found)
    labels = [window.label for window in windows if window.part == "train"]
    if len(labels) < 2 or (task == "scenes" and len(set(labels)) < 2):
        raise NotEnoughTiles(
            f"{counted(len(labels), 'window')} of {samples.input_px} px in {counted(len(set(labels)), 'class', 'classes')} to train on, "
            "two of each are the least: label more tiles, or set a smaller input_px or min_share"
        )
    return Windows(windows, parts, classes, str(index["sensor"].iat[0]), samples.input_px)


def labelled_tiles(tiles: TileSet, samples: SamplesConfig) -> pd.DataFrame:
    """Return the rows of the tile index that have the labels wanted, all of one sensor and large enough."""
    index = tiles.cut
    if samples.label_set is None:
        index = index[index["label"].notna()]
    else:
        index = index[[samples.label_set in sets for sets in index["label_sets"]]]
    if samples.sensor is not None:
        index = index[index["sensor"] == samples.sensor]
    what = f"label set '{samples.label_set}'" if samples.label_set else "labels of their own"
    if index.empty:
        raise NotEnoughTiles(f"no tile has {what}; the label sets are {sorted(tiles.label_sets)}: choose one of these, or add labels")
    if len(sensors := sorted(index["sensor"].unique())) > 1:
        raise NotEnoughTiles(f"tiles of the sensors {sensors} have {what}: choose one with `sensor`")
    large = index[["height", "width"]].min(axis=1) >= samples.input_px
    if not large.any():
        raise NotEnoughTiles(f"no labelled tile of '{sensors[0]}' is {samples.input_px} px wide: set a smaller input_px")
    return index[large]


def draw_acquisitions(index: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Keep at most so many tiles of each site; which ones depends on seed and site alone."""
    kept: list[int] = []
    for site in index["site"].unique().tolist():
        tiles = index.loc[index["site"] == site, "tile"].to_numpy()
        kept += np.random.default_rng([seed, site % 2**64]).permutation(tiles)[:most].tolist()
    return index[index["tile"].isin(kept)]


def middles(index: pd.DataFrame, classes: tuple[ClassSpec, ...], input_px: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield tile, top, left and class number of the middle of each tile that has a label."""
    number = {spec.name: place for place, spec in enumerate(classes)}
    columns = (index[name].tolist() for name in ("tile", "height", "width", "label"))
    for tile, height, width, label in zip(*columns, strict=True):
        yield tile, (height - input_px) // 2, (width - input_px) // 2, number[label]


def masked_windows(
    tiles: TileSet, chosen: list[int], label_set: str, classes: tuple[ClassSpec, ...], input_px: int, least_share: float
) -> Iterator[tuple[int, int, int, int]]:
    """Yield tile, top, left and number of the most frequent class of the windows in which that class has at least this share."""
    numbers = class_numbers(classes)
    for tile in progress(chosen, "reading masks"):
        mask = numbers[tiles.mask(tile, label_set)]
        for top in starts(mask.shape[0], input_px):
            for left in starts(mask.shape[1], input_px):
                window = mask[top : top + input_px, left : left + input_px]
                pixels = np.bincount(window.ravel(), minlength=len(classes) + 1)[1:]
                if pixels.max() > 0 and pixels.max() >= least_share * window.size:
                    yield tile, top, left, int(pixels.argmax())


def class_numbers(classes: tuple[ClassSpec, ...]) -> NDArray[np.uint8]:
    """(256,) from the values of a mask to the number of the class, from 1; 0 stays 0, unlabelled."""
    numbers = np.zeros(256, np.uint8)
    numbers[[spec.value for spec in classes]] = np.arange(1, len(classes) + 1)
    return numbers


def starts(side_px: int, input_px: int) -> list[int]:
    """First pixels of the fewest windows that cover a side, evenly spaced: 518 px and windows of 280 px give 0 and 238."""
    count = math.ceil(side_px / input_px)
    return [round(place * (side_px - input_px) / max(count - 1, 1)) for place in range(count)]


def classes_of(names: list[str]) -> tuple[ClassSpec, ...]:
    """Give classes that have only names a value and a colour."""
    colours = [colorsys.hls_to_rgb(place * GOLDEN_RATIO % 1, (0.35, 0.55, 0.7)[place % 3], 0.6) for place in range(len(names))]
    return tuple(
        ClassSpec(value=place + 1, name=name, colour="#" + "".join(f"{round(255 * part):02x}" for part in colours[place]))
        for place, name in enumerate(names)
    )
