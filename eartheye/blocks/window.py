"""Rectangles of pixels."""

from typing import NamedTuple


class Window(NamedTuple):
    """A rectangle in pixels of a raster; it may reach beyond the raster's edges."""

    column: int
    row: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column that is no longer inside."""
        return self.column + self.width

    @property
    def bottom(self) -> int:
        """First row that is no longer inside."""
        return self.row + self.height
