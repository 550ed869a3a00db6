"""What covers the land: the seven classes, from the lie of the land, the towns and noise."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from services.world.airport import Airport
from services.world.burning import burn
from services.world.config import COVER_GSD_M, WorldConfig
from services.world.noise import Block, Float, fractal_noise
from services.world.terrain import Terrain
from services.world.towns import Town, closeness


class Cover(IntEnum):
    """The classes of equation (1) of the CG-EarthEye report."""

    FOREST = 1
    GRASSLAND = 2
    CROPLAND = 3
    WATER = 4
    WETLAND = 5
    BUILT_UP = 6
    OTHER = 7


COLOURS = {
    Cover.FOREST: "#1e6b2f",
    Cover.GRASSLAND: "#a6c96a",
    Cover.CROPLAND: "#e3c565",
    Cover.WATER: "#2f6fb7",
    Cover.WETLAND: "#58a79b",
    Cover.BUILT_UP: "#c8463c",
    Cover.OTHER: "#a89f91",
}
"""Colour of each class in the segmentation truth and in maps."""

SHARE = {Cover.WETLAND: 0.06, Cover.BUILT_UP: 0.16, Cover.OTHER: 0.08, Cover.FOREST: 0.27, Cover.CROPLAND: 0.25}
"""Shares of the world that are handed out, in this order; water has its own, and grassland takes the rest."""
GRID_M = 5
"""Pixel of the grid that the classes are looked up in."""


@dataclass(frozen=True)
class CoverGrid:
    """Classes on a grid of 5 m; at 1 m they are looked up at places that noise has moved, so that borders wind."""

    block: Block
    classes: NDArray[np.uint8]

    def at(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return the class at points given in metres."""
        return self.classes[self.block.cells(x, y)]


def make_cover(config: WorldConfig, terrain: Terrain, towns: list[Town], airport: Airport) -> CoverGrid:
    """Hand out the land class by class: each takes the places that suit it best until it has its share."""
    block, salt, scale = terrain.block, config.salt, config.relief_scale
    height = terrain.elevation_m / terrain.elevation_m.max()
    woods = fractal_noise(block, 850 * scale, 4, salt + 21, gain=0.7)
    fitness = {
        Cover.WETLAND: -terrain.from_water_m / (320 * scale) + 0.8 * fractal_noise(block, 500 * scale, 3, salt + 22),
        Cover.BUILT_UP: closeness(towns, block) + 0.16 * fractal_noise(block, 420 * scale, 3, salt + 23, gain=0.7),
        Cover.OTHER: fractal_noise(block, 600 * scale, 3, salt + 24, gain=0.6) + 1.2 * height,
        Cover.FOREST: 2.6 * height + 0.85 * woods,
        Cover.CROPLAND: -3.5 * height - 0.55 * woods + 0.3 * fractal_noise(block, 300 * scale + 100, 2, salt + 25),
    }
    airfield = burn([airport.field], block)
    classes = np.where(terrain.water, Cover.WATER, 0).astype(np.uint8)
    classes[airfield] = Cover.GRASSLAND
    for cover, share in SHARE.items():
        free = classes == 0
        wanted = min(round(share * classes.size), int(free.sum()))
        threshold = np.partition(fitness[cover][free], -wanted)[-wanted]
        classes[free & (fitness[cover] >= threshold)] = cover
    classes[classes == 0] = Cover.GRASSLAND
    smooth = _smooth(classes, smallest_m2=5000 if config.size_km > 2 else 2500)
    fine = Block(block.top, block.left, block.height * 2, block.width * 2, GRID_M)
    return CoverGrid(fine, smooth)


def _smooth(classes: NDArray[np.uint8], smallest_m2: float) -> NDArray[np.uint8]:
    """Round the shapes, drop islands that are too small, and return the classes on a grid of half the pixel."""
    for _ in range(2):
        classes = _drop_islands(_strongest(classes, deviation_px=2.2, finer=1), smallest_m2 / COVER_GSD_M**2)
    return _strongest(classes, deviation_px=1.2, finer=COVER_GSD_M // GRID_M)


def _strongest(classes: NDArray[np.uint8], deviation_px: float, finer: int) -> NDArray[np.uint8]:
    """Return the class with the most weight under a Gaussian window."""
    best, result = np.zeros(np.array(classes.shape) * finer, np.float32), np.zeros(np.array(classes.shape) * finer, np.uint8)
    for cover in Cover:
        weight: Float = ndimage.gaussian_filter((classes == cover).astype(np.float32), deviation_px, truncate=2.5)
        if finer > 1:
            weight = ndimage.zoom(weight, finer, order=1, grid_mode=True, mode="nearest")
        stronger = weight > best
        best[stronger], result[stronger] = weight[stronger], cover
    return result


def _drop_islands(classes: NDArray[np.uint8], smallest_px: float) -> NDArray[np.uint8]:
    """Give each patch that is too small to the class that is nearest."""
    small = np.zeros(classes.shape, bool)
    for cover in Cover:
        patch, _ = ndimage.label(classes == cover)
        size = np.bincount(patch.ravel())
        size[0] = classes.size
        small |= (size < smallest_px)[patch]
    nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return classes[tuple(nearest)]
