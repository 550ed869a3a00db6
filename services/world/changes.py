"""What changes on the ground between 2023 and 2024: new buildings, cleared forest, flooded fields."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from services.world.airport import Airport
from services.world.buildings import Building
from services.world.config import WorldConfig
from services.world.cover import Cover, CoverGrid
from services.world.roads import Road

TRIES = 1500
SMALLER = (1.0, 0.75, 0.55)
"""Shares of the usual size that are tried until a kind of change finds a place."""
APART_M = 40.0
KINDS = {
    "new_buildings": ((Cover.CROPLAND, Cover.GRASSLAND), Cover.BUILT_UP),
    "cleared_forest": ((Cover.FOREST,), Cover.OTHER),
    "flooded_field": ((Cover.CROPLAND,), Cover.WATER),
}
"""What each kind of change begins with, and what it ends in."""


@dataclass(frozen=True)
class Change:
    """An area that looks different at the second date."""

    kind: str
    before: Cover
    after: Cover
    outline: shapely.Polygon
    """In metres from the world's north-western corner."""
    buildings: tuple[Building, ...]


def make_changes(config: WorldConfig, cover: CoverGrid, airport: Airport, roads: list[Road]) -> list[Change]:
    """Choose places for changes: each lies in one class of land, crosses no road and touches no other change."""
    rng = np.random.default_rng([config.seed, 9])
    radius_m = float(np.clip(0.03 * config.size_m, 34, 120))
    of_each = max(1, round(config.size_km**2 / 9))
    roads_tree = shapely.STRtree([road.line for road in roads])
    changes: list[Change] = []
    for kind in KINDS:
        made: list[Change] = []
        for smaller in SMALLER:
            for x, y in rng.uniform(1.4 * radius_m, config.size_m - 1.4 * radius_m, (TRIES, 2)):
                if len(made) == of_each:
                    break
                change = _change(kind, float(x), float(y), smaller * radius_m, cover, rng)
                if change is None or len(roads_tree.query(change.outline, predicate="dwithin", distance=15)):
                    continue
                taken = [other.outline for other in (*changes, *made)] + [airport.field]
                if min(change.outline.distance(outline) for outline in taken) > APART_M:
                    made.append(change)
            if made:
                break
        changes += made
    return changes


def _change(kind: str, x: float, y: float, radius_m: float, cover: CoverGrid, rng: np.random.Generator) -> Change | None:
    """Return a change at a place, None where the land there is not of one class that this kind can begin with."""
    before, after = KINDS[kind]
    angle = float(rng.uniform(0, np.pi))
    shape = _site(radius_m, rng) if kind == "new_buildings" else _blot(radius_m, rng)
    outline = shapely.transform(shape, lambda uv: _turn(uv, x, y, angle))
    classes = _classes(cover, outline)
    if classes[0] not in before or (classes != classes[0]).any():
        return None
    buildings = _estate(radius_m, x, y, angle, rng) if kind == "new_buildings" else ()
    return Change(kind, Cover(classes[0]), after, outline, buildings)


def _turn(uv: NDArray[np.float64], x: float, y: float, angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([x + uv[:, 0] * cos - uv[:, 1] * sin, y + uv[:, 0] * sin + uv[:, 1] * cos])


def _site(radius_m: float, rng: np.random.Generator) -> shapely.Polygon:
    """Return the fence of a building site."""
    return shapely.box(-radius_m, -rng.uniform(0.6, 0.8) * radius_m, radius_m, 0.7 * radius_m)


def _blot(radius_m: float, rng: np.random.Generator) -> shapely.Polygon:
    """Return an irregular round shape."""
    turns = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.full(48, 0.85)
    for waves in (2, 3, 5):
        radius += rng.uniform(0.04, 0.13) * np.sin(waves * turns + rng.uniform(0, 6.28))
    return shapely.Polygon(np.column_stack([np.cos(turns), np.sin(turns)]) * radius[:, None] * radius_m)


def _classes(cover: CoverGrid, outline: shapely.Polygon) -> NDArray[np.uint8]:
    """Return the classes found on a lattice over the shape and a margin, as wide as the borders of classes wind."""
    left, top, right, bottom = outline.bounds
    x, y = np.meshgrid(np.arange(left - 20, right + 20, 12.0), np.arange(top - 20, bottom + 20, 12.0))
    near = shapely.contains_xy(outline.buffer(20), x, y)
    return cover.at(x[near], y[near])


def _estate(radius_m: float, x: float, y: float, angle: float, rng: np.random.Generator) -> tuple[Building, ...]:
    """Return new halls or slabs in rows on the site."""
    length_m, width_m, kind = (40.0, 12.0, "slab") if rng.random() < 0.6 else (48.0, 26.0, "hall")
    columns, rows = max(1, int(2 * radius_m // (length_m + 12))), max(1, int(1.25 * radius_m // (width_m + 13)))
    step_u, step_v = 2 * radius_m / columns, 1.25 * radius_m / rows
    u, v = np.meshgrid((np.arange(columns) + 0.5) * step_u - radius_m, (np.arange(rows) + 0.5) * step_v - 0.58 * radius_m)
    place = _turn(np.column_stack([u.ravel(), v.ravel()]), x, y, angle)
    bits = int(rng.integers(2**32))
    height_m = 18.0 if kind == "slab" else 10.0
    return tuple(
        Building(float(px), float(py), min(length_m, step_u - 8), min(width_m, step_v - 8), angle, height_m, kind, notched=False, bits=bits)
        for px, py in place
    )
