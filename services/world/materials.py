"""What a pixel of the ground can be made of, and the colour of each material in each quarter."""

from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray

TONES, TINTS = 64, 16


class Material(IntEnum):
    """A surface with a colour that the season may change."""

    EVERGREEN = 0
    DECIDUOUS = auto()
    FOREST_FLOOR = auto()
    GRASS = auto()
    DRY_GRASS = auto()
    WHEAT = auto()
    RICE = auto()
    RAPE = auto()
    MAIZE = auto()
    VEGETABLES = auto()
    FALLOW = auto()
    PLASTIC = auto()
    TRACK = auto()
    WATER = auto()
    REED = auto()
    SEDGE = auto()
    POOL = auto()
    PAVING = auto()
    CONCRETE = auto()
    ASPHALT = auto()
    MARKING = auto()
    ROCK = auto()
    SAND = auto()
    SOIL = auto()
    ROOF_RED = auto()
    ROOF_BROWN = auto()
    ROOF_GREY = auto()
    ROOF_DARK = auto()
    ROOF_WHITE = auto()
    ROOF_BLUE = auto()
    ROOF_BEIGE = auto()


SEASONAL = {
    Material.EVERGREEN: ("18231a 4d5f42", "1a2819 566b43", "16241a 4e673f", "1a2419 50613f"),
    Material.DECIDUOUS: ("332c26 867a6b", "23341a 7f9a54", "1c2f18 66823f", "3a2e1d 9a7f50"),
    Material.FOREST_FLOOR: ("2a251f 655a4b", "161f12 41502f", "131b10 394728", "241d13 6a5534"),
    Material.GRASS: ("6d6145 a99a70", "4b6433 8ba25c", "4d623b 86965f", "6f6a3e a89c66"),
    Material.DRY_GRASS: ("7b6b4b b9a67c", "6f7645 a9a970", "6c7442 aba66d", "80703f bfa872"),
    Material.WHEAT: ("455f31 7c9757", "9c8f48 cdbd7c", "52693f 87995f", "61523c 937f61"),
    Material.RICE: ("665a44 93846a", "47544c 76837a", "50703a 87a35c", "9a8549 c9b274"),
    Material.RAPE: ("4d6639 819a5d", "aba23a dcd06a", "435f39 778f5b", "6a5942 9c8666"),
    Material.MAIZE: ("705e47 a08b6d", "6d6445 9a9067", "3d5831 6e874f", "8f7a4c bda678"),
    Material.VEGETABLES: ("4a5c3a 93986f", "4b6a3a 97a86c", "4b6140 8c9a66", "526037 9b9467"),
    Material.FALLOW: ("6b5641 a08768", "766045 a9906c", "66684a 9c966c", "6a5440 9d8464"),
    Material.PLASTIC: ("8f938f dcdedb", "9ca09b e6e8e4", "989c98 e2e4e0", "8f938f dadcd8"),
    Material.TRACK: ("7d7059 b5a688", "8a7d60 c0b08d", "83785b b9ab88", "80725a b6a687"),
    Material.WATER: ("25353b 465b60", "335049 5d7a6c", "2b4544 51695f", "29404a 4b666c"),
    Material.REED: ("7f6f4b b5a279", "4e5f36 8a985f", "435635 768754", "85703f b89d66"),
    Material.SEDGE: ("62583f 968a66", "4a6034 7f9658", "3c542f 6c854b", "6a6038 9b8c59"),
    Material.POOL: ("20292a 3f4c4a", "263533 485c53", "1f302d 425850", "39352b 6c6453"),
    Material.PAVING: ("76726b aaa59b",) * 4,
    Material.CONCRETE: ("908c84 c6c2b8",) * 4,
    Material.ASPHALT: ("4b4c50 808084",) * 4,
    Material.MARKING: ("9a9a96 e2e2dc",) * 4,
    Material.ROCK: ("6c675f bcb5a8", "6f6a60 bfb8a8", "706b60 c0b9a8", "6c675f bcb5a8"),
    Material.SAND: ("998769 d2c3a2", "9f8d6c d9c9a6", "9f8d6c d9c9a6", "998769 d2c3a2"),
    Material.SOIL: ("6c5743 a78d6e", "755f47 b39775", "776249 b49a78", "6c5743 a78d6e"),
    Material.ROOF_RED: ("5f3128 b8694f",) * 4,
    Material.ROOF_BROWN: ("4e3d31 9a7c62",) * 4,
    Material.ROOF_GREY: ("5b5c5e b4b4b2",) * 4,
    Material.ROOF_DARK: ("2f3236 75777a",) * 4,
    Material.ROOF_WHITE: ("90908c ecebe5",) * 4,
    Material.ROOF_BLUE: ("365c80 86aecb",) * 4,
    Material.ROOF_BEIGE: ("857659 d6c7a6",) * 4,
}
"""Dark and light end of each material, in February, May, August and November (hexadecimal RGB)."""

