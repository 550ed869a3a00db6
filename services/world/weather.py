"""What the sky does to a scene: a cloud and its shadow, and a corner that was not acquired."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from services.world.config import WorldConfig
from services.world.noise import Block, Float, fractal_noise, ramp
from services.world.roofs import TOWARDS_SHADOW

CLOUD_RADIUS, CLOUD_HEIGHT, CUT = 0.1, 0.13, 0.2
"""As shares of the world's side: the cloud's radius, how far its shadow falls, and the legs of the missing corner."""


def cloud_cover(config: WorldConfig, block: Block) -> tuple[Float, Float] | None:
    """Return how dense the cloud and its shadow are, (height, width) of 0 to 1 each; None where the block has neither."""
    rng = np.random.default_rng([config.seed, 11])
    x, y = rng.uniform(0.3, 0.7, 2) * config.size_m
    radius_m, away_m = CLOUD_RADIUS * config.size_m, CLOUD_HEIGHT * config.size_m
    shadow_x, shadow_y = x + away_m * TOWARDS_SHADOW[0], y + away_m * TOWARDS_SHADOW[1]
    reach_m = 1.8 * radius_m
    near_x = block.left < x + reach_m and block.left + block.width > shadow_x - reach_m
    near_y = block.top < y + reach_m and block.top + block.height > shadow_y - reach_m
    if not (near_x and near_y):
        return None
    under = replace(block, left=block.left + x - shadow_x, top=block.top + y - shadow_y)
    return _density(config, block, x, y, radius_m), _density(config, under, x, y, radius_m)


def _density(config: WorldConfig, block: Block, x: float, y: float, radius_m: float) -> Float:
    """Return (height, width) of 0 to 1."""
    from_middle = np.hypot(block.x[None, :] - x, 1.3 * (block.y[:, None] - y)).astype(np.float32) / np.float32(radius_m)
    billows = fractal_noise(block, 0.7 * radius_m, 6, config.salt + 101, gain=0.6)
    edge = np.clip(1.8 - from_middle, 0, 1)
    return ramp(1.3 - 1.2 * from_middle + 0.3 * billows, -0.05, 0.6) * edge


def acquired(config: WorldConfig, block: Block) -> NDArray[np.bool_]:
    """Return (height, width) false in the corner that was not acquired."""
    corner = config.seed % 4
    x, y = block.x, block.y
    x = config.size_m - x if corner % 2 else x
    y = config.size_m - y if corner // 2 else y
    return x[None, :] + y[:, None] > CUT * config.size_m
