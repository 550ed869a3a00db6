"""Where the tiles of a scene lie: on a lattice anchored to the output grid, so that it is the same for every block."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Lattice:
    """Tiles of one size and stride along an axis; tile number 0 begins at the output grid's first pixel."""

    input_px: int
    """Side of a tile."""
    overlap_px: int
    """Pixels that a tile shares with the next."""

    @classmethod
    def of(cls, input_px: int, overlap: float) -> Self:
        """Return the lattice of a model.

        Args:
            input_px: side of its images, at least 1.
            overlap: overlap of neighbouring tiles as a share of `input_px`, 0 to 0.5; rounded to whole pixels, at most half a tile.
        """
        return cls(input_px, min(round(input_px * overlap), input_px // 2))

    @property
    def stride_px(self) -> int:
        """Distance of neighbouring tiles."""
        return self.input_px - self.overlap_px

    def touching(self, start_px: int, length_px: int) -> range:
        """Return the numbers of the tiles that share a pixel with a stretch of the axis.

        Args:
            start_px: first pixel of the stretch, counted from the output grid's first, at least 0.
            length_px: at least 1.

        Example:
            With `input_px` 8 and `overlap_px` 2, tile 1 covers pixels 6 to 13; the stretch of pixels 12 and 13 touches tiles 1 and 2.
        """
        first = max(0, (start_px - self.input_px) // self.stride_px + 1)
        last = (start_px + length_px - 1) // self.stride_px
        return range(first, last + 1)
