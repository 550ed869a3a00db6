"""The ground of a raster as an outline on the Earth."""

import shapely

from eartheye.date_line import in_one_piece
from eartheye.errors import InvalidCatalogue
from eartheye.raster import Scene


def outline(scene: Scene) -> shapely.Polygon:
    """Return the footprint of a raster, unless it is none.

    Raises:
        InvalidCatalogue: a pole lies within it, so that it has no outline in longitude and latitude.
        MissingCrs: it lies nowhere on Earth, or reaches beyond it.
    """
    ring = shapely.get_coordinates(scene.footprint)
    lon = in_one_piece(ring[:, 0])
    if abs(lon[-1] - lon[0]) > 180.0:
        raise InvalidCatalogue(
            f"{scene.uri} lies around a pole: bring it to longitude and latitude first, as gdalwarp -t_srs EPSG:4326 does"
        )
    return scene.footprint
