"""Outlines in longitude and latitude on the Earth, which has no edge at 180 degrees."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

TURNS_DEG = (-360.0, 0.0, 360.0)
"""Turns around the Earth by which the longitudes of two places can differ that are one."""


def in_one_piece(lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return longitudes of (..., N) points along outlines that go on beyond 180 degrees where the outline does.

    Two neighbours lie less than half a turn apart. Outlines with a point that lies nowhere are left as they are.
    """
    placed = np.isfinite(lon).all(axis=-1, keepdims=True)
    return np.where(placed, np.unwrap(np.where(placed, lon, 0.0), period=360.0), lon)


def around_the_earth(ground: shapely.Polygon) -> shapely.Geometry:
    """Return an outline with longitudes from -180 to 180, in parts where it lies across 180; some rasters count from 0 to 360."""
    west, _, east, _ = ground.bounds
    if west >= -180.0 and east <= 180.0:
        return ground
    return shapely.intersection(shapely.union_all(at_each_turn(ground)), shapely.box(-180.0, -90.0, 180.0, 90.0))


def at_each_turn(ground: Any) -> list[Any]:
    """Return an outline, or an array of them, a turn around the Earth to the west, as it is, and a turn to the east."""
    return [shapely.transform(ground, lambda degrees, turn=turn: degrees + np.array([turn, 0.0])) for turn in TURNS_DEG]


def bounds_around_the_earth(ground: shapely.Polygon) -> tuple[float, float, float, float]:
    """Return west, south, east and north of an outline in one piece, from -180 to 180; west is the larger where it lies across 180.

    Source: RFC 7946 (GeoJSON), 5.2.
    """
    west, south, east, north = ground.bounds
    if east - west >= 360.0:
        return -180.0, south, 180.0, north
    if west < -180.0 or east > 180.0:
        west, east = ((lon + 180.0) % 360.0 - 180.0 for lon in (west, east))
    return west, south, east, north
