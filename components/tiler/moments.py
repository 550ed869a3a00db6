"""Mean and standard deviation of a sensor's bands, summed exactly over tiles."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

SUM_TYPES = {"u": np.uint64, "i": np.int64, "f": np.float64}
SQUARE_TYPES = {"u": np.uint32, "i": np.int32, "f": np.float64}
"""The square of a 16 bit number has 32; one of 32 bits could not be summed exactly, and no sensor has such."""


class Moments(BaseModel):
    """Count, sums and sums of squares of the pixels with data, by band; integer pixels are summed without rounding."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    count: int
    """Pixels with data."""
    sums: tuple[int | float, ...]
    squares: tuple[int | float, ...]

    @classmethod
    def of(cls, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> Self:
        """Return the moments of a tile.

        Args:
            pixels: (C, H, W), 0 without data.
            valid: (H, W), where there is data.
        """
        summed, squared = SUM_TYPES[pixels.dtype.kind], SQUARE_TYPES[pixels.dtype.kind]
        sums = pixels.sum(axis=(1, 2), dtype=summed)
        squares = [np.square(band, dtype=squared).sum(dtype=summed) for band in pixels]
        return cls(count=int(valid.sum()), sums=tuple(sums.tolist()), squares=tuple(square.item() for square in squares))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            count=self.count + other.count,
            sums=tuple(one + more for one, more in zip(self.sums, other.sums, strict=True)),
            squares=tuple(one + more for one, more in zip(self.squares, other.squares, strict=True)),
        )

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of each band."""
        return tuple(total / self.count for total in self.sums)

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each band."""
        return tuple(
            # one fraction, so that Python's whole numbers lose nothing in a difference of large squares
            math.sqrt(max(self.count * square - total * total, 0) / self.count**2)
            for total, square in zip(self.sums, self.squares, strict=True)
        )
