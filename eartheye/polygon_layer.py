"""Polygons of a vector file: regions, or what was drawn on a scene."""

from pathlib import Path

import geopandas
import numpy as np
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS

from eartheye.errors import InvalidCatalogue, MissingCrs
from eartheye.raster.reference import is_on_earth, is_placed
from eartheye.wording import counted

POLYGONS = ("Polygon", "MultiPolygon")
ROUNDING_DEG = 1e-6
"""What a pole may be missed by that was carried from another reference system."""


def read_polygon_layer(path: Path, crs: CRS, where: str) -> geopandas.GeoDataFrame:
    """Return the rows of a vector file's layer that have a polygon, in the reference system asked for.

    A layer with anything else than polygons is refused, not thinned out: what was drawn as a line was drawn to count.

    Args:
        path: a local file.
        crs: wanted.
        where: the file, for messages.

    Raises:
        InvalidCatalogue: it is no vector file, a table without geometry, holds points, lines or collections, or polygons out of reach.
        MissingCrs: it does not say where on Earth its polygons lie.
    """
    try:
        layer = geopandas.read_file(path)
    except (DataSourceError, DataLayerError, shapely.errors.ShapelyError) as error:
        raise InvalidCatalogue(f"{where} cannot be read as a layer of polygons ({error}): give a GeoPackage or GeoJSON of them") from None
    if not isinstance(layer, geopandas.GeoDataFrame):
        raise InvalidCatalogue(f"{where} is a table without geometry: give a GeoPackage or GeoJSON of polygons")
    if layer.crs is None or not is_placed(layer.crs):
        raise MissingCrs(f"{where} has no known reference system: write one into it, as ogr2ogr -a_srs does")
    layer = layer[layer.geometry.notna() & ~layer.geometry.is_empty]
    is_polygon = layer.geom_type.isin(POLYGONS)
    if not is_polygon.all():
        others = ", ".join(f"{count} {kind}" for kind, count in layer.geom_type[~is_polygon].value_counts().items())
        beside = counted(is_polygon.sum(), "polygon")
        raise InvalidCatalogue(f"{where} has {others} beside {beside}: give a layer of polygons alone")
    layer = layer.to_crs(crs)
    bounds = tuple(layer.total_bounds)
    if len(layer) and not (is_on_earth(bounds, ROUNDING_DEG) if crs.is_geographic else np.isfinite(bounds).all()):
        raise InvalidCatalogue(
            f"{where} has polygons that lie nowhere in {crs.name}: correct its reference system, or cut it to the area, "
            "as ogr2ogr -clipsrc does"
        )
    return layer
