"""The ground of a raster as an outline on the Earth, which has no edge at 180 degrees."""

import numpy as np
import shapely

from eartheye.errors import InvalidCatalogue
from eartheye.raster import Scene

TURNS_DEG = (-360.0, 0.0, 360.0)
"""Turns around the Earth by which the longitudes of two places can differ that are one."""


def outline(scene: Scene) -> shapely.Polygon:
    """Return the ground of a raster in one piece: where it lies across 180 degrees, its longitudes go on beyond that.

    Raises:
        InvalidCatalogue: a pole lies within it, so that it has no outline in longitude and latitude.
    """
    ring = shapely.get_coordinates(scene.footprint)
    if not np.isfinite(ring).all():
        return scene.footprint
    lon = np.unwrap(ring[:, 0], period=360.0)
    if abs(lon[-1] - lon[0]) > 180.0:
        raise InvalidCatalogue(
            f"{scene.uri} lies around a pole: bring it to longitude and latitude first, as gdalwarp -t_srs EPSG:4326 does"
        )
    return shapely.Polygon(np.stack([lon, ring[:, 1]], axis=1))


def around_the_earth(ground: shapely.Polygon) -> shapely.Geometry:
    """Return an outline with longitudes from -180 to 180, in parts where it lies across 180; some rasters count from 0 to 360."""
    turned = [shapely.transform(ground, lambda degrees, turn=turn: degrees + np.array([turn, 0.0])) for turn in TURNS_DEG]
    return shapely.intersection(shapely.union_all(turned), shapely.box(-180.0, -90.0, 180.0, 90.0))
