"""How overlapping tiles become one: integer weights and integer sums, exact, whatever the order of the tiles."""

import numpy as np
from numpy.typing import NDArray

from eartheye.blocks.lattice import Lattice

FULL_WEIGHT = 256
"""Weight along an axis where a tile is alone. A pixel's sum is at most 255 * 256**2, well within int32."""


def flank_weights(lattice: Lattice) -> NDArray[np.int32]:
    """Return a tile's weights along one axis: Hann flanks over the overlaps, flat between them.

    The flanks of two neighbours add up to `FULL_WEIGHT` at every pixel, and none is 0: at the edge of the output grid a pixel of a
    flank has no other tile.

    Returns:
        (input_px,) weights from 1 to `FULL_WEIGHT`.

    Source: Hann window, w(x) = sin²(πx / 2L) over a flank of length L, at the centres of the pixels.
    """
    length = lattice.overlap_px
    rising = np.rint(FULL_WEIGHT * np.sin(np.pi * (np.arange(length) + 0.5) / (2 * length)) ** 2) if length else np.empty(0)
    rising = np.clip(rising, 1, FULL_WEIGHT - 1).astype(np.int32)
    weights = np.full(lattice.input_px, FULL_WEIGHT, np.int32)
    weights[:length] = rising
    weights[lattice.input_px - length :] = FULL_WEIGHT - rising
    return weights


class TileRowBlend:
    """Weighted sums of the tiles of one row of the lattice, with what the row above reaches into it.

    Only one row of tiles is held: the memory does not grow with the height of the window.

    Args:
        lattice: where the tiles lie.
        classes: K.
        tiles: tiles in a row.
    """

    def __init__(self, lattice: Lattice, classes: int, tiles: int) -> None:
        self._lattice = lattice
        weights = flank_weights(lattice)
        self._weights = np.outer(weights, weights)
        self._sums = np.zeros((classes, lattice.input_px, (tiles - 1) * lattice.stride_px + lattice.input_px), np.int32)
        self._weighted = np.empty((classes, lattice.input_px, lattice.input_px), np.int32)

    def add(self, tile: int, probabilities: NDArray[np.uint8]) -> None:
        """Add a tile of the row.

        Args:
            tile: its place in the row, from 0.
            probabilities: (K, input_px, input_px) 255 times the probability of each class.
        """
        start = tile * self._lattice.stride_px
        np.multiply(probabilities, self._weights, out=self._weighted, dtype=np.int32)
        self._sums[:, :, start : start + self._lattice.input_px] += self._weighted

    def next_row(self) -> NDArray[np.intp]:
        """Return the winners of the rows of pixels that are complete, and go on to the next row of tiles.

        Returns:
            (stride_px, width) index of the most probable class; of equals the first.
        """
        stride, overlap = self._lattice.stride_px, self._lattice.overlap_px
        winners = first_of_largest(self._sums[:, :stride])
        self._sums[:, :overlap] = self._sums[:, stride:]
        self._sums[:, overlap:] = 0
        return winners


def first_of_largest(sums: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return `sums.argmax(axis=0)`, several times faster where the other axes are long: each comparison runs along memory."""
    winners = np.zeros(sums.shape[1:], np.intp)
    largest = sums[0].copy()
    for index in range(1, len(sums)):
        winners[sums[index] > largest] = index
        np.maximum(largest, sums[index], out=largest)
    return winners
