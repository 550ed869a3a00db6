"""What is known about a strip of cells: land cover, elevation, region."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.sampler.legend import classify
from components.sampler.points import bilinear, nearest
from components.sampler.zonal import pixels_of_cells
from components.sampler.zones import NO_ZONE, Zones
from eartheye.contracts import LAND_CLASSES, Catalogue
from eartheye.contracts.catalogue import Elevation, LandCover, Regions
from eartheye.errors import InvalidCatalogue
from eartheye.grid import EaseGrid, GridWindow
from eartheye.raster import Scene

WATER = LAND_CLASSES.index("water")
"""Column of water among the shares."""

SCHEMA = pa.schema(
    [
        ("cell", pa.int64()),
        ("region", pa.int32()),
        ("land_class", pa.uint8()),
        *((f"share_{number}", pa.float32()) for number in range(1, len(LAND_CLASSES) + 1)),
        ("elevation_m", pa.float32()),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
    ]
)
"""Columns of `eartheye.contracts.Cells`."""


@dataclass(frozen=True)
class Layers:
    """Everything that cells are described by."""

    grid: EaseGrid
    land_cover: Scene
    legend: Literal["worldcover", "igbp"]
    elevation: Scene
    regions: Zones
    area: Zones
    """Where cells are wanted: those of which the centre lies in it are."""
    window: GridWindow
    """Cells around the area."""


def required(catalogue: Catalogue) -> tuple[LandCover, Elevation, Regions]:
    """Return the three layers that cells are described by.

    Raises:
        InvalidCatalogue: one is not named.
    """
    for name in ("land_cover", "elevation", "regions"):
        if getattr(catalogue, name) is None:
            raise InvalidCatalogue(f"the catalogue '{catalogue.title}' names no {name}: cells are described by it, add it")
    assert catalogue.land_cover
    assert catalogue.elevation
    assert catalogue.regions
    return catalogue.land_cover, catalogue.elevation, catalogue.regions


def describe(layers: Layers, window: GridWindow, min_land_share: float) -> tuple[pa.Table, dict[str, int]]:
    """Return the cells of the area in a window that can be drawn from, ascending, and how many were left out, by reason.

    Args:
        layers: what describes them.
        window: cells, some 100,000 at a time.
        min_land_share: cells of which less is land are left out.

    Returns:
        Rows of `SCHEMA`; cells by reason.
    """
    kept = np.flatnonzero(layers.area.numbers_in(window).ravel() != NO_ZONE)
    left_out: dict[str, int] = {}

    def keep(chosen: NDArray[np.bool_], reason: str) -> None:
        nonlocal kept
        left_out[reason] = int((~chosen).sum())
        kept = kept[chosen]

    region = layers.regions.numbers_in(window).ravel()
    keep(region[kept] != NO_ZONE, "in no region")
    shares = class_shares(layers, window, kept)
    keep(shares[kept].sum(axis=1) > 0, "without land cover")
    keep(1 - shares[kept, WATER] >= min_land_share, f"less than {min_land_share:.0%} land")
    elevation_m = elevations(layers, window, kept)
    keep(np.isfinite(elevation_m[kept]), "without elevation")

    cell = layers.grid.cells(window).ravel()[kept]
    lon, lat = layers.grid.centre(cell)
    land_class = (np.argmax(shares[kept], axis=1) + 1).astype(np.uint8)
    columns = [cell, region[kept], land_class, *shares[kept].T.astype(np.float32), elevation_m[kept].astype(np.float32), lon, lat]
    return pa.table([pa.array(np.ascontiguousarray(column)) for column in columns], schema=SCHEMA), left_out


def class_shares(layers: Layers, window: GridWindow, wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each class in the area of a window's cells that has land cover.

    Where a pixel of the land cover is larger than a cell, the cell is all of the class that its centre lies in.

    Args:
        layers: what describes the cells.
        window: its cells.
        wanted: (K,) cells to look at, counted row by row within the window.

    Returns:
        (cells of the window, 7) shares, 0 for all classes where nothing is known.

    Raises:
        UnknownLandCover: the legend does not name a code in the area.
    """
    counts = np.zeros(window.size * len(LAND_CLASSES))
    if wanted.size and layers.land_cover.gsd_m > layers.grid.cell_m:
        codes, valid = nearest(layers.land_cover, *_centres(layers, window, wanted))
        classes = classify(codes[valid], layers.legend, layers.land_cover.uri)
        counts[wanted[valid] * len(LAND_CLASSES) + classes - 1] = 1
    elif wanted.size:
        is_wanted = np.zeros(window.size, bool)
        is_wanted[wanted] = True
        for cell, codes in pixels_of_cells(layers.land_cover, layers.grid, window):
            here = is_wanted[cell]
            slot = cell[here] * len(LAND_CLASSES)
            slot += classify(codes[here], layers.legend, layers.land_cover.uri)
            counts += np.bincount(slot - 1, minlength=counts.size)
    by_class = counts.reshape(window.size, len(LAND_CLASSES))
    total = by_class.sum(axis=1, keepdims=True)
    return by_class / np.where(total > 0, total, 1)


def elevations(layers: Layers, window: GridWindow, wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean elevation of a window's cells in metres; where pixels are larger than cells, that of the cell's centre.

    Args:
        layers: what describes the cells.
        window: its cells.
        wanted: (K,) cells to look at, counted row by row within the window.

    Returns:
        (cells of the window,) metres, NaN where nothing is known.
    """
    elevation_m = np.full(window.size, np.nan)
    if wanted.size and layers.elevation.gsd_m > layers.grid.cell_m:
        elevation_m[wanted] = bilinear(layers.elevation, *_centres(layers, window, wanted))
    elif wanted.size:
        total, count = np.zeros(window.size), np.zeros(window.size)
        for cell, metres in pixels_of_cells(layers.elevation, layers.grid, window):
            total += np.bincount(cell, weights=metres, minlength=window.size)
            count += np.bincount(cell, minlength=window.size)
        np.divide(total, count, out=elevation_m, where=count > 0)
    return elevation_m


def _centres(layers: Layers, window: GridWindow, wanted: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return layers.grid.centre(layers.grid.cells(window).ravel()[wanted])
