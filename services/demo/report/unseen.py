"""The ground that a task model has not seen."""

import pandas as pd
import pyarrow.parquet as pq
import shapely
from pyproj import Transformer
from rasterio.crs import CRS

from eartheye.contracts import ModelPackage
from eartheye.store import Folder
from eartheye.tiles.footprint import WGS84, footprints

ROUNDING = 1e-6
"""Corners that are nearer than this part of the extent, as after two projections, are one."""


def split_of(model: Folder) -> pd.DataFrame:
    """Return which tiles a model trained here has seen: columns `tile` and `part`."""
    package = ModelPackage.read(model)
    assert package.split is not None, "it was trained here"
    with model.open(package.split) as file:
        return pq.read_table(file).to_pandas()


def unseen_ground(index: pd.DataFrame, parts: pd.DataFrame, crs: CRS, extent: shapely.Polygon) -> shapely.Geometry:
    """Return the ground of a model's test tiles that no tile of its training or validation shows.

    Args:
        index: of the tiles that it was trained on; the row is the tile's number.
        parts: of its split, columns `tile` and `part`.
        crs: reference system wanted.
        extent: ground of interest in it.

    Returns:
        Polygons within `extent`; empty where the model was tested elsewhere, or on images without georeference.
    """
    ground = footprints(index.loc[parts["tile"]])
    to_crs = Transformer.from_crs(WGS84, crs.to_wkt(), always_xy=True)
    is_test = (parts["part"] == "test").to_numpy()
    west, south, east, north = extent.bounds
    rounding = ROUNDING * max(east - west, north - south)

    def union(chosen: list[shapely.Polygon | None]) -> shapely.Geometry:
        placed = [shapely.transform(polygon, to_crs.transform, interleaved=False) for polygon in chosen if polygon is not None]
        return shapely.union_all(placed, grid_size=rounding)

    unseen = shapely.difference(union(list(ground[is_test])), union(list(ground[~is_test])), grid_size=rounding)
    return shapely.intersection(unseen, extent, grid_size=rounding)
