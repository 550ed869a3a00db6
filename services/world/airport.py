"""An airport on the plain: runway, taxiway, apron and the stands on it."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity

from services.world.config import WorldConfig
from services.world.terrain import Terrain

CANDIDATES = 400


@dataclass(frozen=True)
class Airport:
    """Where an airport lies, in metres from the world's north-western corner."""

    field: shapely.Polygon
    """Mown grass around everything."""
    paved: shapely.MultiPolygon
    """Runway, taxiways and apron."""
    stands_m: NDArray[np.float64]
    """(N, 2) middles of the places where aircraft park."""
    stand_spacing_m: float
    runway: shapely.LineString
    """Its middle line."""
    runway_width_m: float


def place_airport(config: WorldConfig, terrain: Terrain) -> Airport:
    """Put an airport on the driest and flattest ground that a search finds."""
    size_m = config.size_m
    rng = np.random.default_rng([config.seed, 3])
    length_m = float(np.clip(0.21 * size_m, 330, 1900))
    scale = float(np.clip(length_m / 1600, 0.42, 1))
    field = shapely.box(-length_m / 2 - 25, -70 * scale, length_m / 2 + 25, 330 * scale)
    centre = rng.uniform(0.12 * size_m, 0.88 * size_m, (CANDIDATES, 2))
    angle_deg = rng.uniform(0, 360, CANDIDATES)
    left, top, right, bottom = field.bounds
    along, across = np.meshgrid(np.linspace(left, right, 25), np.linspace(top, bottom, 9))
    cost = np.array([_cost(terrain, size_m, _place(along, across, c, a)) for c, a in zip(centre, angle_deg, strict=True)])
    best = int(np.argmin(cost))

    half_width_m = 22.5 if scale > 0.6 else 15.0
    taxiway = 100 * scale
    apron = shapely.box(-240 * scale, taxiway, 240 * scale, 300 * scale)
    links = [shapely.box(u - 9, 0, u + 9, taxiway) for u in (-length_m / 2 + 12, -length_m / 5, length_m / 5, length_m / 2 - 12)]
    ways = [shapely.box(-length_m / 2, v - half, length_m / 2, v + half) for v, half in ((0, half_width_m), (taxiway, 10))]
    spacing_m = 58.0 if scale > 0.6 else 37.0
    across_stands, along_stands = np.meshgrid(
        np.arange(taxiway + 10 + spacing_m / 2, 300 * scale - spacing_m / 2 + 4, spacing_m),
        np.arange(-240 * scale + spacing_m / 2, 240 * scale - spacing_m / 2 + 1, spacing_m),
        indexing="ij",
    )

    def put(shape: shapely.Geometry) -> shapely.Geometry:
        turned = affinity.rotate(shape, angle_deg[best], origin=(0, 0))
        return affinity.translate(turned, *centre[best])

    return Airport(
        put(field),
        put(shapely.MultiPolygon([shapely.union_all([*ways, *links, apron])])),
        _place(along_stands, across_stands, centre[best], angle_deg[best]).reshape(-1, 2),
        spacing_m,
        put(shapely.LineString([(-length_m / 2, 0), (length_m / 2, 0)])),
        2 * half_width_m,
    )


def _place(along: NDArray[np.float64], across: NDArray[np.float64], centre: NDArray[np.float64], angle_deg: float) -> NDArray[np.float64]:
    """Return (..., 2) places in the world of points in the airport's own frame."""
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.stack([centre[0] + along * cos - across * sin, centre[1] + along * sin + across * cos], axis=-1)


def _cost(terrain: Terrain, size_m: int, places: NDArray[np.float64]) -> float:
    """Return how unfit (rows, columns, 2) places are: height differences in metres, and much for water or the world's end."""
    beyond = np.clip(25 - np.minimum(places, size_m - places), 0, None).sum()
    row, column = terrain.block.cells(places[..., 0], places[..., 1])
    wet = np.clip(60 - terrain.from_water_m[row, column], 0, None).sum()
    return float(beyond + wet + np.ptp(terrain.elevation_m[row, column]))