TINTED = {
    Material.EVERGREEN: 0.7, Material.DECIDUOUS: 1.3, Material.GRASS: 0.9, Material.DRY_GRASS: 0.8, Material.WHEAT: 1.3,
    Material.RICE: 1.0, Material.RAPE: 1.2, Material.MAIZE: 1.2, Material.VEGETABLES: 1.2, Material.FALLOW: 1.2, Material.WATER: 0.5,
    Material.REED: 1.0, Material.SEDGE: 1.0, Material.SOIL: 1.0, Material.ROOF_RED: 1.2, Material.ROOF_BROWN: 1.0,
}  # fmt: skip
"""How far the colour of a material wanders between places, where it is not 0.4."""
WARMER = np.array([11.0, 0.0, -7.0])
"""Red, green and blue that the warmest tint adds."""

SNOW_HELD = {
    Material.EVERGREEN: 0.14, Material.DECIDUOUS: 0.2, Material.WATER: 0.0, Material.POOL: 0.0, Material.ASPHALT: 0.15,
    Material.MARKING: 0.1, Material.PLASTIC: 0.6, Material.REED: 0.6,
}  # fmt: skip
"""Share of a material that snow hides where it lies, where it is not 0.92."""
SNOW = np.array([[168.0, 178.0, 196.0], [238.0, 241.0, 246.0]])
"""Shaded and lit snow."""


def palette(quarter: int, snow: bool = False) -> NDArray[np.float32]:
    """Return the colour of every material, tone and tint.

    Args:
        quarter: 1 to 4.
        snow: under snow, as far as the material holds it.

    Returns:
        (3, 65536) red, green and blue of 0 to 255 by the key that `key` makes.
    """
    tone = np.linspace(0, 1, TONES)[:, None, None]
    tint = np.linspace(-1, 1, TINTS)[None, :, None]
    table = np.zeros((2**16 // (TONES * TINTS), TONES, TINTS, 3), np.float32)
    for material, colours in SEASONAL.items():
        dark, light = (np.array(list(bytes.fromhex(colour)), float) for colour in colours[quarter - 1].split())
        colour = dark + (light - dark) * tone + TINTED.get(material, 0.4) * tint * WARMER
        if snow:
            held = SNOW_HELD.get(material, 0.92)
            colour = colour * (1 - held) + held * (SNOW[0] + (SNOW[1] - SNOW[0]) * tone)
        table[material] = colour
    return np.ascontiguousarray(table.reshape(-1, 3).T)


def key(material: NDArray[np.uint8], tone: NDArray[np.float32], tint: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Pack what a pixel looks like into 16 bits.

    Args:
        material: (height, width) a `Material`.
        tone: (height, width) from 0, dark, to 1, light; what lies beyond is cut off.
        tint: (height, width) from -1, cool, to 1, warm.
    """
    tone_step = np.clip(tone * TONES, 0, TONES - 1).astype(np.uint16)
    tint_step = np.clip((tint + 1) * (TINTS / 2), 0, TINTS - 1).astype(np.uint16)
    return material.astype(np.uint16) * np.uint16(TONES * TINTS) + tone_step * np.uint16(TINTS) + tint_step
