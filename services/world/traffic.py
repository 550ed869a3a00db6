"""Ships on the water and aircraft on the apron: other ones in each scene, at any angle."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from services.world.airport import Airport
from services.world.plan import Plan

SHORE_M = 22.0
"""Distance that ships keep from the shore, whose line winds by less at 1 m."""
TRIES_PER_SHIP = 60


@dataclass(frozen=True)
class Craft:
    """A ship or an aircraft: an oriented box."""

    kind: str
    """`ship` or `aircraft`."""
    x: float
    y: float
    length_m: float
    width_m: float
    heading: float
    """Radians from east to its bow or nose, clockwise as seen on the map."""
    bits: int
    """Random number, for colours; the lowest bit says whether a ship moves."""

    @property
    def outline(self) -> shapely.Polygon:
        """The oriented box, bow first."""
        a, b = self.length_m / 2, self.width_m / 2
        return shapely.Polygon(_turn(np.array([(a, -b), (a, b), (-a, b), (-a, -b)]), self.x, self.y, self.heading))


def make_traffic(plan: Plan, number: int) -> list[Craft]:
    """Return the ships and aircraft of a scene.

    Args:
        plan: of the world.
        number: of the scene.
    """
    rng = np.random.default_rng([plan.config.seed, 10, number])
    return _ships(plan, rng) + _aircraft(plan.airport, rng)


def _ships(plan: Plan, rng: np.random.Generator) -> list[Craft]:
    terrain, size_m = plan.terrain, plan.config.size_m
    rows, columns = np.nonzero(terrain.into_water_m > SHORE_M + 5)
    x, y = terrain.block.x[columns], terrain.block.y[rows]
    inside = (np.minimum(x, y) > 30) & (np.maximum(x, y) < size_m - 30)
    x, y = x[inside], y[inside]
    wanted = int(np.clip(0.001 * len(x) * 1.8, 5, 120))
    bridges = shapely.STRtree([road.line for road in plan.roads])
    ships: list[Craft] = []
    for _ in range(wanted * TRIES_PER_SHIP):
        if len(ships) == wanted or not len(x):
            break
        place = int(rng.integers(len(x)))
        length_m = float(np.clip(rng.lognormal(3.4, 0.55), 13, 120))
        width_m = length_m * float(rng.uniform(0.16, 0.26)) + 1.5
        heading, bits = float(rng.uniform(0, 2 * np.pi)), int(rng.integers(2**32))
        ship = Craft("ship", float(x[place]), float(y[place]), length_m, width_m, heading, bits)
        if _floats(ship, plan) and not len(bridges.query(ship.outline, predicate="dwithin", distance=12)):
            gaps = [np.hypot(ship.x - other.x, ship.y - other.y) - (length_m + other.length_m) / 2 for other in ships]
            if min(gaps, default=np.inf) > 15:
                ships.append(ship)
    return ships


def _floats(ship: Craft, plan: Plan) -> bool:
    """Say whether the whole hull is on open water."""
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, 9) * ship.length_m, np.linspace(-0.5, 0.5, 3) * ship.width_m)
    xy = _turn(np.column_stack([u.ravel(), v.ravel()]), ship.x, ship.y, ship.heading)
    cells = plan.terrain.block.cells(xy[:, 0], xy[:, 1])
    return bool((plan.terrain.into_water_m[cells] > SHORE_M).all())


def _aircraft(airport: Airport, rng: np.random.Generator) -> list[Craft]:
    parked = []
    for x, y in airport.stands_m:
        if rng.random() < 0.72:
            length_m = airport.stand_spacing_m * float(rng.uniform(0.52, 0.84))
            span_m = length_m * float(rng.uniform(0.88, 1.02))
            heading, bits = float(rng.uniform(0, 2 * np.pi)), int(rng.integers(2**32))
            parked.append(Craft("aircraft", float(x), float(y), length_m, span_m, heading, bits))
    return parked


def _turn(uv: NDArray[np.float64], x: float, y: float, angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([x + uv[:, 0] * cos - uv[:, 1] * sin, y + uv[:, 0] * sin + uv[:, 1] * cos])
