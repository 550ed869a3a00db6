"""Cutting an area into blocks: units of work a few thousand pixels wide, in step with the blocks of the file."""

from itertools import pairwise
from typing import NamedTuple

from eartheye.blocks.window import Window


class Block(NamedTuple):
    """A unit of work."""

    name: str
    """Row and column in the grid of blocks, as `r0003c0012`."""
    window: Window


def cut_blocks(area: Window, block_px: int, file_block: tuple[int, int]) -> list[Block]:
    """Cut an area into blocks, row by row; together they cover each of its pixels once.

    The borders lie at multiples of the file's own block size, counted from the file's first pixel, so that a block of the file is not
    decoded for two blocks of the grid. A file block larger than `block_px`, as the strips of a file without tiles, is cut nevertheless.

    Args:
        area: in pixels of the file.
        block_px: side of a block; rounded up to whole blocks of the file.
        file_block: width and height of the file's blocks, in pixels.
    """
    columns = _cuts(area.column, area.width, _step(block_px, file_block[0]))
    rows = _cuts(area.row, area.height, _step(block_px, file_block[1]))
    return [
        Block(f"r{row:04d}c{column:04d}", Window(left, top, right - left, bottom - top))
        for row, (top, bottom) in enumerate(rows)
        for column, (left, right) in enumerate(columns)
    ]


def _step(block_px: int, file_block_px: int) -> int:
    return -(-block_px // file_block_px) * file_block_px if file_block_px <= block_px else block_px


def _cuts(start: int, length: int, step: int) -> list[tuple[int, int]]:
    """Split a stretch at the multiples of `step`: `_cuts(5, 10, 8)` is [(5, 8), (8, 15)]."""
    first_cut = (start // step + 1) * step
    edges = [start, *range(first_cut, start + length, step), start + length]
    return list(pairwise(edges))
