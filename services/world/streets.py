"""The streets of towns: a grid of its own angle in each, cut where the town ends."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from services.world.airport import Airport
from services.world.cover import Cover, CoverGrid
from services.world.roads import Road
from services.world.towns import Town

STEP_M = 5.0
SHORTEST_M = 40.0
AVENUE_M, STREET_M = 13.0, 7.0


@dataclass(frozen=True)
class Grid:
    """The street lines of a town in its own frame: u along the longer sides of its blocks, v across."""

    town: Town
    u: NDArray[np.float64]
    v: NDArray[np.float64]

    def place(self, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., 2) metres in the world of points of the frame."""
        cos, sin = np.cos(self.town.angle), np.sin(self.town.angle)
        return np.stack([self.town.x + u * cos - v * sin, self.town.y + u * sin + v * cos], axis=-1)

    @staticmethod
    def is_avenue(line: int) -> bool:
        """Say whether the street of this number is a wide one."""
        return line % 4 == 1


def make_grids(seed: int, towns: list[Town]) -> list[Grid]:
    """Choose the distances between streets: the larger a town, the larger its blocks."""
    grids = []
    for number, town in enumerate(towns):
        rng = np.random.default_rng([seed, 7, number])
        reach_m = 1.7 * town.radius_m + 80
        wide, deep = (np.array([95, 155]), np.array([52, 84])) if town.radius_m > 300 else (np.array([70, 110]), np.array([44, 60]))
        grids.append(Grid(town, _lines(rng, reach_m, *wide), _lines(rng, reach_m, *deep)))
    return grids


def _lines(rng: np.random.Generator, reach_m: float, least_m: float, most_m: float) -> NDArray[np.float64]:
    """Return places of parallel streets from -reach to reach."""
    return np.cumsum(rng.uniform(least_m, most_m, int(2 * reach_m / least_m) + 1)) - reach_m


def is_of_town(xy: NDArray[np.float64], grid: Grid, towns: list[Town], cover: CoverGrid, airport: Airport) -> NDArray[np.bool_]:
    """Say which (..., 2) points are built-up ground nearest to this grid's town, and not the airport's."""
    depth = [1 - np.hypot(xy[..., 0] - town.x, xy[..., 1] - town.y) / town.radius_m for town in towns]
    own = np.argmax(depth, axis=0) == towns.index(grid.town)
    built = cover.at(xy[..., 0], xy[..., 1]) == Cover.BUILT_UP
    return own & built & ~shapely.contains_xy(airport.field, xy[..., 0], xy[..., 1])


def make_streets(grids: list[Grid], towns: list[Town], cover: CoverGrid, airport: Airport) -> list[Road]:
    """Draw the streets of all towns."""
    streets = []
    for grid in grids:
        for lines, others, along_u in ((grid.v, grid.u, True), (grid.u, grid.v, False)):
            station = np.arange(others[0], others[-1], STEP_M)
            line, along = np.meshgrid(lines, station, indexing="ij")
            xy = grid.place(along, line) if along_u else grid.place(line, along)
            inside = is_of_town(xy, grid, towns, cover, airport)
            for number in range(len(lines)):
                kind = "avenue" if grid.is_avenue(number) else "street"
                streets += [
                    Road(shapely.LineString(xy[number, [first, last]]), AVENUE_M if kind == "avenue" else STREET_M, kind)
                    for first, last in _runs(inside[number])
                    if (last - first) * STEP_M >= SHORTEST_M
                ]
    return streets


def _runs(inside: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last place of each unbroken run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]
