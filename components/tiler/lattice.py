"""Tiles that cover an area."""

from collections.abc import Iterator
from dataclasses import dataclass

SLIVER = 1 / 8
"""A rest narrower than this share of a tile is left uncut: the tile that would take it in is nearly its neighbour over again."""


@dataclass(frozen=True)
class Place:
    """A tile of a lattice, in pixels of what is covered."""

    column: int
    row: int
    width: int
    height: int
    block: tuple[int, int]
    """Row and column of its block of neighbours; tiles that overlap are in the same."""


def cover(width: int, height: int, chip_px: int, block_side: int) -> Iterator[Place]:
    """Yield, row by row, the tiles that cover an area; a side shorter than a tile is taken whole.

    The last tile of a row or column is moved inward, so that it ends where the area does.

    Args:
        width: of the area, pixels.
        height: of the area, pixels.
        chip_px: side of a tile.
        block_side: tiles along the side of a block.
    """
    for row, block_row in _starts(height, chip_px, block_side):
        for column, block_column in _starts(width, chip_px, block_side):
            yield Place(column, row, min(chip_px, width), min(chip_px, height), (block_row, block_column))


def _starts(length: int, chip_px: int, block_side: int) -> list[tuple[int, int]]:
    """Return start and block of each tile along a side."""
    whole, rest = divmod(length, chip_px)
    if not whole:
        return [(0, 0)]
    starts = [(number * chip_px, number // block_side) for number in range(whole)]
    if rest >= SLIVER * chip_px:
        starts.append((length - chip_px, starts[-1][1]))
    return starts
