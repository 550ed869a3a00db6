"""EASE-Grid 2.0 global: cells of equal area, whose sides are meridians and parallels.

Source: Brodzik et al., EASE-Grid 2.0, ISPRS Int. J. Geo-Information 1 (2012) 32-45, with the correction in 3 (2014) 1154-1156; EPSG:6933.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from eartheye.grid.window import GridWindow

CELL_KM = Literal[1, 3, 9, 36]
"""Nominal cell widths of the family; a cell holds a whole number of those of each finer grid."""

SEMI_MAJOR_AXIS_M = 6378137.0
ECCENTRICITY = math.sqrt((2 - 1 / 298.257223563) / 298.257223563)
TRUE_SCALE_DEG = 30.0

COLUMNS_36_KM, ROWS_36_KM = 964, 406
_SINE = math.sin(math.radians(TRUE_SCALE_DEG))
SCALE = math.cos(math.radians(TRUE_SCALE_DEG)) / math.sqrt(1 - (ECCENTRICITY * _SINE) ** 2)
"""k0 of the projection: the parallel of true scale over the equator."""
CELL_36_KM_M = 2 * math.pi * SEMI_MAJOR_AXIS_M * SCALE / COLUMNS_36_KM
"""The grid's only free size follows from 964 columns around the Earth: 36,032.22 m."""

OUTSIDE = -1
"""Stands for the row of a place that the grid does not reach, beyond 85 degrees of latitude."""

ROUNDING_CELLS = 1e-6
"""A box that reaches less far than this into a cell, a millimetre at 1 km, ends on the cell's border."""

NEWTON_STEPS = 4


