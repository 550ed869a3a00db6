"""Which polygon the centre of a cell lies in."""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from eartheye.grid import EaseGrid, GridWindow
from eartheye.grid.ease import northing_m

NO_ZONE = 0
LONGEST_EDGE_DEG = 0.1
"""Sides longer than this are divided before they are carried to the grid, where a slanting side is a curve."""


class Zones:
    """Polygons laid on the grid.

    Args:
        grid: the grid.
        polygons: (P,) longitude and latitude; where some overlap the later one counts.
        numbers: (P,) number of each, from 1; several may share one.
    """

    def __init__(self, grid: EaseGrid, polygons: Sequence[shapely.Geometry], numbers: Sequence[int]) -> None:
        def to_grid(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
            column = (degrees[:, 0] + 180.0) / 360.0 * grid.columns
            return np.stack([column, grid.rows / 2 - northing_m(degrees[:, 1]) / grid.cell_m], axis=1)

        self._polygons = np.asarray(shapely.transform(shapely.segmentize(np.asarray(polygons), LONGEST_EDGE_DEG), to_grid))
        self._numbers = np.asarray(numbers, np.int32)
        self._bounds = shapely.bounds(self._polygons)

    def numbers_in(self, window: GridWindow) -> NDArray[np.int32]:
        """Return the (height, width) numbers of the zones that the centres of a window's cells lie in, `NO_ZONE` where in none."""
        left, top, right, bottom = self._bounds.T
        met = (right > window.column) & (left < window.column + window.width)
        met &= (bottom > window.row) & (top < window.row + window.height)
        if not met.any():
            return np.full((window.height, window.width), NO_ZONE, np.int32)
        moved = shapely.transform(self._polygons[met], lambda places: places - (window.column, window.row))
        burnt = rasterize(zip(moved, self._numbers[met].tolist(), strict=True), (window.height, window.width), fill=NO_ZONE, dtype="int32")
        return np.asarray(burnt, np.int32)
