"""The lie of the land: mountains on one side, a plain on the other, a river along their foot and a lake in its course."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from services.world.config import COVER_GSD_M, WorldConfig
from services.world.noise import Block, Float, fractal_noise, ramp, smooth_noise

MARGIN_M = 200
"""How far the land is known beyond the world's edges."""
WATER_LEVEL_M = 14.0


@dataclass(frozen=True)
class Terrain:
    """The land on a grid of 10 m that reaches beyond the world by a margin."""

    block: Block
    elevation_m: Float
    """(rows, columns) metres above the sea."""
    water: NDArray[np.bool_]
    """(rows, columns) river and lake."""
    from_water_m: Float
    """(rows, columns) metres to the nearest water."""
    into_water_m: Float
    """(rows, columns) metres to the nearest shore, from the water."""
    shade: Float
    """(rows, columns) light on the slope: 1 on level ground, more where it faces the sun."""
    towards_hills: tuple[float, float]
    """Unit vector (x, y) from the plain to the mountains."""


def coarse_block(size_m: int) -> Block:
    """Return the grid of 10 m over the world and its margin."""
    pixels = (size_m + 2 * MARGIN_M) // COVER_GSD_M
    return Block(-MARGIN_M, -MARGIN_M, pixels, pixels, COVER_GSD_M)


def make_terrain(config: WorldConfig) -> Terrain:
    """Make the land of a world."""
    size_m, scale, salt = config.size_m, config.relief_scale, config.salt
    rng = np.random.default_rng([config.seed, 1])
    block = coarse_block(size_m)
    bearing = rng.uniform(0.6, 0.9) * np.pi + rng.integers(4) * np.pi / 2
    towards_hills = (float(np.cos(bearing)), float(np.sin(bearing)))
    x, y = block.x[None, :] - size_m / 2, block.y[:, None] - size_m / 2
    uphill_m = (x * towards_hills[0] + y * towards_hills[1]).astype(np.float32)
    along_m = (y * towards_hills[0] - x * towards_hills[1]).astype(np.float32)

    hills = ramp(uphill_m / size_m + 0.06 * smooth_noise(block, 0.3 * size_m, salt + 11), 0.0, 0.45)
    ridges = 1 - 0.55 * np.abs(fractal_noise(block, 1500 * scale, 5, salt + 12))
    ridges *= 1 + 0.25 * smooth_noise(block, 600 * scale, salt + 13)
    summit_m = 180 + 220 * scale
    plain = 26 + 7 * fractal_noise(block, 0.4 * size_m, 3, salt + 14) + 16 * ramp(uphill_m / size_m, -0.5, 0.3)
    elevation = plain + hills * summit_m * np.clip(0.3 + 0.6 * ridges, 0.05, None)

    water = _water(block, size_m, scale, uphill_m, along_m, config)
    from_water = ndimage.distance_transform_edt(~water, sampling=COVER_GSD_M).astype(np.float32)
    into_water = ndimage.distance_transform_edt(water, sampling=COVER_GSD_M).astype(np.float32)
    valley = ramp(from_water, 0, 500 * scale + 60)
    elevation = WATER_LEVEL_M + (np.maximum(elevation, WATER_LEVEL_M + 4) - WATER_LEVEL_M) * (0.04 + 0.96 * valley)
    elevation = np.where(water, WATER_LEVEL_M, elevation + 1).astype(np.float32)
    return Terrain(block, elevation, water, from_water, into_water, _shade(elevation), towards_hills)


def _river(size_m: int, scale: float, rng: np.random.Generator) -> tuple[Float, Float, Float]:
    """Return stations along the foot of the mountains, how far uphill the river runs there, and half its width, all in metres."""
    station = np.linspace(-size_m, size_m, 801)
    middle = -0.1 + 0.07 * np.sin(station / size_m * rng.uniform(5, 7) + rng.uniform(0, 6.28))
    middle += 0.022 * np.sin(station / size_m * rng.uniform(17, 22) + rng.uniform(0, 6.28))
    half_width_m = (38 + 26 * scale) * (1 + 0.25 * np.sin(station / size_m * 9 + rng.uniform(0, 6.28)))
    return station.astype(np.float32), (middle * size_m).astype(np.float32), half_width_m.astype(np.float32)


def _water(block: Block, size_m: int, scale: float, uphill_m: Float, along_m: Float, config: WorldConfig) -> NDArray[np.bool_]:
    """Return (rows, columns) where the river and its lake are."""
    rng = np.random.default_rng([config.seed, 2])
    station, middle, half_width_m = _river(size_m, scale, rng)
    slant = np.interp(along_m, station, np.gradient(middle, station))
    across_m = np.abs(uphill_m - np.interp(along_m, station, middle)) / np.sqrt(1 + slant * slant)
    river = across_m < np.interp(along_m, station, half_width_m)

    lake_station = rng.uniform(-0.28, 0.28) * size_m
    radius_m = size_m * (0.105 + 0.022 * fractal_noise(block, 0.12 * size_m, 3, config.salt + 15))
    lake = np.hypot(along_m - lake_station, uphill_m - np.interp(lake_station, station, middle)) < radius_m
    return river | lake


def _shade(elevation_m: Float) -> Float:
    """Return the light on slopes from a sun in the south-east, 1 on level ground."""
    steepness = np.asarray(np.gradient(elevation_m, COVER_GSD_M)).sum(axis=0)
    return np.clip(1 - 0.55 * steepness, 0.6, 1.35).astype(np.float32)
