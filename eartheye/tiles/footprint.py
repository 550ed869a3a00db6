"""Where tiles lie on Earth."""

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from eartheye.date_line import around_the_earth, in_one_piece

WGS84 = "EPSG:4326"


def footprints(index: pd.DataFrame) -> NDArray[np.object_]:
    """Return the ground of tiles as polygons of their four corners, longitude and latitude on WGS84; None without georeference.

    A tile across 180 degrees has a part on either side.

    Args:
        index: rows of tiles with `crs`, `transform`, `height` and `width`.
    """
    polygons = np.full(len(index), None, dtype=object)
    placed = (index["crs"].notna() & index["transform"].notna()).to_numpy()
    for crs in sorted(index["crs"][placed].unique()):
        rows = np.flatnonzero(placed & (index["crs"] == crs).to_numpy())
        x, y = _corners(index.iloc[rows])
        lon, lat = Transformer.from_crs(crs, WGS84, always_xy=True).transform(x, y)
        polygons[rows] = shapely.polygons(np.stack([in_one_piece(lon), lat], axis=-1))
    bounds = shapely.bounds(polygons)
    for across in np.flatnonzero((bounds[:, 0] < -180.0) | (bounds[:, 2] > 180.0)):
        polygons[across] = around_the_earth(polygons[across])
    return polygons


def _corners(index: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (N, 4) coordinates of the corners in the tiles' own reference system, around each tile."""
    a, b, c, d, e, f = np.stack(index["transform"].to_list()).astype(np.float64).T[:, :, None]
    height, width = (index[side].to_numpy(np.float64)[:, None] for side in ("height", "width"))
    column = width * np.array([0, 1, 1, 0])
    row = height * np.array([0, 0, 1, 1])
    return a * column + b * row + c, d * column + e * row + f
