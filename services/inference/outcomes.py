"""The plan's folder: the rasters of its blocks, and how each block ended, put once."""

import hashlib

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from eartheye.contracts.messages import BlockOutcome
from eartheye.store import Bulk, Folder

TILED_FROM_PX = 512


def put_outcome(work: Folder, outcome: BlockOutcome) -> BlockOutcome:
    """Put an outcome unless the block has one, and return the one that holds."""
    if work.create_once(_name(outcome.block), outcome.model_dump_json().encode()):
        return outcome
    return read_outcome(work, outcome.block) or outcome


def read_outcome(work: Folder, block: str) -> BlockOutcome | None:
    """Return how a block ended, None while it has not."""
    data = work.read(_name(block))
    return BlockOutcome.model_validate_json(data) if data is not None else None


def forget_outcome(work: Folder, block: str) -> None:
    """Remove an outcome, so that the block can be mapped again."""
    work.delete(_name(block))


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


def read_raster(work: Folder, raster: Bulk) -> NDArray[np.uint8]:
    """Return a block's (height, width) class values.

    Raises:
        MissingBulk: the raster is not there.
        CorruptBulk: it is not the one that the outcome tells of.
    """
    with work.open(raster) as file, rasterio.open(file) as dataset:
        return dataset.read(1)


def _name(block: str) -> str:
    return f"outcomes/{block}.json"
