"""Reading the tiles of a part from the imagery."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
from affine import Affine

from components.tiler.config import TilerConfig
from components.tiler.images import read_image
from components.tiler.lattice import cover
from components.tiler.plan import CoverPart, ImagesPart, Part, SitesPart, image_group
from components.tiler.sample import TOO_LARGE, Grid, Sample, image_facts, scene_facts
from components.tiler.survey import Survey, reason, wrong_type
from components.tiler.truth import Truth
from eartheye.contracts import Catalogue
from eartheye.errors import UnreadableRaster, WrongBands
from eartheye.raster import Scene, open_scene, read_on_grid
from eartheye.store import Folder


class Reader:
    """Reads tiles; used by one thread, within a block.

    Args:
        data: the data folder.
        catalogue: what lies in it.
        found: what was found of it.
        config: how tiles are cut.
    """

    def __init__(self, data: Folder, catalogue: Catalogue, found: Survey, config: TilerConfig) -> None:
        self._data, self._catalogue, self._found, self._config = data, catalogue, found, config

    def read(self, part: Part) -> Iterator[Sample]:
        """Yield the tiles of a part, in order; one that cannot be read as a rejection."""
        with ExitStack() as files:
            truth = Truth(self._data, self._catalogue, files)
            match part:
                case SitesPart():
                    yield from self._at_sites(part, truth, files)
                case CoverPart():
                    yield from self._over_scene(part, truth, files)
                case ImagesPart():
                    for name in part.names:
                        yield from self._of_image(part.entry, name, truth)
            truth.warn()

    def _at_sites(self, part: SitesPart, truth: Truth, files: ExitStack) -> Iterator[Sample]:
        scenes: dict[int, Scene] = {}
        for visit in part.visits.to_dict("records"):
            anchor, number = visit["anchor"], visit["scene"]
            if number not in scenes:
                scenes[number] = self._open(number, files)
            grid = self._grid_at(anchor, visit["column"], visit["row"])
            facts = {"site": visit["site"], "group": visit["group"]}
            if self._largest_share(number, anchor, grid) < self._config.min_valid_share:
                facts |= _too_large(scenes[number], grid.width)  # known before a pixel is read: such a tile may not fit in memory
            sample = self._on_grid(scenes[number], number, grid, facts, self._found.scenes[anchor].gsd_m, truth)
            if sample.valid is not None and sample.valid.mean() < self._config.min_valid_share:
                sample = replace(sample, facts=sample.facts | _too_large(scenes[number], grid.width))
            yield sample

    def _over_scene(self, part: CoverPart, truth: Truth, files: ExitStack) -> Iterator[Sample]:
        scene, entry = self._open(part.scene, files), self._catalogue.scenes[part.scene]
        chip_px = entry.chip_px or self._config.chip_px
        for place in part.places:
            transform = scene.transform @ Affine.translation(place.column, place.row)
            grid = Grid(scene.crs, transform, place.height, place.width)
            facts = {"group": f"{entry.path} {place.block[0]}.{place.block[1]}"} | _too_large(scene, chip_px)
            yield self._on_grid(scene, part.scene, grid, facts, self._found.scenes[part.scene].gsd_m, truth)

    def _on_grid(self, scene: Scene, number: int, grid: Grid, known: dict[str, Any], gsd_m: float, truth: Truth) -> Sample:
        entry = self._catalogue.scenes[number]
        facts = scene_facts(self._catalogue, entry, grid, gsd_m) | known
        if "rejected" in facts:
            return Sample(facts)
        try:
            pixels, valid = read_on_grid(scene, grid.crs, grid.transform, grid.height, grid.width)
        except UnreadableRaster as error:
            return Sample(facts | {"rejected": reason(error, self._data)})
        return Sample(facts, pixels, valid, truth.on_grid(entry, grid, valid) if valid.any() else {})

    def _of_image(self, number: int, name: str, truth: Truth) -> Iterator[Sample]:
        entry = self._catalogue.images[number]
        facts = image_facts(self._catalogue, entry, name, image_group(entry, name))
        try:
            pixels, valid = read_image(f"{self._data.root}/{name}", entry.bands)
        except (UnreadableRaster, WrongBands) as error:
            yield Sample(facts | {"rejected": reason(error, self._data)})
            return
        if why := wrong_type(str(pixels.dtype), self._found.dtypes.get(entry.sensor)):
            yield Sample(facts | {"rejected": why})
            return
        masks = truth.of_image(entry, name, valid.shape)
        for place in cover(valid.shape[1], valid.shape[0], entry.chip_px or self._config.chip_px, block_side=1):
            part = np.s_[place.row : place.row + place.height, place.column : place.column + place.width]
            cut = {labels: np.where(valid, mask, 0)[part].astype(np.uint8) for labels, mask in masks.items()}
            labelled = {labels: mask for labels, mask in cut.items() if mask.any()}
            yield Sample(facts | {"height": place.height, "width": place.width}, pixels[:, *part], valid[part], labelled)

    def _open(self, number: int, files: ExitStack) -> Scene:
        entry = self._catalogue.scenes[number]
        return files.enter_context(open_scene(f"{self._data.root}/{entry.path}", entry.bands, entry.nodata, entry.crs))

    def _largest_share(self, number: int, anchor: int, grid: Grid) -> float:
        """Return the share of a tile, on the anchor's pixels, that the whole of a scene would fill."""
        scene, scale = self._found.scenes[number], self._found.scenes[number].gsd_m / self._found.scenes[anchor].gsd_m
        return (scene.width * scale) * (scene.height * scale) / (grid.width * grid.height)

    def _grid_at(self, anchor: int, column: int, row: int) -> Grid:
        """Return the grid of the tiles at a site: pixels of the anchor around the one that the site lies in."""
        facts = self._found.scenes[anchor]
        chip_px = self._catalogue.scenes[anchor].chip_px or self._config.chip_px
        transform = facts.transform @ Affine.translation(column - chip_px // 2, row - chip_px // 2)
        return Grid(facts.crs, transform, chip_px, chip_px)


def _too_large(scene: Scene, chip_px: int) -> dict[str, str]:
    """Return why no tile can be cut from a scene, nothing where it can."""
    if min(scene.width, scene.height) >= chip_px:
        return {}
    return {"rejected": f"{TOO_LARGE}: {chip_px} px of {scene.width} x {scene.height}, set its chip_px"}
