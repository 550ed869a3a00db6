"""Writing Cloud Optimized GeoTIFF."""

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.windows import Window

from eartheye.raster.canvas import Canvas, CogSpec, take_room
from eartheye.store.draft_folder import draft_folder
from eartheye.store.room import room

BLOCK_PX = 512
MOST_BYTES = 1.7
"""Room that making the file can take over its plain pixels: overviews add a third, once as a draft, and noise does not compress."""
HEADER_BYTES = 2**20


def write_cog(path: Path, pixels: NDArray[np.generic] | Iterable[tuple[Window, NDArray[np.generic]]], spec: CogSpec) -> None:
    """Write a raster as Cloud Optimized GeoTIFF: tiles of 512 pixels, deflated, with overviews. It appears whole or not at all.

    Pixels go to disk as they come, so that a raster may be larger than memory. The same pixels and description make the same bytes.
    What a killed writer left hidden beside the file is removed by the next one.

    Args:
        path: a local file; one that is there is replaced.
        pixels: (C, height, width), or windows in any order with the (C, h, w) pixels of each.
        spec: what the raster is.

    Raises:
        StoreFull: the disk is full, or the file would be larger than a limit allows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    windows = [(Window(0, 0, spec.width, spec.height), pixels)] if isinstance(pixels, np.ndarray) else pixels
    what_for, remedy = f"to write {path}", "free space, raise the limit or choose another folder"
    with room(what_for, remedy), draft_folder(path) as folder, Canvas(folder, spec) as canvas:
        for window, part in windows:
            canvas.paint(window, part)
        made = folder / "made.tif"
        _encode(canvas, made)
        made.replace(path)


def _encode(canvas: Canvas, made: Path) -> None:
    """Let GDAL make the file, and see to it that it did.

    Raises:
        OSError: there was no room.
    """
    spec = canvas.spec
    options = {
        "COMPRESS": "DEFLATE",
        "PREDICTOR": "NO" if spec.classes else "YES",  # neighbouring classes have no small difference
        "BLOCKSIZE": BLOCK_PX,
        "OVERVIEWS": "AUTO",
        "OVERVIEW_RESAMPLING": "MODE" if spec.classes else "AVERAGE",
        "BIGTIFF": "IF_SAFER",
        "NUM_THREADS": "ALL_CPUS",
    }
    try:
        with rasterio.Env(GDAL_PAM_ENABLED=False):
            rasterio.shutil.copy(canvas.description, made, driver="COG", **options)
    except Exception:  # GDAL's errors have no common class, and none says that a disk is full
        made.unlink(missing_ok=True)
        with tempfile.TemporaryFile(dir=made.parent) as probe:
            take_room(probe, int(MOST_BYTES * canvas.size) + HEADER_BYTES)
        raise
    with made.open("rb") as file:
        os.fsync(file.fileno())
    if not _holds(made, canvas):  # GDAL keeps to itself what fails while it closes a file
        raise OSError(errno.ENOSPC, "the last blocks could not be written")


def _holds(made: Path, canvas: Canvas) -> bool:
    """Say whether a file can be read, and has the canvas's pixels."""
    spec = canvas.spec
    try:
        with rasterio.open(made) as dataset:
            for first in range(0, spec.height, BLOCK_PX):
                end = min(first + BLOCK_PX, spec.height)
                written = dataset.read(window=Window(0, first, spec.width, end - first))
                if written.tobytes() != canvas.rows(first, end).tobytes():
                    return False
    except rasterio.errors.RasterioIOError:
        return False
    return True
