"""What can be set about a world, and where on Earth it lies."""

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from eartheye.errors import InvalidConfig
from eartheye.seed import LARGEST_SEED

GSD_M = 1.0
"""Ground sampling distance of the mosaics and of the segmentation truth."""
COVER_GSD_M = 10
"""Pixel of the land cover, that of ESA WorldCover."""
DEM_GSD_M = 30
"""Pixel of the elevation model, that of Copernicus GLO-30."""
PROJECTION = "EPSG:32650"
"""UTM zone 50 north."""
CENTRE_M = (500_000, 3_318_790)
"""Easting and northing of the world's middle, 117 E 30 N: the parallel where cells of EASE-Grid 2.0 are square."""
SMALLEST_KM, LARGEST_KM = 1.0, 40.0
DEMO_FROM_KM = 8.0
"""From this size on a world has the sites that the demonstration's chain for it draws, one of each square kilometre."""


class WorldConfig(BaseModel):
    """Which world is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    seed: int = 0
    """Another seed makes another world."""
    size_km: float = 8.0
    """Side of the square, from 1 to 40 km in steps of 10 m. Below 1 km there is no room for every class to be wider than 60 m."""

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if not SMALLEST_KM <= self.size_km <= LARGEST_KM:
            raise InvalidConfig(f"a world of {self.size_km:g} km: choose a size from {SMALLEST_KM:g} to {LARGEST_KM:g} km")
        if abs(self.size_km * 100 - round(self.size_km * 100)) > 1e-6:
            raise InvalidConfig(f"a world of {self.size_km} km: choose a multiple of 0.01 km, the pixel of its land cover")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InvalidConfig(f"seed {self.seed}: choose one from 0 to {LARGEST_SEED}")
        return self

    @property
    def size_m(self) -> int:
        """Side of the world in metres, which is its side in pixels of the mosaics."""
        return round(self.size_km * 1000)

    @property
    def salt(self) -> int:
        """What tells this world's noise from that of other seeds."""
        return self.seed * 1009

    @property
    def upper_left_m(self) -> tuple[int, int]:
        """Easting and northing of the north-western corner, multiples of 10 m."""
        half_m = self.size_m // 20 * 10
        return CENTRE_M[0] - half_m, CENTRE_M[1] + half_m

    @property
    def relief_scale(self) -> float:
        """How far the forms of the land shrink in a small world, so that each class keeps its place: 1 from 6 km on."""
        return min(1.0, max(0.25, self.size_km / 6))
