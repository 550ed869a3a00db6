"""The plan's folder: the rasters of its blocks, and how each block ended, put once."""

import hashlib

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.windows import Window as RasterWindow

from eartheye.contracts.messages import BlockOutcome
from eartheye.store import Bulk, Folder
from eartheye.telemetry import PULSE

TILED_FROM_PX = 512
HELD = "held"


def put_outcome(work: Folder, outcome: BlockOutcome) -> BlockOutcome:
    """Put an outcome unless the block has one, and return the one that holds."""
    if work.create_once(_name(outcome.block), outcome.model_dump_json().encode()):
        return outcome
    return read_outcome(work, outcome.block) or outcome


def read_outcome(work: Folder, block: str) -> BlockOutcome | None:
    """Return how a block ended, None while it has not."""
    data = work.read(_name(block))
    return BlockOutcome.model_validate_json(data) if data is not None else None


def ended_blocks(work: Folder) -> set[str]:
    """Return the blocks that have an outcome."""
    return {name.removeprefix("outcomes/").removesuffix(".json") for name in work.list("outcomes/")}


def forget_outcome(work: Folder, block: str) -> None:
    """Remove an outcome and what was tried, so that the block can be mapped again."""
    for attempt in list(work.list(f"attempts/{block}/")):
        work.delete(attempt)
    work.delete(_name(block))


def begin_attempt(work: Folder, block: str) -> int:
    """Note that a block is worked on, and return which attempt it is, from 1.

    The note stays where the attempt ends its process: so a block that does so each time is known, and one that only waits is not blamed.
    """
    attempt = 1
    while not work.create_once(f"attempts/{block}/{attempt}", b""):
        attempt += 1
    return attempt


def forget_attempt(work: Folder, block: str, attempt: int) -> None:
    """Take an attempt back that failed for no fault of the block."""
    work.delete(f"attempts/{block}/{attempt}")


def hold_work(work: Folder) -> None:
    """Let workers pass over the blocks of a plan whose messages they still get."""
    work.create_once(HELD, b"")


def release_work(work: Folder) -> None:
    """Let workers map the blocks of a plan again."""
    work.delete(HELD)


def is_held(work: Folder) -> bool:
    """Say whether nobody waits for the blocks of a plan at present."""
    return work.exists(HELD)


def clear_work(work: Folder) -> None:
    """Remove what was kept for a plan's maps; a worker that still gets a message of it passes it over."""
    hold_work(work)
    for name in list(work.list()):
        if name != HELD:
            work.delete(name)
            PULSE.advanced()


def put_raster(work: Folder, block: str, classes: NDArray[np.uint8], crs: CRS, transform: Affine) -> Bulk:
    """Put a block's class map as GeoTIFF; the same classes make the same bytes.

    The digest is part of the object's name: should two workers disagree, the one whose outcome holds keeps its raster.

    Args:
        work: folder of the plan.
        block: as `r0003c0012`.
        classes: (height, width).
        crs: reference system of the scene.
        transform: of the block.
    """
    height, width = classes.shape
    tiled = min(height, width) >= TILED_FROM_PX
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            count=1,
            dtype="uint8",
            nodata=0,
            height=height,
            width=width,
            crs=crs,
            transform=transform,
            compress="deflate",
            tiled=tiled,
        ) as dataset:
            dataset.write(classes, 1)
        data = memory.read()
    name = f"blocks/{block}-{hashlib.sha256(data).hexdigest()[:16]}.tif"
    with work.create(name) as file:
        file.write(data)
    return work.bulk(name)


def read_raster(folder: Folder, raster: Bulk, window: RasterWindow | None = None) -> NDArray[np.uint8]:
    """Return the (height, width) class values of a block, or of a window of a map.

    Raises:
        MissingBulk: the raster is not there.
        CorruptBulk: it is not the one that the outcome tells of.
    """
    with folder.open(raster) as file, rasterio.open(file) as dataset:
        return dataset.read(1, window=window)


def _name(block: str) -> str:
    return f"outcomes/{block}.json"
