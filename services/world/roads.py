"""Country roads: the cheapest ways between towns over slopes and water."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree

from services.world.airport import Airport
from services.world.burning import burn
from services.world.config import WorldConfig
from services.world.noise import smooth_noise
from services.world.terrain import Terrain, coarse_block
from services.world.towns import Town


@dataclass(frozen=True)
class Road:
    """A road or street."""

    line: shapely.LineString
    width_m: float
    kind: str
    """`highway` between towns, `avenue` or `street` within."""


def make_roads(config: WorldConfig, terrain: Terrain, towns: list[Town], airport: Airport) -> list[Road]:
    """Connect the towns, the airport and two edges of the world by the shortest network, each link by its cheapest way."""
    size_m = config.size_m
    rng = np.random.default_rng([config.seed, 6])
    exits = np.array([[-90, rng.uniform(0.2, 0.8) * size_m], [size_m + 90, rng.uniform(0.2, 0.8) * size_m]])
    gate = shapely.get_coordinates(airport.field.exterior)[2]
    places = np.vstack([[[town.x, town.y] for town in towns], exits, gate[None]])
    gap_m = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    links = sparse.coo_array(minimum_spanning_tree(sparse.csr_array(gap_m)))

    stride = max(2, round(size_m / 160 / coarse_block(size_m).step_m))
    cost = _cost(config, terrain, airport)[::stride, ::stride]
    graph = _graph(cost)
    row, column = terrain.block.cells(places[:, 0], places[:, 1])
    node = np.minimum(row // stride, cost.shape[0] - 1) * cost.shape[1] + np.minimum(column // stride, cost.shape[1] - 1)
    roads = []
    for start, end in zip(*links.coords, strict=True):
        _, before = dijkstra(graph, directed=False, indices=node[start], return_predecessors=True)
        path = [int(node[end])]
        while path[-1] != node[start]:
            path.append(int(before[path[-1]]))
        rows, columns = np.divmod(np.array(path), cost.shape[1])
        xy = np.column_stack([terrain.block.x[columns * stride], terrain.block.y[rows * stride]])
        if len(xy) > 2:
            roads.append(Road(_rounded(xy, tolerance_m=stride * 8.0), 11.0 if size_m > 3000 else 9.0, "highway"))
    return roads


def _cost(config: WorldConfig, terrain: Terrain, airport: Airport) -> NDArray[np.float64]:
    """Return the price of a metre of road: dear on slopes, over water and through the airport."""
    southward, eastward = np.gradient(terrain.elevation_m, terrain.block.step_m)
    field = burn([airport.field.buffer(-15)], terrain.block)
    whim = 0.35 * np.clip(smooth_noise(terrain.block, 300 * config.relief_scale, config.salt + 41), -1.5, 1.5)
    return 1.6 + whim + 14 * np.hypot(southward, eastward) + 6 * terrain.water + 60.0 * field


def _graph(cost: NDArray[np.float64]) -> sparse.csr_array:
    """Join each cell with its eight neighbours, at the mean of their prices times the way."""
    number = np.arange(cost.size).reshape(cost.shape)
    starts, ends, weights = [], [], []
    for step_down, step_right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(None, cost.shape[0] - step_down), slice(max(0, -step_right), cost.shape[1] - max(0, step_right)))
        there = (slice(step_down, None), slice(max(0, step_right), cost.shape[1] + min(0, step_right)))
        starts.append(number[here].ravel())
        ends.append(number[there].ravel())
        weights.append(((cost[here] + cost[there]) / 2 * np.hypot(step_down, step_right)).ravel())
    return sparse.csr_array((np.concatenate(weights), (np.concatenate(starts), np.concatenate(ends))), shape=(cost.size, cost.size))


def _rounded(xy: NDArray[np.float64], tolerance_m: float) -> shapely.LineString:
    """Turn a staircase of cells into a road with curves. Source: corner cutting (Chaikin, 1974)."""
    xy = shapely.get_coordinates(shapely.simplify(shapely.LineString(xy), tolerance_m))
    for _ in range(4):
        cut = [point for a, b in pairwise(xy) for point in (0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b)]
        xy = np.vstack([xy[:1], cut, xy[-1:]])
    return shapely.LineString(xy)
