"""Where on Earth a raster lies, and how large its pixels are there."""

import math
import re
from functools import lru_cache

import numpy as np
import pyproj
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.errors import CRSError

from eartheye.contracts.messages import CRS_CODE
from eartheye.date_line import TURNS_DEG, in_one_piece
from eartheye.errors import MissingCrs

WGS84 = CRS.from_epsg(4326)
POINTS_PER_SIDE = 21
"""Points along an edge that is carried to another reference system, where it is a curve. Source: GDAL's default for bounds."""
TRUE_TO_SCALE = 0.01
"""UTM and other local projections keep lengths to within this share: there the pixel size in metres is that on the ground."""


def known_crs(declared: CRS | None, stand_in: str | None, where: str) -> CRS:
    """Return the reference system of a file: its own, or the one given where its own is missing or unknown.

    Args:
        declared: what the file says.
        stand_in: as `EPSG:4326`.
        where: the file, for the message.

    Raises:
        MissingCrs: neither says where on Earth the file lies.
    """
    if declared is not None and is_placed(pyproj.CRS.from_wkt(declared.to_wkt())):
        return declared
    if stand_in is None:
        has = "no reference system" if declared is None else "a reference system without a known datum on Earth"
        raise MissingCrs(f"{where} has {has}: write one into the file with gdal_edit.py -a_srs, or give its `crs`, as EPSG:4326")
    try:
        given = CRS.from_user_input(stand_in) if re.fullmatch(CRS_CODE, stand_in) else None
    except CRSError:
        given = None
    if given is None or not is_placed(pyproj.CRS.from_wkt(given.to_wkt())):
        raise MissingCrs(
            f"{where}: `crs` is {stand_in}, which is no reference system of places on Earth: give its code in capitals, as EPSG:4326"
        )
    return given


@lru_cache(maxsize=64)  # a transformation takes long to find
def is_placed(crs: pyproj.CRS) -> bool:
    """Say whether a reference system tells places on Earth: a known datum, neither heights alone nor another planet."""
    if crs.geodetic_crs is None or not (crs.is_geographic or crs.is_projected):
        return False
    datum = (crs.geodetic_crs.datum.name if crs.geodetic_crs.datum else "unknown").lower().replace("_", " ")
    if datum.startswith(("unknown", "not specified", "unnamed")):
        return False
    try:
        pyproj.Transformer.from_crs(crs, "EPSG:4326")
    except ProjError:
        return False
    return True


def footprint(crs: CRS, transform: Affine, width: int, height: int) -> shapely.Polygon:
    """Return the outline of a raster of (height, width) pixels in one piece, longitude and latitude on WGS84.

    Where it lies across 180 degrees its longitudes go on beyond that, see `eartheye.date_line`.
    """
    along = np.linspace(0.0, 1.0, POINTS_PER_SIDE)[:-1]
    zero, one = np.zeros_like(along), np.ones_like(along)
    columns = np.concatenate([along, one, 1 - along, zero]) * width
    rows = np.concatenate([zero, along, one, 1 - along]) * height
    x, y = place(transform, columns, rows)
    lon, lat = to_wgs84(crs).transform(x, y)
    return shapely.Polygon(np.stack([in_one_piece(lon), lat], axis=1))


def is_on_earth(bounds: tuple[float, float, float, float], beyond_deg: float) -> bool:
    """Say whether the Earth has the longitudes and latitudes of bounds, which may go on for a turn, or be infinite.

    Args:
        bounds: west, south, east, north, degrees.
        beyond_deg: what they may reach beyond a pole.
    """
    west, south, east, north = bounds
    turned, pole = 180.0 + max(TURNS_DEG), 90.0 + beyond_deg
    return -turned <= west <= east <= turned and -pole <= south <= north <= pole


def place(transform: Affine, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of points given in columns and rows, or the other way round with the transform inverted."""
    return transform.a * columns + transform.b * rows + transform.c, transform.d * columns + transform.e * rows + transform.f


def to_wgs84(crs: CRS) -> pyproj.Transformer:
    """Return the transformer from a reference system, x and y, to longitude and latitude."""
    return pyproj.Transformer.from_crs(crs.to_wkt(), "EPSG:4326", always_xy=True)


def ground_sampling_distance_m(crs: CRS, transform: Affine, width: int, height: int) -> float:
    """Return the side, in metres on the ground, of a square as large as the pixel in the raster's middle."""
    middle = np.array([width / 2, height / 2])
    across, down = np.array([[0.5], [0.0]]), np.array([[0.0], [0.5]])
    lengths_m = []
    for half in (across, down):
        x, y = place(transform, *(middle[:, None] + np.concatenate([-half, half], axis=1)))
        lon, lat = to_wgs84(crs).transform(x, y)
        lengths_m.append(pyproj.Geod(ellps="WGS84").inv(lon[0], lat[0], lon[1], lat[1])[2])
    measured_m = math.sqrt(lengths_m[0] * lengths_m[1])
    if crs.is_projected:
        nominal_m = math.sqrt(abs(transform.determinant)) * crs.linear_units_factor[1]
        if abs(measured_m / nominal_m - 1) < TRUE_TO_SCALE:
            return nominal_m
    return measured_m
