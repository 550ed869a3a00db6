"""Rings of polygons that run along the edges of pixels."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray


def drop_collinear(geometry: NDArray[Any]) -> NDArray[Any]:
    """Remove the vertices at which a ring goes straight on, as merging leaves them.

    Args:
        geometry: (N,) `shapely.Polygon` with edges along the axes and coordinates in whole pixels.
    """
    if not len(geometry):
        return geometry
    kind, xy, (ring_ends, polygon_ends) = shapely.to_ragged_array(geometry)
    last = np.zeros(len(xy), bool)
    last[ring_ends[1:] - 1] = True  # closes its ring: the first vertex again
    before, after = np.arange(-1, len(xy) - 1), np.arange(1, len(xy) + 1)
    before[ring_ends[:-1]] = ring_ends[1:] - 2
    after[last] = 0  # not looked at
    straight = (xy[before, 0] == xy[:, 0]) & (xy[:, 0] == xy[after, 0]) | (xy[before, 1] == xy[:, 1]) & (xy[:, 1] == xy[after, 1])
    corners = ~straight & ~last
    count = np.add.reduceat(corners, ring_ends[:-1], dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(count + 1)])
    closed = np.empty((ends[-1], 2))
    ring = np.repeat(np.arange(len(count)), count)
    closed[np.arange(len(ring)) + ring] = xy[corners]
    closed[ends[1:] - 1] = closed[ends[:-1]]
    return shapely.from_ragged_array(kind, closed, (ends, polygon_ends))


def first_pixels(geometry: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return column and row of each polygon's first pixel, row by row; no two polygons of a map share it."""
    xy, polygon = shapely.get_coordinates(geometry, return_index=True)
    order = np.lexsort((xy[:, 0], xy[:, 1], polygon))
    first = order[np.searchsorted(polygon[order], np.arange(len(geometry)))]
    return xy[first, 0], xy[first, 1]
