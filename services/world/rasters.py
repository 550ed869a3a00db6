"""Cloud Optimized GeoTIFFs of a world: mosaics from their drafts, land cover, elevation."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from eartheye.contracts import LAND_CLASSES, ClassSpec
from eartheye.errors import StoreFull
from eartheye.raster import CogSpec, write_cog
from eartheye.raster.source import first_cause
from services.world.config import COVER_GSD_M, DEM_GSD_M, PROJECTION, WorldConfig
from services.world.cover import Cover
from services.world.mosaics import BLOCK_PX, transform
from services.world.noise import Block, refined
from services.world.plan import Plan

IMAGERY: dict[str, Any] = {"compress": "JPEG", "quality": 90, "overview_resampling": "average"}
CLASSES: dict[str, Any] = {"compress": "DEFLATE", "overview_resampling": "nearest"}

WORLDCOVER = {
    Cover.FOREST: (10, "#006400"),
    Cover.GRASSLAND: (30, "#ffff4c"),
    Cover.CROPLAND: (40, "#f096ff"),
    Cover.WATER: (80, "#0064c8"),
    Cover.WETLAND: (90, "#0096a0"),
    Cover.BUILT_UP: (50, "#fa0000"),
    Cover.OTHER: (60, "#b4b4b4"),
}
"""Code and colour of each class in ESA WorldCover; `other` is its bare ground. Source: ESA WorldCover 2021 product user manual."""


def optimise(draft: Path, path: Path, options: dict[str, Any]) -> None:
    """Copy a plain TIFF into a Cloud Optimized GeoTIFF.

    Args:
        draft: a finished TIFF, with its mask inside.
        path: the file to make.
        options: compression and overviews.

    Raises:
        StoreFull: the copy cannot be read to its end.
    """
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, GDAL_PAM_ENABLED=False):
        rasterio.shutil.copy(draft, path, driver="COG", blocksize=BLOCK_PX, **options)
        try:
            # GDAL keeps to itself what fails while it closes a file; the last row of blocks is the last thing in it
            with rasterio.open(path) as written:
                bottom = max(0, written.height - BLOCK_PX)
                written.read(window=Window(0, bottom, written.width, written.height - bottom))
        except RasterioIOError as error:
            raise StoreFull(
                f"{path} could not be written whole ({first_cause(error)}), the disk is full or fails: free space or choose another folder"
            ) from error


def draw_elevation(plan: Plan, path: Path) -> None:
    """Write heights in metres; the last row and column may reach beyond the world."""
    pixels = -(-plan.config.size_m // DEM_GSD_M)
    heights = refined(Block(0, 0, pixels, pixels, DEM_GSD_M), plan.terrain.block, plan.terrain.elevation_m)
    write_cog(path, heights.astype(np.float32)[None], _spec(plan.config, DEM_GSD_M, pixels, dtype="float32", bands=("elevation_m",)))


def draw_land_cover(plan: Plan, truth: Path, path: Path) -> None:
    """Write WorldCover codes: for each pixel of 10 m the class that most of it is made of in the truth."""
    size_px = plan.config.size_m // COVER_GSD_M
    codes = np.zeros((size_px, size_px), np.uint8)
    code_of = np.array([0, *(WORLDCOVER[cover][0] for cover in Cover)], np.uint8)
    rows_at_once = 64
    with rasterio.open(truth) as source:
        for top in range(0, size_px, rows_at_once):
            rows = min(rows_at_once, size_px - top)
            window = Window(0, top * COVER_GSD_M, size_px * COVER_GSD_M, rows * COVER_GSD_M)
            codes[top : top + rows] = code_of[_most_common(source.read(1, window=window))]
    legend = tuple(ClassSpec(value=code, name=LAND_CLASSES[cover - 1], colour=colour) for cover, (code, colour) in WORLDCOVER.items())
    spec = _spec(plan.config, COVER_GSD_M, size_px, dtype="uint8", bands=("land_cover",), nodata=0, classes=legend)
    write_cog(path, codes[None], spec)


def _spec(config: WorldConfig, gsd_m: int, side_px: int, **fields: Any) -> CogSpec:
    return CogSpec(crs=CRS.from_string(PROJECTION), transform=transform(config, gsd_m), width=side_px, height=side_px, **fields)


def _most_common(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the most common class of each 10 x 10 pixels; of two that are equally common, the lower."""
    step = COVER_GSD_M
    best = np.zeros((classes.shape[0] // step, classes.shape[1] // step), np.uint8)
    most = best.copy()
    for cover in Cover:
        is_cover = (classes == cover).view(np.uint8)
        count = is_cover.reshape(len(best), step, -1).sum(axis=1, dtype=np.uint8).reshape(len(best), -1, step).sum(axis=2, dtype=np.uint8)
        more = count > most
        best[more], most[more] = cover, count[more]
    return best
