"""The parcels of cropland: districts with an own direction, strips in them, fields in the strips, rows in the fields."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.world.materials import Material
from services.world.noise import Float, mix, nearest_point, scramble, unit

CROPS = (
    (Material.WHEAT, 0.26), (Material.RICE, 0.22), (Material.MAIZE, 0.17), (Material.RAPE, 0.12),
    (Material.VEGETABLES, 0.09), (Material.FALLOW, 0.08), (Material.PLASTIC, 0.02), (Material.DECIDUOUS, 0.04),
)  # fmt: skip
"""What fields bear, and how many of them; the deciduous ones are orchards."""
BORDER_M = 1.3
"""Half the width of the paths between fields."""


@dataclass(frozen=True)
class Fields:
    """The field at each pixel, (height, width) each."""

    material: NDArray[np.uint8]
    tone: Float
    tint: Float
    on_path: NDArray[np.bool_]


def lay_fields(x: Float, y: Float, district_m: float, salt: int) -> Fields:
    """Lay fields over (height, width) places given in metres."""
    district = nearest_point(x, y, district_m, 0.25, salt + 51)
    angle = unit(district.bits) * np.float32(np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = x * cos + y * sin, y * cos - x * sin
    strip_m = 44 + 50 * unit(mix(district.bits))
    strip = np.floor(v / strip_m)
    in_strip = v - strip * strip_m
    strip_bits = scramble(strip.astype(np.int32), district.bits.astype(np.int64), salt + 52)
    field_m = 90 + 150 * unit(strip_bits)
    along = u + field_m * unit(mix(strip_bits))
    field = np.floor(along / field_m)
    in_field = along - field * field_m
    bits = mix(strip_bits ^ (field.astype(np.int32).astype(np.uint32) * np.uint32(0x9E3779B1)))

    limits = np.cumsum([share for _, share in CROPS])
    draw = unit(bits)
    material = np.array([crop for crop, _ in CROPS], np.uint8)[np.minimum(np.searchsorted(limits, draw), len(CROPS) - 1)]
    own = unit(mix(bits ^ np.uint32(0x51ED270B)))
    row_m = 2.6 + 3.4 * unit(mix(bits))
    place = v / row_m
    stripe = np.abs(place - np.floor(place) - 0.5) * 4 - 1
    tone = 0.28 + 0.44 * own + (0.05 + 0.1 * unit(mix(strip_bits + np.uint32(1)))) * stripe
    tint = unit(mix(bits ^ np.uint32(0x7F4A7C15))) * 2 - 1
    tone, material = _orchards(u, v, material, tone)
    tone, material = _tunnels(v, material, tone)
    edge_m = np.minimum(np.minimum(in_strip, strip_m - in_strip), np.minimum(in_field, field_m - in_field))
    return Fields(material, tone.astype(np.float32), tint.astype(np.float32), edge_m < BORDER_M)


def _orchards(u: Float, v: Float, material: NDArray[np.uint8], tone: Float) -> tuple[Float, NDArray[np.uint8]]:
    """Plant trees in rows, 6 m apart, on grass."""
    planted = material == Material.DECIDUOUS
    if not planted.any():
        return tone, material
    across, along = u / 6 - np.floor(u / 6) - 0.5, v / 6 - np.floor(v / 6) - 0.5
    from_stem = across * across + along * along
    crown = from_stem < 0.14
    bearing = np.where(crown, Material.DECIDUOUS, Material.GRASS).astype(np.uint8)
    return np.where(planted, np.where(crown, 0.75 - 3 * from_stem, tone * 0.7), tone), np.where(planted, bearing, material)


def _tunnels(v: Float, material: NDArray[np.uint8], tone: Float) -> tuple[Float, NDArray[np.uint8]]:
    """Round the roofs of plastic tunnels, 8 m wide with bare paths between."""
    covered = material == Material.PLASTIC
    if not covered.any():
        return tone, material
    across = np.abs(v / 9 - np.floor(v / 9) - 0.5) * 2
    roof = across < 0.82
    built = np.where(roof, Material.PLASTIC, Material.SOIL).astype(np.uint8)
    return np.where(covered, np.where(roof, 0.85 - 0.5 * across * across, 0.4), tone), np.where(covered, built, material)
