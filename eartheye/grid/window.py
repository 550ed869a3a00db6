"""A rectangle of cells."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class GridWindow:
    """Cells from a first row and column on, counted from the grid's north-western corner."""

    row: int
    column: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.height * self.width

    def strips(self, cells: int) -> Iterator["GridWindow"]:
        """Yield the window cut along rows into strips of at most this many cells, or of one row."""
        height = max(1, cells // self.width)
        for row in range(0, self.height, height):
            yield GridWindow(self.row + row, self.column, min(height, self.height - row), self.width)
