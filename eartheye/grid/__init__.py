"""The equal-area grid that cells, sites and spatial groups are numbered in."""

from eartheye.grid.ease import CELL_KM, EaseGrid
from eartheye.grid.window import GridWindow

__all__ = ["CELL_KM", "EaseGrid", "GridWindow"]
