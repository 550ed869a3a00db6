"""Trees: a lattice of crowns, all of which stand in a forest and few elsewhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.world.cover import Cover
from services.world.noise import Float, Nearest, mix, unit
from services.world.roofs import TOWARDS_SHADOW

SPACING_M = 6.6
HEIGHT_M = 7.0
SHADOW_STEPS = 6
"""Pixels that the shadow of a crown is followed in each direction."""

DENSITY = np.zeros(max(Cover) + 1, np.float32)
DENSITY[Cover.FOREST] = 0.96
DENSITY[Cover.GRASSLAND] = 0.035
DENSITY[Cover.WETLAND] = 0.03
DENSITY[Cover.BUILT_UP] = 0.16
DENSITY[Cover.OTHER] = 0.012
"""Share of the lattice's places that bear a tree, by class."""


@dataclass(frozen=True)
class Trees:
    """The crown at each pixel, (height, width) each."""

    crown: NDArray[np.bool_]
    evergreen: NDArray[np.bool_]
    tone: Float
    tint: Float
    shadow_cot: Float
    """Cotangent of the sun's elevation from which on a crown nearby shades the pixel."""


def grow_trees(place: Nearest, density: Float, evergreens: Float) -> Trees:
    """Grow crowns on the points of a lattice.

    Args:
        place: the nearest point of a lattice of `SPACING_M`.
        density: (height, width) share of the points that bear a tree.
        evergreens: (height, width) share of the trees that keep their leaves.
    """
    radius_m = SPACING_M * (0.4 + 0.25 * unit(place.bits))
    x, y = place.dx / radius_m, place.dy / radius_m
    from_stem = x * x + y * y
    chance = unit(mix(place.bits))
    crown = (from_stem < 1) & (chance < density)
    towards_sun = -(TOWARDS_SHADOW[0] * x + TOWARDS_SHADOW[1] * y)
    own = unit(mix(place.bits + np.uint32(77)))
    tone = 0.34 + 0.26 * towards_sun + 0.18 * (own - 0.5) + 0.14 * (1 - from_stem)
    tint = unit(mix(place.bits + np.uint32(99))) - np.float32(0.5)
    shadow_cot = np.full(crown.shape, np.inf, np.float32)
    for step in range(SHADOW_STEPS, 0, -1):
        # the shadow falls to the north-west: a pixel is shaded by the crown so many pixels to its south-east
        shadow_cot[:-step, :-step][crown[step:, step:]] = step * 2**0.5 / HEIGHT_M
    shadow_cot[crown] = np.inf
    return Trees(crown, own < evergreens, tone, tint, shadow_cot)
