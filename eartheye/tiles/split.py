"""Which tiles a model is trained on, and which are kept from it."""

import hashlib
from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from eartheye.errors import NotEnoughTiles
from eartheye.seed import Seed
from eartheye.tiles.footprint import footprints
from eartheye.wording import counted

HELD_OUT = ("test", "validation")
SAME_GROUND_SHARE = 0.001
"""Tiles that have less than this part of a footprint in common only touch."""


class SplitConfig(BaseModel):
    """How tiles are parted into training, validation and test."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    by: Literal["group", "label"] = "group"
    """`label` parts the groups of each label by itself, so that every part holds every label in its share: the tiles' own
    labels, which a label set does not give."""
    test_share: float = Field(0.2, ge=0, lt=1)
    """Share of the tiles, as near as whole groups come to it."""
    validation_share: float = Field(0.1, ge=0, lt=1)
    seed: Seed = 0
    """Another seed draws other groups."""

    @model_validator(mode="after")
    def _leaves_training(self) -> Self:
        if self.test_share + self.validation_share >= 1:
            raise ValueError("test_share and validation_share leave nothing to train on: together they must be less than 1")
        return self


def split(index: pd.DataFrame, config: SplitConfig) -> pd.Series:
    """Part tiles so that neither a group nor a piece of ground is on two sides.

    Groups are taken in the order of the hash of (seed, group), first for the test, then for the validation, each time if that brings
    the part nearer to its share; the rest is for training. Where tiles of different groups show the same ground, as chips at the edge
    of neighbouring blocks, the one of the training gives way to the one held out, and that of the validation to that of the test.

    Args:
        index: rows of `TileSet.index`, those to part; rejected tiles, and tiles without a label where the split is by label, are left out.
        config: the shares, and what they are shares of.

    Returns:
        `train`, `validation` or `test` for each tile that takes part, by tile, in the order of the index.

    Raises:
        NotEnoughTiles: there are fewer groups, of a label if it is by label, than parts; no tile has a label where it is by label; or
            nothing is left to train on.
    """
    index = index[index["rejected"].isna()]
    if config.by == "label":
        index = index[index["label"].notna()]
        if index.empty:
            raise NotEnoughTiles("no tile has a label of its own to be parted by, as images in folders of classes have: set `by` to group")
    part_of_group: dict[str, str] = {}
    for label, sizes in _strata(index, config.by):
        part_of_group |= _part(sizes, config, label)
    part = pd.Series(index["group"].map(part_of_group).to_numpy(object), index=index["tile"].to_numpy(), name="part", dtype=object)
    part = part[~_shown_by_the_held_out(index, part)]
    for name in _parts(config):
        if not (part == name).any():
            raise NotEnoughTiles(f"no tile is left for the part '{name}': cut more tiles, farther apart, or set smaller shares")
    return part


def clear_of_test(index: pd.DataFrame, config: SplitConfig) -> NDArray[np.bool_]:
    """Say which tiles may be learned from without labels: those of no group and no ground of the test.

    Args:
        index: rows of `TileSet.index`, none rejected.
        config: of the split.

    Returns:
        (N,); tiles without a label take part also where the split is by label.

    Raises:
        NotEnoughTiles: as `split` does.
    """
    part = split(index, config)
    test = index[index["tile"].isin(part.index[part == "test"])]
    return ~(index["group"].isin(test["group"]).to_numpy() | _shown(footprints(index), footprints(test)))


def _strata(index: pd.DataFrame, by: str) -> Iterator[tuple[str | None, pd.Series]]:
    """Yield each label (or None for all) with its groups and their sizes; a group of several labels counts under its most frequent."""
    if by == "group":
        yield None, index.groupby("group").size()
        return
    sizes = index.groupby(["group", "label"]).size().rename("tiles").reset_index()
    sizes = sizes.sort_values(["group", "tiles", "label"], ascending=[True, False, True]).drop_duplicates("group")
    for label, groups in sizes.groupby("label"):
        yield str(label), groups.set_index("group")["tiles"]


def _parts(config: SplitConfig) -> tuple[str, ...]:
    shares = {"test": config.test_share, "validation": config.validation_share}
    return (*(name for name in HELD_OUT if shares[name] > 0), "train")


def _part(sizes: pd.Series, config: SplitConfig, label: str | None) -> dict[str, str]:
    """Return the part of each group; `sizes` are the tiles by group."""
    parts = _parts(config)
    if len(sizes) < len(parts):
        whose = "" if label is None else f" of the label '{label}'"
        raise NotEnoughTiles(
            f"{counted(len(sizes), 'group')}{whose} cannot be parted into {', '.join(parts)}: cut more tiles, or set a share to 0"
        )
    order = sorted(sizes.index, key=lambda group: (_hash(group, config.seed), group))
    part_of: dict[str, str] = {}
    for name, share in (("test", config.test_share), ("validation", config.validation_share)):
        if share == 0:
            continue
        wanted, filled = share * sizes.sum(), 0
        for group in order:
            if group not in part_of and filled + sizes[group] / 2 <= wanted:
                part_of[group] = name
                filled += sizes[group]
        if not filled:
            part_of[min((group for group in order if group not in part_of), key=lambda group: sizes[group])] = name
    return {group: part_of.get(group, "train") for group in order}


def _hash(group: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}/{group}".encode(), digest_size=8).digest()


def _shown_by_the_held_out(index: pd.DataFrame, part: pd.Series) -> NDArray[np.bool_]:
    """(N,) whether a tile shows ground that a tile of another part, which goes before it, shows too."""
    ground = footprints(index)
    parts = part.to_numpy(object)
    gives_way = np.zeros(len(index), np.bool_)
    for place, name in enumerate(HELD_OUT):
        before = (parts == name) & ~gives_way
        after = ~np.isin(parts, HELD_OUT[: place + 1])
        gives_way[after] |= _shown(ground[after], ground[before])
    return gives_way


def _shown(ground: NDArray[np.object_], others: NDArray[np.object_]) -> NDArray[np.bool_]:
    """(N,) whether a footprint has more in common with one of the others than an edge."""
    first, second = shapely.STRtree(others).query(ground, predicate="intersects")
    common = shapely.area(shapely.intersection(ground[first], others[second]))
    smaller = np.minimum(shapely.area(ground[first]), shapely.area(others[second]))
    shown = np.zeros(len(ground), np.bool_)
    shown[first[common > SAME_GROUND_SHARE * smaller]] = True
    return shown
