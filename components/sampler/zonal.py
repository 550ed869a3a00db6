"""The pixels of a raster by the cell of the grid that they lie in."""

import math
from collections.abc import Iterator

import numpy as np
import pyproj
from numpy.typing import NDArray
from rasterio.windows import Window

from components.sampler.outline import outline
from eartheye.date_line import TURNS_DEG
from eartheye.grid import EaseGrid, GridWindow
from eartheye.raster import Scene
from eartheye.raster.reference import place, to_wgs84

PARTS_ACROSS = 4
"""A pixel wider than this part of a cell is divided, so that it counts for each cell by about the area it has in it."""
CHUNK_PARTS = 2**22
"""Pixels, or parts of pixels, handled at once."""
MARGIN_PX = 2


def pixels_of_cells(scene: Scene, grid: EaseGrid, window: GridWindow) -> Iterator[tuple[NDArray[np.int64], NDArray[np.generic]]]:
    """Yield the pixels with data of a window's cells, some at a time.

    A pixel belongs to the cell that its centre lies in. Pixels larger than a quarter of a cell are first divided into equal parts, each of
    which belongs to the cell of its own centre. 10 m land cover on the 1 km grid is thus counted exactly, pixel by pixel.

    Args:
        scene: a raster of one band, no coarser than the cells.
        grid: the grid.
        window: cells wanted.

    Yields:
        (N,) cells, counted row by row within the window; (N,) pixel values.
    """
    parts = math.ceil(PARTS_ACROSS * scene.gsd_m / grid.cell_m)
    for pixel_rows, pixel_columns, cell in (
        _by_axis(scene, grid, window, parts) if _is_upright(scene) else _by_point(scene, grid, window, parts)
    ):
        rows, columns = len(pixel_rows), len(pixel_columns)
        pixels, valid = scene.read(Window(pixel_columns.start, pixel_rows.start, columns, rows))
        if parts > 1:
            pixels, valid = (np.repeat(np.repeat(array, parts, -1), parts, -2) for array in (pixels, valid))
        inside = valid & (cell >= 0)
        yield cell[inside], pixels[0][inside]


Chunk = tuple[range, range, NDArray[np.int64]]
"""Rows and columns of a raster; (rows x parts, columns x parts) cells within the window, -1 outside."""


def _is_upright(scene: Scene) -> bool:
    """Say whether columns are meridians and rows parallels, so that a pixel's column alone tells the column of its cell."""
    return bool(scene.crs.is_geographic and scene.transform.b == 0 and scene.transform.d == 0)


def _by_axis(scene: Scene, grid: EaseGrid, window: GridWindow, parts: int) -> Iterator[Chunk]:
    columns = (np.arange(scene.width * parts) + 0.5) / parts
    rows = (np.arange(scene.height * parts) + 0.5) / parts
    lon, lat = place(scene.transform, columns, np.zeros(1))[0], place(scene.transform, np.zeros(1), rows)[1]
    cell_column = _within(grid.column_at(lon) - window.column, window.width)
    cell_row = _within(grid.row_at(lat) - window.row, window.height)
    met_columns, met_rows = np.flatnonzero(cell_column >= 0) // parts, np.flatnonzero(cell_row >= 0) // parts
    if not (met_columns.size and met_rows.size):
        return
    pixel_columns = range(int(met_columns[0]), int(met_columns[-1]) + 1)
    cell_column = cell_column[pixel_columns.start * parts : pixel_columns.stop * parts]
    for pixel_rows in _chunks(int(met_rows[0]), int(met_rows[-1]) + 1, len(pixel_columns) * parts**2):
        cell_row_here = cell_row[pixel_rows.start * parts : pixel_rows.stop * parts, None]
        yield pixel_rows, pixel_columns, np.where((cell_row_here < 0) | (cell_column < 0), -1, cell_row_here * window.width + cell_column)


def _by_point(scene: Scene, grid: EaseGrid, window: GridWindow, parts: int) -> Iterator[Chunk]:
    around = _window_of(scene, grid, window)
    if around is None:
        return
    pixel_columns = range(around.col_off, around.col_off + around.width)
    to_degrees = to_wgs84(scene.crs)
    for pixel_rows in _chunks(around.row_off, around.row_off + around.height, len(pixel_columns) * parts**2):
        columns = pixel_columns.start + (np.arange(len(pixel_columns) * parts) + 0.5) / parts
        rows = pixel_rows.start + (np.arange(len(pixel_rows) * parts) + 0.5) / parts
        x, y = place(scene.transform, *np.meshgrid(columns, rows))
        lon, lat = to_degrees.transform(x, y)
        cell_row = _within(grid.row_at(lat) - window.row, window.height)
        cell_column = _within(grid.column_at(lon) - window.column, window.width)
        yield pixel_rows, pixel_columns, np.where((cell_row < 0) | (cell_column < 0), -1, cell_row * window.width + cell_column)


def _within(position: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.where((position >= 0) & (position < count), position, -1)


def _chunks(first: int, end: int, parts_in_row: int) -> Iterator[range]:
    step = max(1, CHUNK_PARTS // parts_in_row)
    for start in range(first, end, step):
        yield range(start, min(start + step, end))


def _window_of(scene: Scene, grid: EaseGrid, window: GridWindow) -> Window | None:
    """Return the window of the scene that holds the cells' pixels, None where the two do not meet."""
    west, south, east, north = grid.bounds(window)
    own = outline(scene).bounds
    south, north = max(south, own[1]), min(north, own[3])
    # a scene across 180 degrees can meet the window on both sides of the Earth
    sides = [(turn, max(west + turn, own[0]), min(east + turn, own[2])) for turn in TURNS_DEG]
    met = [(start - turn, end - turn) for turn, start, end in sides if start < end]
    if not met or south >= north:
        return None
    from_degrees = pyproj.Transformer.from_crs("EPSG:4326", scene.crs.to_wkt(), always_xy=True)
    boxes = np.array([from_degrees.transform_bounds(start, south, end, north) for start, end in met])
    (left, bottom), (right, top) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    columns, rows = place(~scene.transform, np.array([left, left, right, right]), np.array([bottom, top, bottom, top]))
    first_column, end_column = max(0, math.floor(columns.min()) - MARGIN_PX), min(scene.width, math.ceil(columns.max()) + MARGIN_PX)
    first_row, end_row = max(0, math.floor(rows.min()) - MARGIN_PX), min(scene.height, math.ceil(rows.max()) + MARGIN_PX)
    return Window(first_column, first_row, end_column - first_column, end_row - first_row)
