"""Buildings seen from above: roofs, and the ground that they shade."""

import numpy as np
from numpy.typing import NDArray

from services.world.buildings import Building
from services.world.materials import Material
from services.world.noise import Block, Float

TOWARDS_SHADOW = (-0.7071, -0.7071)
"""Unit vector (x, y) from an object to its shadow: the sun stands in the south-east, before noon."""
TALLEST_SHADOW_COT = 1.4
"""Cotangent of the lowest sun of any scene."""

ROOFS = {
    "house": (Material.ROOF_RED, Material.ROOF_RED, Material.ROOF_BROWN, Material.ROOF_GREY, Material.ROOF_DARK),
    "slab": (Material.ROOF_GREY, Material.ROOF_BEIGE, Material.ROOF_RED, Material.ROOF_WHITE, Material.ROOF_DARK),
    "tower": (Material.ROOF_GREY, Material.ROOF_WHITE, Material.ROOF_DARK, Material.ROOF_BEIGE),
    "hall": (Material.ROOF_BLUE, Material.ROOF_WHITE, Material.ROOF_GREY, Material.ROOF_BLUE, Material.ROOF_BROWN),
}


def draw_building(
    building: Building, block: Block, material: NDArray[np.uint8], tone: Float, tint: Float, shadow_cot: Float, roofed: NDArray[np.bool_]
) -> None:
    """Draw a building into the layers of a block, in place.

    Args:
        building: what to draw; it may lie outside.
        block: the window of the layers.
        material: (height, width).
        tone: (height, width).
        tint: (height, width).
        shadow_cot: (height, width) cotangent of the sun's elevation from which on a pixel lies in shadow.
        roofed: (height, width) becomes true under the roof.
    """
    a, b = building.length_m / 2, building.width_m / 2
    reach_m = float(np.hypot(a, b))
    shadow_m = building.height_m * TALLEST_SHADOW_COT * 0.7071
    west_m, north_m = building.x - reach_m - shadow_m, building.y - reach_m - shadow_m
    window = block.part(north_m, west_m, building.y + reach_m, building.x + reach_m)
    x, y = (block.x[window[1]] - building.x)[None, :], (block.y[window[0]] - building.y)[:, None]
    if not x.size * y.size:
        return
    cos, sin = np.cos(building.angle), np.sin(building.angle)
    u, v = x * cos + y * sin, y * cos - x * sin

    inside = (np.abs(u) <= a) & (np.abs(v) <= b)
    if building.notched:
        inside &= ~((u > 0) & (v > 0))
    along_u = TOWARDS_SHADOW[0] * cos + TOWARDS_SHADOW[1] * sin
    along_v = TOWARDS_SHADOW[1] * cos - TOWARDS_SHADOW[0] * sin
    # the walk from a pixel back towards the sun meets the box between these distances
    enter_u, leave_u = (u - np.copysign(a, along_u)) / along_u, (u + np.copysign(a, along_u)) / along_u
    enter_v, leave_v = (v - np.copysign(b, along_v)) / along_v, (v + np.copysign(b, along_v)) / along_v
    enter, leave = np.maximum(enter_u, enter_v), np.minimum(leave_u, leave_v)
    meets = (enter <= leave) & (leave > 0) & ~inside
    cot = np.where(meets, np.maximum(enter, 0) / building.height_m, np.inf).astype(np.float32)
    shadow_cot[window] = np.minimum(shadow_cot[window], cot)

    roofs = ROOFS[building.kind]
    material[window][inside] = roofs[building.bits % len(roofs)]
    tint[window][inside] = building.bits // 64 % 256 / 128 - 1
    tone[window][inside] = _roof_tone(building, u, v, along_v)[inside]
    shadow_cot[window][inside] = np.inf
    roofed[window] |= inside


def _roof_tone(building: Building, u: NDArray[np.float64], v: NDArray[np.float64], along_v: float) -> NDArray[np.float64]:
    """Return (rows, columns) how bright the roof is: two slopes for houses, ribs for halls, a parapet and boxes for the flat ones."""
    a, b = building.length_m / 2, building.width_m / 2
    base = 0.4 + 0.3 * (building.bits // 16384 % 256 / 255)
    if building.kind == "house" or (building.kind == "slab" and building.bits % 3 == 0):
        return base - 0.24 * np.sign(v) * along_v + 0.12 * (np.abs(v) < 0.6)
    if building.kind == "hall":
        ribs = np.abs(u / 6 - np.floor(u / 6) - 0.5)
        return base + 0.1 - 0.1 * np.sign(v) * along_v + 0.12 * (ribs < 0.12)
    rim = (np.abs(u) > a - 1) | (np.abs(v) > b - 1)
    boxes = (np.abs(np.abs(u) - 0.5 * a) < 2.2) & (np.abs(v) < 1.8)
    return base + 0.16 * rim + 0.22 * boxes
