"""Drawing the mosaics and the segmentation truths, block by block, and turning them into Cloud Optimized GeoTIFFs."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
from rasterio.transform import Affine, from_origin
from rasterio.windows import Window

from eartheye.telemetry import progress_of
from services.world.config import GSD_M, PROJECTION, WorldConfig
from services.world.cover import COLOURS, Cover
from services.world.ground import MARGIN_PX, GroundMaker
from services.world.noise import Block
from services.world.plan import Plan
from services.world.render import Renderer
from services.world.scenes import SCENES
from services.world.traffic import make_traffic

BLOCK_PX = 512
"""Side of the blocks that are drawn at once: their layers fit a processor's cache."""
TRUTH, TRUTH_AFTER = "classes_1m.tif", "classes_1m_2024.tif"
"""Before the changes, and after them."""
TRUTHS = (TRUTH, TRUTH_AFTER)
DRAFT: dict[str, Any] = {
    "driver": "GTiff",
    "crs": PROJECTION,
    "tiled": True,
    "blockxsize": BLOCK_PX,
    "blockysize": BLOCK_PX,
    "dtype": "uint8",
}

T = TypeVar("T")
R = TypeVar("R")


def transform(config: WorldConfig, gsd_m: float) -> Affine:
    """Return the geotransform of a raster that begins at the world's north-western corner."""
    return from_origin(*config.upper_left_m, gsd_m, gsd_m)


def draw_mosaics(plan: Plan, files: dict[str, Path], workers: int | None) -> None:
    """Draw mosaics and truths into plain TIFFs, which have still to become Cloud Optimized GeoTIFFs.

    Args:
        plan: of the world.
        files: which to draw, names of scenes and of `TRUTHS`, and where.
        workers: threads; the pixels do not depend on them. None: one for each processor.
    """
    config = plan.config
    scenes = [(number, scene) for number, scene in enumerate(SCENES) if scene.file in files]
    summit_m = float(plan.terrain.elevation_m.max())
    renderers = [Renderer(config, scene, make_traffic(plan, number), summit_m) for number, scene in scenes]
    before = GroundMaker(plan, after=False)
    after = GroundMaker(plan, after=True)

    def draw(block: Block) -> tuple[Block, dict[str, tuple[NDArray[np.uint8], NDArray[np.bool_] | None]]]:
        ground = before.make(block)
        changed = after.make(block) if after.differs_in(block) else ground
        drawn = {r.scene.file: r.render(changed if r.scene.changed else ground) for r in renderers}
        for truth, shown in zip(TRUTHS, (ground, changed), strict=True):
            if truth in files:
                drawn[truth] = (shown.classes[None, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX], None)
        return block, drawn

    workers = workers or os.cpu_count() or 1
    size_px = config.size_m
    blocks = [
        Block(top, left, min(BLOCK_PX, size_px - top), min(BLOCK_PX, size_px - left))
        for top in range(0, size_px, BLOCK_PX)
        for left in range(0, size_px, BLOCK_PX)
    ]
    with ExitStack() as stack:
        stack.enter_context(rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True))
        drafts = {file: stack.enter_context(_draft(config, path, bands=1 if file in TRUTHS else 3)) for file, path in files.items()}
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        advance = stack.enter_context(progress_of("drawing the world", total=len(blocks)))
        for block, drawn in _ahead(pool, draw, blocks, 2 * workers):
            window = Window(int(block.left), int(block.top), block.width, block.height)
            for file, (pixels, valid) in drawn.items():
                drafts[file].write(pixels, window=window)
                if valid is not None:
                    drafts[file].write_mask(valid, window=window)
            advance()
    for file, path in files.items():
        if path.stat().st_size < (1 if file in TRUTHS else 3) * size_px**2:  # GDAL keeps to itself what fails while it closes a file
            raise OSError(errno.ENOSPC, "the last blocks could not be written", str(path))


def _draft(config: WorldConfig, path: Path, bands: int) -> DatasetWriter:
    shape = {"width": config.size_m, "height": config.size_m, "count": bands, "transform": transform(config, GSD_M)}
    draft = rasterio.open(path, "w", **{**DRAFT, **shape}, photometric="RGB" if bands == 3 else "MINISBLACK")
    if bands == 1:
        draft.nodata = 0
        draft.write_colormap(1, {int(cover): tuple(bytes.fromhex(COLOURS[cover][1:])) for cover in Cover})
    return draft


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """Yield the results of work in the order of the items, with a bounded number of them under way."""
    items = iter(items)
    waiting = [pool.submit(work, item) for item in islice(items, ahead)]
    while waiting:
        yield waiting.pop(0).result()
        waiting += [pool.submit(work, item) for item in islice(items, 1)]
