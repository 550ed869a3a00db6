"""The STAC item of a map: what it is, where it lies, what it was made from."""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pystac
import shapely
from affine import Affine
from pystac.extensions.classification import Classification, ClassificationExtension
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from rasterio.crs import CRS
from rasterio.transform import array_bounds

from eartheye.contracts import ClassSpec
from eartheye.date_line import around_the_earth, bounds_around_the_earth
from eartheye.raster.reference import footprint
from eartheye.store import Bulk

PARQUET = "application/vnd.apache.parquet"
SHA256_MULTIHASH = "1220"
"""Prefix of a SHA-256 digest as multihash: its code, and its length of 32 bytes. Source: multiformats, STAC file extension."""
ANY_DAY = dt.datetime(1900, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
"""Span of a scene whose day nobody knows: STAC takes no item without time, and a file's own dates tell when it was written.
Source: how the MLM extension and STAC's issue 1161 write a span without a known start or end."""
DAY_UNKNOWN = "The day of the scene is not known: start_datetime and end_datetime hold any day there may be, not a time of observation."


def stac_item(
    name: str,
    grid: tuple[CRS, Affine, int, int],
    acquired: dt.date | None,
    classes: tuple[ClassSpec, ...],
    raster: Bulk,
    polygons: Bulk,
    source: str,
    folder: str,
    properties: Mapping[str, str | int],
) -> bytes:
    """Return the item as JSON; it holds no time of making, so that the same map has the same item.

    Without a day of the scene the item spans `ANY_DAY`, and its description says so.

    Args:
        name: the item's id.
        grid: reference system, transform, width and height of the map.
        acquired: day of the scene, None where nobody knows.
        classes: of the map.
        raster: the COG, in the item's folder.
        polygons: the GeoParquet, in the item's folder.
        source: the scene, an absolute path or `s3://bucket/key`.
        folder: of the item, in the same form.
        properties: further facts.

    Source: STAC 1.1; extensions projection 2, file 2.1, classification 2.
    """
    crs, transform, width, height = grid
    outline = footprint(crs, transform, width, height)
    ground = shapely.orient_polygons(around_the_earth(outline))  # counter-clockwise, as GeoJSON asks
    first, last = _span(acquired) if acquired else ANY_DAY
    item = pystac.Item(
        id=name,
        geometry=json.loads(shapely.to_geojson(ground)),
        bbox=list(bounds_around_the_earth(outline)),
        datetime=first if acquired else None,
        start_datetime=first,
        end_datetime=last,
        properties=dict(properties) if acquired else {**properties, "description": DAY_UNKNOWN},
    )
    item.add_link(pystac.Link(pystac.RelType.DERIVED_FROM, source_href(source, folder)))
    projection = ProjectionExtension.ext(item, add_if_missing=True)
    code = crs.to_authority()
    projection.apply(
        code=":".join(code) if code else None,
        wkt2=None if code else crs.to_wkt(),
        shape=[height, width],
        transform=list(transform)[:6],
        bbox=list(shapely.box(*array_bounds(height, width, transform)).bounds),  # rows may run north, columns west
    )
    item.add_asset("map", _asset(raster, "Class map", pystac.MediaType.COG, ["data"]))
    item.add_asset("polygons", _asset(polygons, "Polygons of the classes", PARQUET, ["data"]))
    for key, bulk in (("map", raster), ("polygons", polygons)):
        FileExtension.ext(item.assets[key], add_if_missing=True).apply(size=bulk.size, checksum=SHA256_MULTIHASH + bulk.sha256)
    ClassificationExtension.ext(item.assets["map"], add_if_missing=True).apply(classes=_classifications(classes))
    return json.dumps(item.to_dict(include_self_link=False), indent=2).encode()


def source_href(source: str, folder: str) -> str:
    """Return how an item refers to its scene: relative to the item where both lie in one folder and may be moved together.

    Args:
        source: the scene, an absolute path or `s3://bucket/key`.
        folder: of the item, in the same form.
    """
    beside = folder.rpartition("/")[0] + "/"
    if source.startswith(beside) and beside not in ("/", "s3://"):
        return "../" + quote(source.removeprefix(beside))
    return source if source.startswith("s3://") else Path(source).as_uri()


def _span(acquired: dt.date) -> tuple[dt.datetime, dt.datetime]:
    first = dt.datetime.combine(acquired, dt.time(), dt.UTC)
    return first, first + dt.timedelta(days=1, seconds=-1)


def _asset(bulk: Bulk, title: str, media_type: str, roles: list[str]) -> pystac.Asset:
    return pystac.Asset(f"./{bulk.name}", title=title, media_type=media_type, roles=roles)


def _classifications(classes: tuple[ClassSpec, ...]) -> list[Classification]:
    no_data = Classification.create(0, name="no-data", title="no data", nodata=True)
    return [no_data] + [
        Classification.create(spec.value, name=_slug(spec.name), title=spec.name, color_hint=spec.colour.removeprefix("#").upper())
        for spec in classes
    ]


def _slug(name: str) -> str:
    """Return a name in the signs that the classification extension allows."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in name)
