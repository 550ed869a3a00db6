"""Which tiles are to be cut, in parts that can be done one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from components.tiler.config import TilerConfig
from components.tiler.lattice import Place, cover
from components.tiler.survey import Survey
from components.tiler.visits import find_visits
from eartheye.contracts import Catalogue
from eartheye.contracts.catalogue import ImagesEntry


@dataclass(frozen=True)
class SitesPart:
    """Tiles of one sensor at drawn sites."""

    visits: pd.DataFrame
    """A row for each tile, as `find_visits` gives them, and `group`."""

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return len(self.visits)


@dataclass(frozen=True)
class CoverPart:
    """Tiles of one scene that is covered whole."""

    scene: int
    """Its number in the catalogue."""
    places: tuple[Place, ...]

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return len(self.places)


@dataclass(frozen=True)
class ImagesPart:
    """Tiles of images without georeference."""

    entry: int
    """Number of the image folder in the catalogue."""
    names: tuple[str, ...]
    """Of the images in the data folder."""

    @property
    def tiles(self) -> int:
        """Number of images, each of which gives a tile or more."""
        return len(self.names)


Part = SitesPart | CoverPart | ImagesPart


def make_plan(catalogue: Catalogue, found: Survey, sites: pd.DataFrame, config: TilerConfig) -> list[Part]:
    """Return the parts, in the order in which their tiles are numbered.

    Args:
        catalogue: what lies in the data folder.
        found: what was found of it.
        sites: columns `site`, `lon`, `lat` and `group`.
        config: how tiles are cut.
    """
    at_sites = {number: facts for number, facts in found.scenes.items() if catalogue.scenes[number].cut == "sites"}
    visits = find_visits(sites, catalogue.scenes, at_sites)
    visits["group"] = visits["site"].map(sites.set_index("site")["group"])
    parts: list[Part] = [SitesPart(rows.reset_index(drop=True)) for rows in _chunks_of_sites(visits, config.part_tiles)]
    for number, facts in found.scenes.items():
        entry = catalogue.scenes[number]
        if entry.cut == "cover":
            chip_px = entry.chip_px or config.chip_px
            places = list(cover(facts.width, facts.height, chip_px, config.group_side))
            parts += [CoverPart(number, tuple(some)) for some in _chunks(places, config.part_tiles)]
    for number, names in found.images.items():
        parts += [ImagesPart(number, tuple(some)) for some in _chunks(names, config.part_tiles)]
    return parts


def thin(part: Part, step: int) -> Part:
    """Return a part with each `step`-th tile, the first among them."""
    match part:
        case SitesPart():
            return replace(part, visits=part.visits.iloc[::step])
        case CoverPart():
            return replace(part, places=part.places[::step])
        case ImagesPart():
            return replace(part, names=part.names[::step])


def image_group(entry: ImagesEntry, name: str) -> str:
    """Return what is never split between training and test: an image, or the images that the entry's pattern takes together."""
    found = entry.group_pattern.search(name) if entry.group_pattern else None
    return f"{entry.path} {found.group(1)}" if found else name


def _chunks_of_sites(visits: pd.DataFrame, size: int) -> Iterator[pd.DataFrame]:
    """Yield at most so many rows of one sensor each time, or all those of one site."""
    if visits.empty:
        return
    sensor, site = visits["sensor"].to_numpy(), visits["site"].to_numpy()
    new_sensor = np.append(True, sensor[1:] != sensor[:-1])
    starts = np.flatnonzero(new_sensor | np.append(True, site[1:] != site[:-1]))
    begin = 0
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(visits)], strict=True):
        if start > begin and (new_sensor[start] or end - begin > size):
            yield visits.iloc[begin:start]
            begin = start
    yield visits.iloc[begin:]


def _chunks(items: list, size: int) -> Iterator[list]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
