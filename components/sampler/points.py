"""The value of a raster at places between its pixels."""

import numpy as np
import pyproj
from numpy.typing import NDArray
from rasterio.windows import Window

from eartheye.raster import Scene
from eartheye.raster.reference import place

OUT_OF_REACH = -10
"""Column and row of a place that the raster's reference system cannot express."""


def nearest(scene: Scene, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return the pixels that places lie in.

    Args:
        scene: a raster of one band.
        lon: (N,) longitudes, degrees.
        lat: (N,) latitudes, degrees.

    Returns:
        (N,) values, and (N,) whether there is data.
    """
    column, row = (np.floor(position).astype(np.int64) for position in _positions(scene, lon, lat))
    window = _window_around(column, row)
    pixels, valid = scene.read(window)
    at = row - window.row_off, column - window.col_off
    return pixels[0][at], valid[at]


def bilinear(scene: Scene, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values between the four pixels whose centres are around places; of those only the ones with data count.

    Args:
        scene: a raster of one band.
        lon: (N,) longitudes, degrees.
        lat: (N,) latitudes, degrees.

    Returns:
        (N,) values, NaN outside the raster and where all four are without data.
    """
    column, row = _positions(scene, lon, lat)
    inside = (column >= 0) & (column <= scene.width) & (row >= 0) & (row <= scene.height)
    first_column, first_row = np.floor(column - 0.5).astype(np.int64), np.floor(row - 0.5).astype(np.int64)
    right, down = column - 0.5 - first_column, row - 0.5 - first_row
    window = _window_around(np.concatenate([first_column, first_column + 1]), np.concatenate([first_row, first_row + 1]))
    pixels, valid = scene.read(window)
    total, weight = np.zeros(len(column)), np.zeros(len(column))
    for below, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
        at = first_row + below - window.row_off, first_column + across - window.col_off
        share = np.where(valid[at], (down if below else 1 - down) * (right if across else 1 - right), 0.0)
        total += share * pixels[0][at]
        weight += share
    return np.where(inside & (weight > 0), total / np.where(weight > 0, weight, 1.0), np.nan)


def _positions(scene: Scene, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns and rows, counted from the raster's corner; far outside ones are brought to just outside."""
    if scene.crs.is_geographic:  # rasters may count longitudes from 0 to 360
        west = min(scene.transform.c, scene.transform.c + scene.transform.a * scene.width)
        lon = west + (lon - west) % 360.0
    from_degrees = pyproj.Transformer.from_crs("EPSG:4326", scene.crs.to_wkt(), always_xy=True)
    column, row = place(~scene.transform, *from_degrees.transform(lon, lat))
    met = np.isfinite(column) & np.isfinite(row)
    column, row = np.where(met, column, OUT_OF_REACH), np.where(met, row, OUT_OF_REACH)
    return np.clip(column, OUT_OF_REACH, scene.width - OUT_OF_REACH), np.clip(row, OUT_OF_REACH, scene.height - OUT_OF_REACH)


def _window_around(column: NDArray[np.int64], row: NDArray[np.int64]) -> Window:
    left, top = int(column.min()), int(row.min())
    return Window(left, top, int(column.max()) - left + 1, int(row.max()) - top + 1)
