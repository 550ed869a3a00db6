"""Mapping a scene of any size: tiles on a lattice, blended exactly, in blocks that give what one pass would give."""

from eartheye.blocks.area import area_of
from eartheye.blocks.block_grid import Block, cut_blocks
from eartheye.blocks.lattice import Lattice
from eartheye.blocks.mapping import Predict, ReadImage, map_window
from eartheye.blocks.polygons import Polygons, ReadClasses, geodesic_area_m2, polygonise
from eartheye.blocks.window import Window

__all__ = [
    "Block",
    "Lattice",
    "Polygons",
    "Predict",
    "ReadClasses",
    "ReadImage",
    "Window",
    "area_of",
    "cut_blocks",
    "geodesic_area_m2",
    "map_window",
    "polygonise",
]
