"""The polygons of a map as GeoParquet."""

from collections.abc import Iterable
from typing import BinaryIO

import geopandas as gpd
import numpy as np
import pyproj
from affine import Affine
from rasterio.crs import CRS

from eartheye.blocks import ReadClasses, Window, geodesic_area_m2, polygonise
from eartheye.contracts import ClassSpec


def write_polygons(
    file: BinaryIO,
    read: ReadClasses,
    blocks: Iterable[Window],
    transform: Affine,
    crs: CRS,
    classes: tuple[ClassSpec, ...],
    min_area_m2: float,
) -> int:
    """Write the areas of a class map as polygons, in the order of their first pixels.

    Args:
        file: takes them.
        read: reads the class map.
        blocks: windows that cover it, as those of `cut_blocks`.
        transform: from the pixels of the windows to `crs`.
        crs: of the map.
        classes: name the values.
        min_area_m2: smaller polygons are left out.

    Returns:
        How many there are.
    """
    found = polygonise(read, blocks, transform)
    full = pyproj.CRS.from_wkt(crs.to_wkt())
    area_m2 = geodesic_area_m2(found.geometry, full)
    kept = area_m2 >= min_area_m2
    names = {spec.value: spec.name for spec in classes}
    table = gpd.GeoDataFrame(
        {"class": found.value[kept], "name": np.array([names[value] for value in found.value[kept]], object), "area_m2": area_m2[kept]},
        geometry=found.geometry[kept],
        crs=full,
    )
    table.to_parquet(file, index=False, compression="zstd")
    return len(table)
