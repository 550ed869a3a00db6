"""What the ground of each class looks like, before roads, buildings and trees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.world.cover import Cover
from services.world.fields import lay_fields
from services.world.materials import Material
from services.world.noise import Block, Float, grain, mix, nearest_point, smooth_noise, unit

SPOT_SPACING_M, SPOT_M = 16.0, 6.2
"""Spacing of the pools of a wetland and of the lawns of a town, and the radius of the largest: no class of their own, they stay narrow."""


@dataclass(frozen=True)
class Layers:
    """What a block looks like, whatever the season; (height, width) each."""

    material: NDArray[np.uint8]
    tone: Float
    """From 0, the material's dark end, to 1, its light end."""
    tint: Float
    """From -1, cool, to 1, warm."""


@dataclass(frozen=True)
class Noise:
    """The fields of noise that all surfaces of a block share, (height, width) each: mean 0, deviation 1."""

    fine: Float
    """Wavelength 3 m."""
    small: Float
    """9 m."""
    small_too: Float
    """9 m, independent of the one before."""
    middle: Float
    """31 m."""
    middle_too: Float
    """31 m, independent of the one before."""
    large: Float
    """110 m."""
    broad: Float
    """400 m."""
    grain: Float
    """Independent from pixel to pixel, 0 to 1."""

    @classmethod
    def of(cls, block: Block, salt: int) -> "Noise":
        """Compute the noise of a block."""
        return cls(
            fine=smooth_noise(block, 3, salt + 60),
            small=smooth_noise(block, 9, salt + 61),
            small_too=smooth_noise(block, 9, salt + 62),
            middle=smooth_noise(block, 31, salt + 63),
            middle_too=smooth_noise(block, 31, salt + 64),
            large=smooth_noise(block, 110, salt + 65),
            broad=smooth_noise(block, 400, salt + 66),
            grain=unit(grain(block, salt + 67)),
        )


Surface = tuple[NDArray[np.uint8], Float, Float]
"""Material, tone and tint, (height, width) each."""


def cover_ground(
    classes: NDArray[np.uint8], x: Float, y: Float, noise: Noise, elevation_m: Float, into_water_m: Float, district_m: float, salt: int
) -> Layers:
    """Cover each pixel with what its class is made of.

    Args:
        classes: (height, width) a `Cover`.
        x: (height, width) metres.
        y: (height, width) metres.
        noise: of the same block.
        elevation_m: (height, width).
        into_water_m: (height, width) metres from the shore into the water.
        district_m: size of the districts that share a direction of fields.
        salt: of the world.
    """
    layers = Layers(np.zeros(classes.shape, np.uint8), np.full(classes.shape, 0.5, np.float32), noise.broad * np.float32(0.5))
    for cover in Cover:
        here = classes == cover
        if not here.any():
            continue
        surface: Surface
        match cover:
            case Cover.FOREST:
                surface = _forest(noise)
            case Cover.GRASSLAND:
                surface = _grassland(noise)
            case Cover.CROPLAND:
                surface = _cropland(x, y, noise, district_m, salt)
            case Cover.WATER:
                surface = _water(noise, into_water_m)
            case Cover.WETLAND:
                surface = _wetland(x, y, noise, salt)
            case Cover.BUILT_UP:
                surface = _yards(x, y, noise, salt)
            case Cover.OTHER:
                surface = _bare(noise, elevation_m)
        material, tone, tint = surface
        np.copyto(layers.material, material.astype(np.uint8, copy=False), where=here)
        np.copyto(layers.tone, tone, where=here)
        np.copyto(layers.tint, tint, where=here)
    return layers


def _forest(noise: Noise) -> Surface:
    gap = np.where(noise.middle + 0.7 * noise.large > 1.9, Material.GRASS, Material.FOREST_FLOOR).astype(np.uint8)
    return gap, 0.3 + 0.16 * noise.small + 0.2 * noise.grain, noise.large * np.float32(0.4)


