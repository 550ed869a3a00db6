"""The scenes of a world: when each was taken, in which light, and what is wrong with it."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Scene:
    """A mosaic of one date."""

    file: str
    acquired: date
    quarter: int
    sun_cot: float
    """Cotangent of the sun's elevation: the shadow of a thing one metre high, in metres."""
    gain: float
    haze: tuple[float, float, float]
    """What the air adds to red, green and blue."""
    snow_line: float | None = None
    """Height above which snow lies, as a share of the highest summit."""
    cloudy: bool = False
    cut: bool = False
    """A corner was not acquired: no data there."""
    changed: bool = False
    """Taken after the changes."""

    @property
    def period(self) -> str:
        """Year and quarter."""
        return f"{self.acquired.year}Q{self.quarter}"


SCENES = (
    Scene("mosaic_2023Q1.tif", date(2023, 2, 15), 1, sun_cot=1.1, gain=0.92, haze=(8, 10, 15), snow_line=0.38),
    Scene("mosaic_2023Q2.tif", date(2023, 5, 12), 2, sun_cot=0.5, gain=1.0, haze=(4, 5, 7), cloudy=True),
    Scene("mosaic_2023Q3.tif", date(2023, 8, 14), 3, sun_cot=0.55, gain=1.02, haze=(3, 4, 6)),
    Scene("mosaic_2023Q4.tif", date(2023, 11, 10), 4, sun_cot=1.25, gain=0.95, haze=(9, 9, 10), cut=True),
    Scene("mosaic_2024Q3.tif", date(2024, 8, 20), 3, sun_cot=0.57, gain=0.99, haze=(5, 6, 8), changed=True),
)
