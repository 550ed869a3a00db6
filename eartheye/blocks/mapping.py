"""From an image to a class map: the same arithmetic for a whole scene and for each block of it."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eartheye.blocks.blend import TileRowBlend
from eartheye.blocks.lattice import Lattice
from eartheye.blocks.window import Window
from eartheye.contracts import ServingPackage

ReadImage = Callable[[Window], tuple[NDArray[np.float32], NDArray[np.bool_]]]
"""Returns a window of the scene: (C, H, W) normalised image, and (H, W) which pixels hold data. It is asked beyond the scene's edges
as well; what is not valid is 0 there, the mean of the training images."""
Predict = Callable[[NDArray[np.float32]], NDArray[np.uint8]]
"""Returns (N, K, input_px, input_px) 255 times the probabilities of (N, C, input_px, input_px) images, N at most the batch size."""


class Tile(NamedTuple):
    """A tile that holds data."""

    row: int
    column: int
    image: NDArray[np.float32]
    """(C, input_px, input_px)."""


def map_window(read: ReadImage, predict: Predict, package: ServingPackage, window: Window, origin: tuple[int, int]) -> NDArray[np.uint8]:
    """Map a window of a scene; what it gives for a pixel does not depend on the window that the pixel is asked with.

    Memory holds one row of tiles, one batch and the map itself, whatever the size of the scene.

    Args:
        read: reads the scene, in rows of tiles from top to bottom.
        predict: runs the model.
        package: says tile size, overlap, batch size and classes of the model.
        window: in pixels of the scene.
        origin: column and row of the output grid's first pixel; no pixel of `window` lies before it.

    Returns:
        (height, width) class values; 0 where the scene holds no data.
    """
    lattice = Lattice.of(package.input_px, package.overlap)
    rows = lattice.touching(window.row - origin[1], window.height)
    columns = lattice.touching(window.column - origin[0], window.width)
    left, top = origin[0] + columns.start * lattice.stride_px, origin[1] + rows.start * lattice.stride_px
    values = np.array([spec.value for spec in package.classes], np.uint8)
    blend = TileRowBlend(lattice, len(values), len(columns))
    classes = np.zeros((window.height, window.width), np.uint8)

    def finish(row: int) -> None:
        """Put the classes where `_tiles` left a 1 for a pixel with data."""
        winners = values[blend.next_row()]
        part, inside = _overlap(window, top + (row - rows.start) * lattice.stride_px, lattice.stride_px)
        classes[inside] *= winners[part, window.column - left : window.right - left]

    blended = rows.start
    for tile, probabilities in _predicted(_tiles(read, lattice, rows, columns, (left, top), window, classes), predict, package.batch_size):
        for row in range(blended, tile.row):
            finish(row)
        blended = tile.row
        blend.add(tile.column - columns.start, probabilities)
    for row in range(blended, rows.stop):
        finish(row)
    return classes


def _tiles(
    read: ReadImage,
    lattice: Lattice,
    rows: range,
    columns: range,
    corner: tuple[int, int],
    window: Window,
    valid_pixels: NDArray[np.uint8],
) -> Iterator[Tile]:
    """Yield the tiles that hold data, row by row, and set `valid_pixels` to 1 where there is data; a pixel is read once."""
    side, stride = lattice.input_px, lattice.stride_px
    (left, top), width = corner, (len(columns) - 1) * stride + side
    image, valid = read(Window(left, top, width, side))
    for row in rows:
        if row > rows.start:
            top += stride
            below, below_valid = read(Window(left, top + lattice.overlap_px, width, stride))
            image = np.concatenate([image[:, stride:], below], axis=1)
            valid = np.concatenate([valid[stride:], below_valid])
        part, inside = _overlap(window, top, stride)
        valid_pixels[inside] = valid[part, window.column - left : window.right - left]
        for column in columns:
            start = (column - columns.start) * stride
            if valid[:, start : start + side].any():
                yield Tile(row, column, image[:, :, start : start + side])


def _predicted(tiles: Iterator[Tile], predict: Predict, batch_size: int) -> Iterator[tuple[Tile, NDArray[np.uint8]]]:
    """Yield each tile with its probabilities; a batch may span rows of tiles, so that only the last is short."""
    while batch := list(islice(tiles, batch_size)):
        yield from zip(batch, predict(np.stack([tile.image for tile in batch])), strict=True)


def _overlap(window: Window, top: int, height: int) -> tuple[slice, slice]:
    """Return which rows of a strip lie in the window, counted in the strip and in the window."""
    first = max(top, window.row)
    last = max(first, min(top + height, window.bottom))
    return slice(first - top, last - top), slice(first - window.row, last - window.row)
