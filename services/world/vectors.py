"""The vector truth: objects and changes as GeoPackages in the world's projection."""

import math
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from pyogrio import set_gdal_config_options

from services.world.changes import KINDS
from services.world.config import PROJECTION, WorldConfig
from services.world.plan import Plan
from services.world.scenes import SCENES
from services.world.traffic import Craft, make_traffic

WRITTEN = "2024-09-01T00:00:00Z"
"""Date that GeoPackages carry, so that the same world makes the same bytes."""

Place = Callable[[list[shapely.Geometry]], np.ndarray]


def write_regions(plan: Plan, path: Path) -> None:
    """Write the administrative regions: `region_id`, `name`."""
    _write(plan.regions, path, "regions")


def write_objects(plan: Plan, path: Path) -> None:
    """Write buildings, roads, ships and aircraft as layers of these names.

    A row with `scene` is seen in that scene alone; a new building only after the changes; all else in every scene. `bearing_deg` is
    that of a building's longer side and of a bow or nose, clockwise from north.
    """
    place = _placer(plan.config)
    later = next(scene.file for scene in SCENES if scene.changed)
    standing = [(building, None) for building in plan.buildings]
    built = [(building, later) for change in plan.changes for building in change.buildings]
    buildings = gpd.GeoDataFrame(
        [
            {
                "class_name": "building", "kind": b.kind, "bearing_deg": _bearing_deg(b.angle) % 180, "length_m": b.length_m,
                "width_m": b.width_m, "height_m": b.height_m, "scene": scene,
            }
            for b, scene in standing + built
        ],
        geometry=place([b.outline for b, _ in standing + built]),
        crs=PROJECTION,
    )  # fmt: skip
    roads = gpd.GeoDataFrame(
        {"class_name": "road", "kind": [road.kind for road in plan.roads], "width_m": [road.width_m for road in plan.roads]},
        geometry=place([road.line for road in plan.roads]),
        crs=PROJECTION,
    )
    traffic = [(craft, scene.file) for number, scene in enumerate(SCENES) for craft in make_traffic(plan, number)]
    _write(buildings, path, "buildings")
    _write(roads, path, "roads")
    _write(_craft(traffic, "ship", place), path, "ships")
    _write(_craft(traffic, "aircraft", place), path, "aircraft")


def write_changes(plan: Plan, path: Path) -> None:
    """Write the areas that differ at the second date: `kind`, and the class before and after."""
    rows = [{"kind": c.kind, "class_before": int(c.before), "class_after": int(c.after)} for c in plan.changes]
    outlines = _placer(plan.config)([change.outline for change in plan.changes])
    _write(gpd.GeoDataFrame(rows, columns=["kind", "class_before", "class_after"], geometry=outlines, crs=PROJECTION), path, "changes")


def count_changes(path: Path) -> dict[str, int]:
    """Return how many changes of each kind a world has; a small one has no room for all of them."""
    kinds = list(gpd.read_file(path, ignore_geometry=True)["kind"])
    return {kind: kinds.count(kind) for kind in KINDS}


def _craft(traffic: list[tuple[Craft, str]], kind: str, place: Place) -> gpd.GeoDataFrame:
    of_kind = [(craft, scene) for craft, scene in traffic if craft.kind == kind]
    rows = [
        {"class_name": kind, "bearing_deg": _bearing_deg(c.heading), "length_m": c.length_m, "width_m": c.width_m, "scene": scene}
        for c, scene in of_kind
    ]
    return gpd.GeoDataFrame(rows, geometry=place([craft.outline for craft, _ in of_kind]), crs=PROJECTION)


def _bearing_deg(angle: float) -> float:
    return (90 + math.degrees(angle)) % 360


def _placer(config: WorldConfig) -> Place:
    """Return what moves geometries from metres of the world, y to the south, to eastings and northings."""
    left, top = config.upper_left_m

    def place(geometries: list[shapely.Geometry]) -> np.ndarray:
        return shapely.transform(np.array(geometries, dtype=object), lambda xy: np.column_stack([left + xy[:, 0], top - xy[:, 1]]))

    return place


def _write(rows: gpd.GeoDataFrame, path: Path, layer: str) -> None:
    set_gdal_config_options({"OGR_CURRENT_DATE": WRITTEN})
    try:
        rows.to_file(path, layer=layer, driver="GPKG", engine="pyogrio")
    finally:
        set_gdal_config_options({"OGR_CURRENT_DATE": None})
