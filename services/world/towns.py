"""Where towns and villages lie."""

from dataclasses import dataclass

import numpy as np
import shapely

from services.world.airport import Airport
from services.world.config import WorldConfig
from services.world.noise import Block, Float
from services.world.terrain import Terrain


@dataclass(frozen=True)
class Town:
    """A town or a village."""

    x: float
    y: float
    radius_m: float
    angle: float
    """Radians by which its streets are turned."""


def place_towns(config: WorldConfig, terrain: Terrain, airport: Airport) -> list[Town]:
    """Put one city by the water, two towns and some villages on the plain, apart from each other and from the airport."""
    size_m = config.size_m
    rng = np.random.default_rng([config.seed, 4])
    radii_m = [0.15 * size_m, 0.085 * size_m, 0.07 * size_m] + [0.04 * size_m] * round(7 * config.relief_scale)
    towns: list[Town] = []
    for radius_m in radii_m:
        place = rng.uniform(0.06 * size_m, 0.94 * size_m, (300, 2))
        row, column = terrain.block.cells(place[:, 0], place[:, 1])
        unfit = np.abs(terrain.from_water_m[row, column] - 0.9 * radius_m) / radius_m * (0.6 if len(towns) < 2 else 0.1)
        unfit += terrain.elevation_m[row, column] / terrain.elevation_m.max() * 4
        unfit += np.where(terrain.from_water_m[row, column] < 0.3 * radius_m, 5, 0)
        for town in towns:
            gap = np.hypot(place[:, 0] - town.x, place[:, 1] - town.y) / (1.3 * (town.radius_m + radius_m) + 0.03 * size_m)
            unfit += np.clip(1 - gap, 0, None) * 20
        gap_m = shapely.distance(shapely.points(place), airport.field)
        unfit += np.clip(1.1 * radius_m - gap_m, 0, None) / radius_m * 10
        x, y = place[int(np.argmin(unfit))]
        towns.append(Town(float(x), float(y), radius_m, float(rng.uniform(0, np.pi / 2))))
    return towns


def closeness(towns: list[Town], block: Block) -> Float:
    """Return (height, width) how deep in the nearest town a place lies: 1 in its middle, 0 at its radius, less beyond."""
    x, y = block.x[None, :], block.y[:, None]
    depth = [1 - np.hypot(x - town.x, y - town.y) / town.radius_m for town in towns]
    return np.max(depth, axis=0).astype(np.float32)
