"""The part of a scene that is asked for."""

import math

import numpy as np

from eartheye.blocks.window import Window
from eartheye.errors import EmptyArea
from eartheye.raster import Scene

SAME_PX = 1e-6
"""Share of a pixel by which a bound may miss a pixel's edge and still mean it: coordinates are rounded decimals."""


def area_of(scene: Scene, bounds: tuple[float, float, float, float] | None) -> Window:
    """Return the pixels of a scene that bounds touch.

    Args:
        scene: an open scene.
        bounds: west, south, east, north in the scene's reference system; None for the whole scene.

    Raises:
        EmptyArea: the bounds are no area, or share no pixel with the scene.
    """
    if bounds is None:
        return Window(0, 0, scene.width, scene.height)
    west, south, east, north = bounds
    if not (np.isfinite(bounds).all() and west < east and south < north):
        raise EmptyArea(f"area {bounds} is none: give west, south, east, north finite, with west < east and south < north")
    columns, rows = ~scene.transform @ np.array([[west, east, west, east], [north, north, south, south]])
    columns, rows = np.clip(columns, -1, scene.width + 1), np.clip(rows, -1, scene.height + 1)
    left, top = max(math.floor(columns.min() + SAME_PX), 0), max(math.floor(rows.min() + SAME_PX), 0)
    right, bottom = min(math.ceil(columns.max() - SAME_PX), scene.width), min(math.ceil(rows.max() - SAME_PX), scene.height)
    if left >= right or top >= bottom:
        raise EmptyArea(f"area {bounds} lies outside {scene.uri}: give bounds in its reference system, {scene.crs.to_string()[:80]}")
    return Window(left, top, right - left, bottom - top)
