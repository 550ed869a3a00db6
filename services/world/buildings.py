"""The buildings of towns: houses, slabs, towers and halls along the streets."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from services.world.airport import Airport
from services.world.cover import CoverGrid
from services.world.roads import Road
from services.world.streets import AVENUE_M, STREET_M, Grid, is_of_town
from services.world.towns import Town

KINDS = ("house", "slab", "tower", "hall")
CLEARANCE_M = 8.0
"""Distance that a building keeps from the end of the built-up ground, whose border winds by less at 1 m."""


@dataclass(frozen=True)
class Building:
    """A box with a roof."""

    x: float
    y: float
    length_m: float
    width_m: float
    angle: float
    """Radians from east to the longer side, clockwise as seen on the map."""
    height_m: float
    kind: str
    notched: bool
    """A corner is missing: an L."""
    bits: int
    """Random number of the building, for its colours."""

    @property
    def outline(self) -> shapely.Polygon:
        """The walls seen from above."""
        return shapely.Polygon(self._place(np.array(self.corners)))

    @property
    def corners(self) -> list[tuple[float, float]]:
        """Corners in the building's own frame."""
        a, b = self.length_m / 2, self.width_m / 2
        if self.notched:
            return [(-a, -b), (a, -b), (a, 0), (0, 0), (0, b), (-a, b)]
        return [(-a, -b), (a, -b), (a, b), (-a, b)]

    def _place(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.column_stack([self.x + uv[:, 0] * cos - uv[:, 1] * sin, self.y + uv[:, 0] * sin + uv[:, 1] * cos])


def make_buildings(
    seed: int, grids: list[Grid], towns: list[Town], cover: CoverGrid, airport: Airport, highways: list[Road]
) -> list[Building]:
    """Fill the blocks between the streets, and leave out what would stand beyond the town or on a road."""
    kept = []
    for number, grid in enumerate(grids):
        rng = np.random.default_rng([seed, 8, number])
        candidates = [building for i in range(len(grid.u) - 1) for j in range(len(grid.v) - 1) for building in _fill(grid, i, j, rng)]
        if not candidates:
            continue
        middle = np.array([[b.x, b.y] for b in candidates])
        reach = np.array([np.hypot(b.length_m, b.width_m) / 2 + CLEARANCE_M for b in candidates])
        turns = np.linspace(0, 2 * np.pi, 8, endpoint=False)
        ring = middle[:, None] + reach[:, None, None] * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
        fits = np.all(is_of_town(np.concatenate([ring, middle[:, None]], axis=1), grid, towns, cover, airport), axis=1)
        kept += [building for building, fit in zip(candidates, fits, strict=True) if fit]
    tree = shapely.STRtree([building.outline for building in kept])
    on_road = {int(i) for road in highways for i in tree.query(road.line, predicate="dwithin", distance=road.width_m / 2 + 3)}
    return [building for number, building in enumerate(kept) if number not in on_road]


def _fill(grid: Grid, i: int, j: int, rng: np.random.Generator) -> list[Building]:
    """Build one block between streets i and i+1, j and j+1."""
    u0, u1 = grid.u[i] + _setback(i), grid.u[i + 1] - _setback(i + 1)
    v0, v1 = grid.v[j] + _setback(j), grid.v[j + 1] - _setback(j + 1)
    radius_m = grid.town.radius_m
    depth = 1 - np.hypot((u0 + u1) / 2, (v0 + v1) / 2) / radius_m
    chances = [0.15, 0.5, 0.2, 0.05, 0.1] if depth > 0.5 else [0.45, 0.2, 0.03, 0.24, 0.08]
    kind = "house" if radius_m < 130 else str(rng.choice([*KINDS, "park"], p=chances))
    if kind == "park":
        return []
    if kind == "house":
        cell, size, low, high = (19.0, 17.0), (10.5, 9.0), 5, 9
    elif kind == "slab":
        cell, size, low, high = (58.0, 29.0), (46.0, 13.0), 15, 26
    elif kind == "tower":
        cell, size, low, high = (46.0, 42.0), (25.0, 21.0), 30, 42
    else:
        cell, size, low, high = (72.0, 50.0), (62.0, 38.0), 8, 12
    across, along = max(1, int((u1 - u0) // cell[0])), max(1, int((v1 - v0) // cell[1]))
    step_u, step_v = (u1 - u0) / across, (v1 - v0) / along
    height_m = rng.uniform(low, high)
    block_bits = int(rng.integers(2**32))
    buildings = []
    for row in range(along):
        for column in range(across):
            if rng.random() < (0.12 if kind == "house" else 0.05):
                continue
            length_m = min(size[0] * rng.uniform(0.85, 1.2), step_u - 5)
            width_m = min(size[1] * rng.uniform(0.88, 1.15), step_v - 5)
            loose = 1.0 if kind == "house" else 0.0
            u, v = u0 + (column + 0.5) * step_u + loose * rng.uniform(-1.5, 1.5), v0 + (row + 0.5) * step_v + loose * rng.uniform(-1.5, 1.5)
            x, y = grid.place(u, v)
            own = int(rng.integers(2**32))
            # the houses of a street and the slabs of an estate look alike: half of them share the block's colours
            bits = own if own % 2 else block_bits
            notched = kind != "house" and length_m > 24 and width_m > 17 and rng.random() < 0.35
            angle = grid.town.angle + loose * rng.normal(0, 0.04)
            buildings.append(Building(float(x), float(y), length_m, width_m, angle, height_m, kind, notched, bits))
    return buildings


def _setback(line: int) -> float:
    """Return metres from the middle of a street to the first wall."""
    return (AVENUE_M if Grid.is_avenue(line) else STREET_M) / 2 + 4
