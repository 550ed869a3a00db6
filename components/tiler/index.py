"""The index of tiles as a table."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from eartheye.tiles import footprints

SCHEMA = pa.schema(
    [
        ("tile", pa.int64()),
        ("site", pa.int64()),
        ("source", pa.string()),
        ("sensor", pa.string()),
        ("acquired", pa.date32()),
        ("quarter", pa.string()),
        ("shard", pa.int32()),
        ("key", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("gsd_m", pa.float32()),
        ("valid", pa.float32()),
        ("clear", pa.float32()),
        ("sharpness", pa.float32()),
        ("entropy_bit", pa.float32()),
        ("label", pa.string()),
        ("label_sets", pa.list_(pa.string())),
        ("group", pa.string()),
        ("pretrain", pa.bool_()),
        ("crs", pa.string()),
        ("transform", pa.list_(pa.float64())),
        ("licence", pa.string()),
        ("attribution", pa.string()),
        ("rejected", pa.string()),
        ("geometry", pa.binary()),
    ]
)
"""Columns of `eartheye.contracts.Tiles`."""

GEO = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon"]}}}
"""Metadata of GeoParquet; a column without a reference system of its own is longitude and latitude on WGS84."""

UNKNOWN = {"source": "", "sensor": "", "height": 0, "width": 0, "label_sets": [], "pretrain": False, "licence": "", "attribution": ""}
"""What stands in a rejected row for what nobody knows."""


def make_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table of the index, with the footprints; columns that a row leaves out are null."""
    complete = [UNKNOWN | dict(row) for row in rows]
    table = pa.table({field.name: pa.array([row.get(field.name) for row in complete], field.type) for field in SCHEMA}, schema=SCHEMA)
    ground = footprints(table.select(["crs", "transform", "height", "width"]).to_pandas())
    # shapely's WKB is the same for the same polygon; a missing one stays null
    return _with(table, "geometry", pa.array(shapely.to_wkb(ground).tolist(), pa.binary()))


def number_tiles(tables: Iterable[pa.Table]) -> pa.Table:
    """Join tables, number their rows, and give each row without a site one of its own: -1, -2 and so on."""
    table = pa.concat_tables(tables)
    site = table["site"].to_pandas().to_numpy(np.float64, na_value=np.nan)
    none = np.isnan(site)
    numbered = np.where(none, 0, table["site"].fill_null(0).to_numpy())
    numbered[none] = -1 - np.arange(none.sum())
    table = _with(table, "site", pa.array(numbered, pa.int64()))
    table = _with(table, "tile", pa.array(np.arange(len(table)), pa.int64()))
    return table.replace_schema_metadata({"geo": json.dumps(GEO)})


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(SCHEMA.get_field_index(name), name, column)
