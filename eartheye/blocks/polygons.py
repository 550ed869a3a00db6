"""From a class map to polygons, block by block, with what one pass over the whole map would give."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.features import shapes

from eartheye.blocks.block_grid import cut_blocks
from eartheye.blocks.rings import drop_collinear, first_pixels
from eartheye.blocks.seams import Seams
from eartheye.blocks.window import Window
from eartheye.errors import MissingCrs

ReadClasses = Callable[[Window], NDArray[np.uint8]]
"""Returns (H, W) class values of a window, 0 for no data."""
PART_PX = 2048
"""Side of what is vectorised at once: noise has an area every 30 pixels, and each takes more than a kilobyte while it is made."""
GROUP = 2**16
"""Polygons that are handed out together, and are a row group of a file. Default: that of GDAL's Parquet driver."""


@dataclass(frozen=True)
class Polygons:
    """Areas of one class each, in the order of their first pixels, row by row."""

    value: NDArray[np.uint8]
    """(N,) class values."""
    geometry: NDArray[Any]
    """(N,) `shapely.Polygon`, without vertices on straight lines."""


def polygonise(read: ReadClasses, blocks: Iterable[Window], transform: Affine) -> Iterator[Polygons]:
    """Turn every 4-connected area of one class into a polygon along the edges of its pixels.

    Blocks are vectorised part by part; pieces that meet at a border are merged in whole pixels, so that the polygons are exactly those
    of one pass, whatever the blocks. In memory are only a part, a group and the areas that the blocks to come may add to.

    Args:
        read: reads the class map.
        blocks: windows that cover the map once, as those of `cut_blocks`: where two meet they share a whole side.
        transform: from pixels to the reference system.

    Yields:
        Groups of `GROUP` polygons or more as they are complete; the last one has what is left, and that may be nothing.
    """
    group, count = [(np.empty(0, np.uint8), np.empty(0, object))], 0
    for complete in _complete(read, blocks):
        group.append(complete)
        count += len(complete[0])
        if count >= GROUP:
            yield _in_order(group, transform)
            group, count = group[:1], 0
    yield _in_order(group, transform)


def _complete(read: ReadClasses, blocks: Iterable[Window]) -> Iterator[tuple[NDArray[np.uint8], NDArray[Any]]]:
    """Yield class values and polygons, in pixels of the whole map, that no block to come adds to."""
    seams = Seams()
    for block in sorted(blocks, key=lambda block: (block.row, block.column)):
        yield seams.release(block.row)
        classes = read(block)
        for _, part in cut_blocks(block, PART_PX, (1, 1)):
            rows, columns = (
                slice(part.row - block.row, part.bottom - block.row),
                slice(part.column - block.column, part.right - block.column),
            )
            value, geometry = vectorise(classes[rows, columns], part)
            inner = seams.take(value, geometry, part)
            yield value[inner], geometry[inner]
    yield seams.release(math.inf)


def _in_order(group: list[tuple[NDArray[np.uint8], NDArray[Any]]], transform: Affine) -> Polygons:
    value, geometry = (np.concatenate(parts) for parts in zip(*group, strict=True))
    geometry = shapely.normalize(drop_collinear(geometry))
    order = np.lexsort(first_pixels(geometry))
    return Polygons(value[order], shapely.transform(geometry[order], lambda xy: _place(xy, transform)))


def vectorise(classes: NDArray[np.uint8], block: Window) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return class values and polygons of a block's areas, in pixels of the whole map."""
    values: list[float] = []
    coordinates: list[tuple[float, float]] = []
    ring_ends, polygon_ends = [0], [0]
    offset = Affine.translation(block.column, block.row)
    for area, value in shapes(classes, mask=classes > 0, connectivity=4, transform=offset):
        values.append(value)
        for ring in area["coordinates"]:
            coordinates += ring
            ring_ends.append(len(coordinates))
        polygon_ends.append(len(ring_ends) - 1)
    if not values:
        return np.empty(0, np.uint8), np.empty(0, object)
    offsets = np.array(ring_ends), np.array(polygon_ends)
    return np.array(values, np.uint8), shapely.from_ragged_array(shapely.GeometryType.POLYGON, np.array(coordinates), offsets)


def _place(xy: NDArray[np.float64], transform: Affine) -> NDArray[np.float64]:
    x, y = xy.T  # one by one, for a matrix product may round otherwise when there are more points
    return np.stack([transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f], axis=1)


def geodesic_area_m2(geometry: NDArray[Any], crs: CRS) -> NDArray[np.float64]:
    """Return the area of polygons on the ellipsoid, so that it is right in any reference system, Web Mercator included.

    Args:
        geometry: (N,) `shapely.Polygon` in `crs`, x or longitude first.
        crs: geographic, or projected from a geographic one.

    Raises:
        MissingCrs: the reference system is a local one, without a place on Earth.

    Source: Karney, Algorithms for geodesics (2013), as in PROJ.
    """
    geographic = crs.geodetic_crs
    geod = geographic and geographic.get_geod()
    if not geod:
        raise MissingCrs(f"'{crs.name}' has no place on Earth: give the scene a geographic or projected reference system")
    to_geographic = Transformer.from_crs(crs, geographic, always_xy=True)
    placed = shapely.transform(geometry, lambda xy: np.stack(to_geographic.transform(xy[:, 0], xy[:, 1]), axis=1))
    return np.array([abs(geod.geometry_area_perimeter(polygon)[0]) for polygon in placed], np.float64)
