"""A scene's pixels on another grid."""

import math
from collections.abc import Sequence

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window

from eartheye.raster.reference import POINTS_PER_SIDE, place
from eartheye.raster.scene import Scene

WIDEST_KERNEL_PX = 3
"""Radius of the widest resampling kernel, Lanczos, in pixels of the coarser grid."""
ALIGNED_PX = 1e-3
"""Grids shifted by less than this share of a pixel are the same."""


def read_on_grid(
    scene: Scene,
    crs: CRS,
    transform: Affine,
    height: int,
    width: int,
    resampling: Resampling = Resampling.bilinear,
    bands: Sequence[str] | None = None,
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return a scene's pixels on a grid that may have another reference system, pixel size or origin than the scene.

    Where the grid's pixels are the scene's own they are read as they are; otherwise they are interpolated among pixels with data.

    Args:
        scene: what is read.
        crs: reference system of the grid.
        transform: of the grid's columns and rows to its x and y.
        height: rows of the grid.
        width: columns of the grid.
        resampling: how pixels are interpolated.
        bands: names, in the order wanted; all of them by default.

    Returns:
        (C, height, width) pixels in the scene's data type, 0 without data; (height, width), False without data.

    Raises:
        WrongBands: the scene lacks a band.
        EmptyArea: the grid has no pixels.
        UnreadableRaster: the file is truncated or corrupt.
    """
    if (own := _own_window(scene, crs, transform, height, width)) is not None:
        return scene.read(own, bands)
    names = tuple(scene.bands if bands is None else bands)
    around = _window_around(scene, crs, transform, height, width)
    if around is None:
        return np.zeros((len(names), height, width), scene.dtype), np.zeros((height, width), bool)
    pixels, valid = scene.read(around, names)
    # GDAL's warper leaves pixels without data out of its kernels when it is told of them by an alpha band
    opaque = 1 if np.issubdtype(pixels.dtype, np.floating) else np.iinfo(scene.dtype).max
    source = np.concatenate([pixels, np.where(valid, opaque, 0).astype(pixels.dtype)[None]])
    target = np.zeros((len(source), height, width), pixels.dtype)
    reproject(
        source,
        target,
        src_transform=scene.transform @ Affine.translation(around.col_off, around.row_off),
        src_crs=scene.crs,
        src_alpha=len(source),
        dst_transform=transform,
        dst_crs=crs,
        dst_alpha=len(source),
        resampling=resampling,
    )
    has_data = target[-1] > 0
    target[:-1, ~has_data] = 0
    return target[:-1], has_data


def _own_window(scene: Scene, crs: CRS, transform: Affine, height: int, width: int) -> Window | None:
    """Return the window of the scene that has the grid's pixels, None where the grid is another."""
    if crs != scene.crs:
        return None
    to_scene = ~scene.transform @ transform
    scale = np.array([to_scene.a - 1, to_scene.b, to_scene.d, to_scene.e - 1])
    column, row = round(to_scene.c), round(to_scene.f)
    drift_px = max(abs(to_scene.c - column), abs(to_scene.f - row)) + np.abs(scale).max() * max(height, width)
    return Window(column, row, width, height) if drift_px < ALIGNED_PX else None


def _window_around(scene: Scene, crs: CRS, transform: Affine, height: int, width: int) -> Window | None:
    """Return the window of the scene that the grid's pixels are interpolated from, None where the two do not meet."""
    along = np.linspace(0.0, 1.0, POINTS_PER_SIDE)
    columns, rows = (points.ravel() for points in np.meshgrid(along * width, along * height))
    x, y = Transformer.from_crs(crs.to_wkt(), scene.crs.to_wkt(), always_xy=True).transform(*place(transform, columns, rows))
    column, row = place(~scene.transform, x, y)
    met = np.isfinite(column) & np.isfinite(row)
    if not met.any():
        return None
    scale = max(np.ptp(column[met]) / width, np.ptp(row[met]) / height, 1.0)
    margin = math.ceil(WIDEST_KERNEL_PX * scale) + 1
    left, right = max(math.floor(column[met].min()) - margin, 0), min(math.ceil(column[met].max()) + margin, scene.width)
    top, bottom = max(math.floor(row[met].min()) - margin, 0), min(math.ceil(row[met].max()) + margin, scene.height)
    return Window(left, top, right - left, bottom - top) if left < right and top < bottom else None
