"""Shapes burnt into the pixels of a block."""

import threading
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from services.world.noise import Block

ONE_AT_A_TIME = threading.Lock()
"""Held while shapes are burnt: rasterio mutes a warning for the whole process meanwhile, which threads undo for each other."""


def frame(block: Block) -> shapely.Polygon:
    """Return the outline of a block."""
    return shapely.box(block.left, block.top, block.left + block.width * block.step_m, block.top + block.height * block.step_m)


def burn(shapes: Sequence[shapely.Geometry], block: Block) -> NDArray[np.bool_]:
    """Return (height, width) where shapes cover the middle of a pixel."""
    burnt = np.zeros((block.height, block.width), np.uint8)
    burn_values([(shape, 1) for shape in shapes], burnt, block)
    return burnt.astype(bool)


def burn_values(shapes: Sequence[tuple[shapely.Geometry, int]], pixels: NDArray[np.uint8], block: Block) -> None:
    """Put values where shapes cover the middle of a pixel, in place; a later shape lies over those before it."""
    if shapes:
        with ONE_AT_A_TIME:
            rasterize(shapes, out=pixels, transform=block.transform)