@dataclass(frozen=True)
class EaseGrid:
    """A grid of the family; cells are numbered row by row from the north-western corner: `row * columns + column`.

    Args:
        cell_km: nominal width of a cell.
    """

    cell_km: CELL_KM

    def __post_init__(self) -> None:
        if self.cell_km not in get_args(CELL_KM):
            raise ValueError(f"EASE-Grid 2.0 has cells of {get_args(CELL_KM)} km, not of {self.cell_km}")

    @property
    def cells_in_36_km(self) -> int:
        """Cells along the side of a 36 km cell."""
        return 36 // self.cell_km

    @property
    def columns(self) -> int:
        """Cells around the Earth."""
        return COLUMNS_36_KM * self.cells_in_36_km

    @property
    def rows(self) -> int:
        """Cells from north to south."""
        return ROWS_36_KM * self.cells_in_36_km

    @property
    def cell_m(self) -> float:
        """Side of a cell in metres of the projection; its area on the ground is the square of this."""
        return CELL_36_KM_M / self.cells_in_36_km

    @property
    def upper_left_m(self) -> tuple[float, float]:
        """The x and y of the grid's corner in EPSG:6933, metres."""
        return -self.columns / 2 * self.cell_m, self.rows / 2 * self.cell_m

    def column_at(self, lon: ArrayLike) -> NDArray[np.int64]:
        """Return the columns of longitudes in degrees; any turn around the Earth is taken, 180 is the meridian of -180."""
        turns = (np.asarray(lon, np.float64) + 180.0) / 360.0
        column = np.floor((turns - np.floor(turns)) * self.columns).astype(np.int64)
        return np.where(column == self.columns, 0, column)  # a longitude a rounding error west of -180

    def row_at(self, lat: ArrayLike) -> NDArray[np.int64]:
        """Return the rows of latitudes in degrees, `OUTSIDE` north or south of the grid; a border belongs to the row south of it."""
        row = np.floor(self.rows / 2 - northing_m(lat) / self.cell_m).astype(np.int64)
        return np.where((row < 0) | (row >= self.rows), OUTSIDE, row)

    def centre(self, cell: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return longitudes and latitudes, degrees on WGS84, of the centres of (N,) cells."""
        row, column = self._place(cell)
        return self.longitude(column + 0.5), self._centre_latitudes[row]

    def polygon(self, cell: ArrayLike) -> NDArray[np.object_]:
        """Return (N,) polygons of cells, longitude and latitude on WGS84: exact, for the sides are meridians and parallels."""
        row, column = self._place(cell)
        edges = self._edge_latitudes
        return np.asarray(shapely.box(self.longitude(column), edges[row + 1], self.longitude(column + 1), edges[row]))

    def window(self, west: float, south: float, east: float, north: float) -> GridWindow:
        """Return the cells that have a part in a box in degrees; a box whose west is not less than its east goes around the Earth.

        Raises:
            ValueError: the box has no height, or lies beyond the grid.
        """
        if west >= east:
            west, east = -180.0, 180.0
        top, bottom = (float(self.rows / 2 - northing_m(lat) / self.cell_m) for lat in (north, south))
        left, right = ((lon + 180.0) / 360.0 * self.columns for lon in (west, east))
        first_row, end_row = max(0, math.floor(top + ROUNDING_CELLS)), min(self.rows, math.ceil(bottom - ROUNDING_CELLS))
        first_column, end_column = max(0, math.floor(left + ROUNDING_CELLS)), min(self.columns, math.ceil(right - ROUNDING_CELLS))
        if south >= north or first_row >= end_row or first_column >= end_column:
            raise ValueError(f"the box {(west, south, east, north)} has no height, or lies beyond the grid")
        return GridWindow(first_row, first_column, end_row - first_row, end_column - first_column)

    def cells(self, window: GridWindow) -> NDArray[np.int64]:
        """Return the (height, width) cells of a window."""
        rows = np.arange(window.row, window.row + window.height, dtype=np.int64)
        columns = np.arange(window.column, window.column + window.width, dtype=np.int64)
        return rows[:, None] * self.columns + columns

    def bounds(self, window: GridWindow) -> tuple[float, float, float, float]:
        """Return west, south, east and north of a window, degrees on WGS84."""
        west, east = self.longitude(np.array([window.column, window.column + window.width]))
        north, south = self._edge_latitudes[[window.row, window.row + window.height]]
        return float(west), float(south), float(east), float(north)

    def block_of(self, cell: ArrayLike, block_cells: int) -> NDArray[np.int64]:
        """Return the blocks of (N,) cells: squares of `block_cells` cells a side, numbered row by row as the cells are.

        Places that are near each other share a block, so that data split by block are apart on the ground.
        """
        row, column = self._place(cell)
        return row // block_cells * -(-self.columns // block_cells) + column // block_cells

    def longitude(self, column: ArrayLike) -> NDArray[np.float64]:
        """Return the longitudes, degrees, of positions counted in columns from -180."""
        return np.asarray(column, np.float64) / self.columns * 360.0 - 180.0

    def _place(self, cell: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        cell = np.asarray(cell, np.int64)
        if cell.size and not (cell.min() >= 0 and cell.max() < self.rows * self.columns):
            raise ValueError(f"the {self.cell_km} km grid has cells 0 to {self.rows * self.columns - 1}, not {cell.min()} to {cell.max()}")
        row, column = np.divmod(cell, self.columns)
        return row, column

    @cached_property
    def _centre_latitudes(self) -> NDArray[np.float64]:
        return latitude_deg((self.rows / 2 - 0.5 - np.arange(self.rows)) * self.cell_m)

    @cached_property
    def _edge_latitudes(self) -> NDArray[np.float64]:
        return latitude_deg((self.rows / 2 - np.arange(self.rows + 1)) * self.cell_m)


def northing_m(lat: ArrayLike) -> NDArray[np.float64]:
    """Return y in EPSG:6933, metres, of latitudes in degrees.

    Source: Snyder, Map Projections: A Working Manual (1987), equations (3-12) and (10-15).
    """
    sine = np.sin(np.radians(np.asarray(lat, np.float64)))
    e = ECCENTRICITY
    authalic = (1 - e**2) * (sine / (1 - (e * sine) ** 2) + np.arctanh(e * sine) / e)
    return np.asarray(SEMI_MAJOR_AXIS_M * authalic / (2 * SCALE))


def latitude_deg(northing: ArrayLike) -> NDArray[np.float64]:
    """Return the latitudes in degrees of y in EPSG:6933, metres: the inverse of `northing_m`, to a billionth of a degree.

    Source: Snyder (1987), equation (3-16), which is Newton's iteration.
    """
    y_m = np.asarray(northing, np.float64)
    phi = np.arcsin(y_m / float(northing_m(90.0)))
    for _ in range(NEWTON_STEPS):
        metres_per_radian = SEMI_MAJOR_AXIS_M * (1 - ECCENTRICITY**2) * np.cos(phi) / (1 - (ECCENTRICITY * np.sin(phi)) ** 2) ** 2 / SCALE
        phi = phi + (y_m - northing_m(np.degrees(phi))) / metres_per_radian
    return np.asarray(np.degrees(phi))
