"""What the codes of a land-cover product mean in the seven classes of equation (1)."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eartheye.contracts import LAND_CLASSES
from eartheye.errors import UnknownLandCover

FOREST, GRASSLAND, CROPLAND, WATER, WETLAND, BUILT_UP, OTHER = range(1, len(LAND_CLASSES) + 1)

LEGENDS: dict[str, dict[int, int]] = {
    # ESA WorldCover 2021 product user manual, table 2
    "worldcover": {
        10: FOREST,  # tree cover
        20: GRASSLAND,  # shrubland
        30: GRASSLAND,
        40: CROPLAND,
        50: BUILT_UP,
        60: OTHER,  # bare, sparse vegetation
        70: OTHER,  # snow and ice
        80: WATER,  # permanent water bodies
        90: WETLAND,  # herbaceous wetland
        95: WETLAND,  # mangroves
        100: OTHER,  # moss and lichen
    },
    # MODIS land cover type 1 (IGBP), MCD12 user guide, table 3; MCD12C1 writes water as 0, MCD12Q1 as 17
    "igbp": {
        0: WATER,
        1: FOREST,
        2: FOREST,
        3: FOREST,
        4: FOREST,
        5: FOREST,
        6: GRASSLAND,  # closed shrublands
        7: GRASSLAND,  # open shrublands
        8: FOREST,  # woody savannas, 30 to 60 % of trees
        9: GRASSLAND,  # savannas
        10: GRASSLAND,
        11: WETLAND,
        12: CROPLAND,
        13: BUILT_UP,
        14: CROPLAND,  # mosaic of cropland and natural vegetation
        15: OTHER,  # snow and ice
        16: OTHER,  # barren
        17: WATER,
    },
}
"""Land-cover class of each code. Shrub is grassland, bare ground and ice other land, as in the six categories of the IPCC (2006
Guidelines, volume 4, chapter 3), whose wetlands are parted here into water and wetland."""

UNKNOWN = 0
HIGHEST_CODE = 255


def classify(codes: NDArray[np.generic], legend: Literal["worldcover", "igbp"], where: str) -> NDArray[np.uint8]:
    """Return the land-cover class, 1 to 7, of each code.

    Args:
        codes: (N,) of pixels with data.
        legend: meaning of the codes.
        where: the file, for the message.

    Raises:
        UnknownLandCover: the legend does not name a code.
    """
    class_of = np.full(HIGHEST_CODE + 1, UNKNOWN, np.uint8)
    for code, land_class in LEGENDS[legend].items():
        class_of[code] = land_class
    if codes.dtype == np.uint8:
        classes = class_of[codes]
    else:
        whole = codes.astype(np.int64)
        named = (whole == codes) & (whole >= 0) & (whole <= HIGHEST_CODE)
        classes = np.where(named, class_of[np.where(named, whole, 0)], UNKNOWN).astype(np.uint8)
    if not classes.all():
        unknown = ", ".join(str(code) for code in np.unique(codes[classes == UNKNOWN])[:10])
        raise UnknownLandCover(
            f"{where} has codes {unknown}, which the legend '{legend}' does not name: choose another `legend`, or declare them nodata"
        )
    return classes