def _grassland(noise: Noise) -> Surface:
    dry = noise.large + 0.7 * noise.middle + 0.3 * noise.small
    material = np.where(dry > 0.6, Material.DRY_GRASS, Material.GRASS).astype(np.uint8)
    tone = 0.46 + 0.1 * noise.small + 0.11 * noise.middle + 0.07 * noise.fine + 0.1 * (noise.grain - 0.5)
    # paths that animals and people have trodden follow the zero lines of a smooth field
    path = np.abs(noise.large + 0.4 * noise.middle + 0.1 * noise.small) < 0.02
    material[path] = Material.TRACK
    return material, tone, 0.5 * noise.large + 0.3 * noise.middle


def _cropland(x: Float, y: Float, noise: Noise, district_m: float, salt: int) -> Surface:
    fields = lay_fields(x + 0.6 * noise.middle, y + 0.6 * noise.large, district_m, salt)
    tone = fields.tone + 0.07 * noise.middle + 0.05 * noise.small + 0.05 * noise.fine + 0.06 * (noise.grain - 0.5)
    material = np.where(fields.on_path, Material.TRACK, fields.material)
    return material, tone, fields.tint + 0.2 * noise.middle


def _water(noise: Noise, into_water_m: Float) -> Surface:
    shallow = np.exp(-into_water_m / 22)
    ripples = 0.03 * noise.fine + 0.03 * noise.small + 0.05 * noise.large + 0.03 * (noise.grain - 0.5)
    return np.full(shallow.shape, Material.WATER, np.uint8), 0.3 + 0.55 * shallow + ripples, noise.broad * np.float32(0.8)


def _spots(x: Float, y: Float, noise: Noise, salt: int) -> tuple[Float, Float]:
    """Return (height, width) how deep a pixel lies in a spot, 1 in its middle, 0 at its edge and less beyond, and the draw of the spot."""
    middle = nearest_point(x + 1.6 * noise.small, y + 1.6 * noise.small_too, SPOT_SPACING_M, 0.12, salt)
    return 1 - np.hypot(middle.dx, middle.dy) / (SPOT_M * (0.35 + 0.65 * unit(middle.bits))), unit(mix(middle.bits))


def _wetland(x: Float, y: Float, noise: Noise, salt: int) -> Surface:
    depth, draw = _spots(x, y, noise, salt + 92)
    creek = np.abs(noise.large + 0.5 * noise.middle)
    # pools keep away from the creeks, so that the two never make one broad water
    pool = (creek < 0.025) | ((depth > 0) & (draw < 0.55 + 0.3 * noise.middle) & (creek > 0.13))
    wet = np.where(pool, Material.POOL, np.where(noise.large + 0.5 * noise.small > 0.1, Material.REED, Material.SEDGE)).astype(np.uint8)
    tussocks = 0.46 + 0.17 * noise.fine + 0.16 * noise.small + 0.1 * noise.middle
    return wet, np.where(pool, 0.33 + 0.05 * noise.small, tussocks), 0.5 * noise.middle


def _yards(x: Float, y: Float, noise: Noise, salt: int) -> Surface:
    depth, draw = _spots(x, y, noise, salt + 93)
    use = 0.5 + 0.25 * noise.middle
    plot = [(depth > 0) & (draw < use), (depth > 0) & (draw > use + 0.35), noise.large > 0.5]
    material = np.select(plot, [Material.GRASS, Material.SOIL, Material.CONCRETE], Material.PAVING)
    tone = 0.46 + 0.08 * noise.small + 0.07 * noise.fine + 0.1 * (noise.grain - 0.5)
    return material.astype(np.uint8), tone, 0.4 * noise.middle


def _bare(noise: Noise, elevation_m: Float) -> Surface:
    kind = noise.large + 0.45 * noise.middle + 0.2 * noise.small
    material = np.select([kind > 0.5, kind < -0.9], [Material.ROCK, Material.SAND], Material.SOIL)
    # benches of a quarry, or the beds of the rock: bands along the contour lines
    level = elevation_m / 3.5 + 0.25 * noise.middle
    bench = np.abs(level - np.floor(level) - 0.5) * 2
    wheel_track = np.abs(noise.middle + 0.4 * noise.large - 0.3) < 0.035
    tone = 0.34 + 0.24 * bench + 0.13 * noise.small + 0.1 * noise.fine + 0.12 * (noise.grain - 0.5) + 0.2 * wheel_track
    return material.astype(np.uint8), tone.astype(np.float32), 0.5 * noise.large + 0.3 * noise.middle
