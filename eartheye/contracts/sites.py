"""Cells of the equal-area grid, and the sites drawn from them."""

from typing import Literal

from eartheye.contracts.manifest import Manifest
from eartheye.store import Bulk

LAND_CLASSES = ("forest", "grassland", "cropland", "water", "wetland", "built-up", "other")
"""Land-cover classes 1 to 7 of equation (1), in their order. Source: CG-EarthEye report, section 2.1."""


class Cells(Manifest):
    """Cells of the grid that lie in a region, a row each, ascending by cell.

    Columns: `cell` int64; `region` int32; `land_class` uint8, 1 to 7; `share_1` to `share_7` float32, the shares of the classes;
    `elevation_m` float32; `lon`, `lat` float64, degrees, of the centre.
    """

    kind: Literal["cells/1"] = "cells/1"
    table: Bulk
    """Parquet."""
    count: int
    cell_km: int
    """Nominal width of a cell: 1, 3, 9 or 36, the nested EASE-Grid 2.0 family."""
    regions: dict[int, str]
    """Name of each region number."""
    left_out: dict[str, int]
    """Cells of the area that were not taken, by reason."""


class Sites(Manifest):
    """Drawn sites, a row each, in the order of the cells: the cell's columns, `site` int64 (the cell's number) and `stratum` int64."""

    kind: Literal["sites/1"] = "sites/1"
    table: Bulk
    """GeoParquet; the geometry is the point of the cell's centre, longitude and latitude on WGS84."""
    count: int
    strata: int
    cell_km: int
