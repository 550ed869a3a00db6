"""The polygons of a map as GeoParquet."""

import io
from collections.abc import Iterable
from typing import BinaryIO

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from rasterio.crs import CRS

from eartheye.blocks import Polygons, geodesic_area_m2
from eartheye.contracts import ClassSpec

COLUMNS = pa.schema([("class", pa.uint8()), ("name", pa.string()), ("area_m2", pa.float64()), ("geometry", pa.binary())])


def write_polygons(file: BinaryIO, groups: Iterable[Polygons], crs: CRS, classes: tuple[ClassSpec, ...], min_area_m2: float) -> None:
    """Write polygons as they come, each group as a row group of its own.

    Args:
        file: takes them.
        groups: those of a map, in `crs`.
        crs: of the map.
        classes: name the values.
        min_area_m2: smaller polygons are left out.
    """
    full = pyproj.CRS.from_wkt(crs.to_wkt())
    names = {spec.value: spec.name for spec in classes}
    extents: list[shapely.Polygon] = []
    with pq.ParquetWriter(file, COLUMNS, compression="zstd") as writer:
        for group in groups:
            area_m2 = geodesic_area_m2(group.geometry, full)
            kept = area_m2 >= min_area_m2
            if not kept.any():
                continue
            value, geometry = group.value[kept], group.geometry[kept]
            columns = [value, [names[number] for number in value], area_m2[kept], shapely.to_wkb(geometry)]
            writer.write_table(pa.table(columns, COLUMNS))
            extents.append(shapely.box(*shapely.total_bounds(geometry)))
        writer.add_key_value_metadata({"geo": _describe(gpd.GeoSeries(extents, crs=full))})


def _describe(extents: gpd.GeoSeries) -> bytes:
    """Return the `geo` entry of a GeoParquet file, as geopandas words it for polygons around the groups: reference system, kind, extent."""
    file = io.BytesIO()
    gpd.GeoDataFrame(geometry=extents).to_parquet(file)
    return pq.read_schema(file).metadata[b"geo"]
