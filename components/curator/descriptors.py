"""What a tile looks like, in a few numbers: colour, brightness, edges at several scales, texture."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BRIGHTNESS_EDGES = np.linspace(-2.5, 2.5, 15)
"""Of the histogram's 16 bins, in standard deviations of the sensor."""
SCALES_PX = (1, 2, 4, 8)
COHERENCE_BLOCK_PX = 16
FAINT = 1e-4
"""Gradient energy, in squared standard deviations of the sensor, below which nothing is told apart."""
THUMBNAIL_PX = 32


@dataclass(frozen=True)
class Description:
    """A tile's descriptor and thumbnail."""

    descriptor: NDArray[np.float32]
    """(D,) of the blocks in `BLOCKS`."""
    thumbnail: NDArray[np.uint8]
    """(1024,) brightness, 32 x 32, stretched to its own mean and deviation: 128 is the mean, 42 one standard deviation."""


def blocks(channels: int) -> tuple[int, ...]:
    """Return the lengths of the parts of a descriptor: colour moments, brightness histogram, edges, texture."""
    return 3 * channels, len(BRIGHTNESS_EDGES) + 1, 2 * len(SCALES_PX), 10


def describe(image: NDArray[np.float32], valid: NDArray[np.bool_]) -> Description:
    """Return what a tile looks like.

    Args:
        image: (C, H, W) channels, normalised by the sensor's statistics, 0 without data.
        valid: (H, W), where there is data: somewhere.
    """
    brightness = image.mean(axis=0)
    parts = (_colour(image, valid), _histogram(brightness, valid), _edges(brightness, valid), _texture(brightness, valid))
    return Description(np.concatenate(parts).astype(np.float32), thumbnail(brightness))


def _colour(image: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
    """Return (3 C,) mean, standard deviation and cube root of the third moment of each channel.

    Source: Stricker and Orengo, Similarity of color images, SPIE 2420 (1995).
    """
    square = image * image
    # pixels without data are 0 and add nothing
    first, second, third = (power.sum(axis=(1, 2), dtype=np.float64) / valid.sum() for power in (image, square, square * image))
    return np.concatenate([first, np.sqrt(np.maximum(second - first**2, 0)), np.cbrt(third - 3 * first * second + 2 * first**3)])


def _histogram(brightness: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
    """Return (16,) roots of the shares of the brightness's bins: their Euclidean distance is Hellinger's."""
    counts = np.bincount(np.searchsorted(BRIGHTNESS_EDGES, brightness[valid]), minlength=len(BRIGHTNESS_EDGES) + 1)
    return np.sqrt(counts / counts.sum())


def _edges(brightness: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
    """Return (8,) for each scale the logarithm of the gradient energy, and how much the gradients of a neighbourhood point one way.

    The latter is the coherence of the structure tensor: 0 for a forest's crowns, 1 along a field's edge.
    Source: Bigün and Granlund, Optimal orientation detection of linear symmetry, ICCV (1987).
    """
    found = []
    for scale in SCALES_PX:
        grey, has_data = block_mean(brightness, scale), block_mean(valid.astype(np.float32), scale) == 1
        right, down = grey[:-1, 1:] - grey[:-1, :-1], grey[1:, :-1] - grey[:-1, :-1]
        known = has_data[:-1, :-1] & has_data[:-1, 1:] & has_data[1:, :-1]
        across, along, both = (np.where(known, product, 0) for product in (right * right, down * down, right * down))
        energy = (across + along).sum() / max(known.sum(), 1)
        side = min(COHERENCE_BLOCK_PX, *known.shape) or 1
        across, along, both = (block_mean(product, side) for product in (across, along, both))
        spread = np.sqrt((across - along) ** 2 + 4 * both**2)
        found += [np.log(energy + FAINT), spread.sum() / max((across + along).sum(), FAINT)]
    return np.array(found)


def _texture(brightness: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
    """Return (10,) roots of the shares of the rotation-invariant uniform local binary patterns of eight neighbours.

    Source: Ojala, Pietikäinen and Mäenpää, IEEE Transactions on Pattern Analysis and Machine Intelligence 24 (2002) 971-987.
    """
    if min(brightness.shape) < 3:
        return np.zeros(10)
    inner, known = brightness[1:-1, 1:-1], valid[1:-1, 1:-1].copy()
    height, width = inner.shape
    code = np.zeros(inner.shape, np.uint8)
    for bit, (row, column) in enumerate(((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))):
        beside = np.s_[row : row + height, column : column + width]
        code |= (brightness[beside] >= inner).astype(np.uint8) << bit
        known &= valid[beside]
    counts = np.bincount(PATTERNS[code[known]], minlength=10)
    return np.sqrt(counts / max(counts.sum(), 1))


def _patterns() -> NDArray[np.uint8]:
    """Return (256,) the pattern of each code: the number of its ones if they are in one run around the circle, 9 otherwise."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    runs = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(runs <= 2, bits.sum(axis=1), 9).astype(np.uint8)


PATTERNS = _patterns()


def thumbnail(brightness: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return (1024,) the brightness in 32 x 32 cells, stretched to its own mean and deviation; all 128 where it does not vary."""
    rows, columns = (np.linspace(0, side, THUMBNAIL_PX + 1).astype(int) for side in brightness.shape)
    starts = (np.minimum(rows[:-1], brightness.shape[0] - 1), np.minimum(columns[:-1], brightness.shape[1] - 1))
    sums = np.add.reduceat(np.add.reduceat(brightness.astype(np.float64), starts[0], axis=0), starts[1], axis=1)
    cells = sums / (np.maximum(np.diff(rows), 1)[:, None] * np.maximum(np.diff(columns), 1)[None, :])
    deviation = cells.std() or 1
    return np.clip(np.rint(128 + 42 * (cells - cells.mean()) / deviation), 0, 255).astype(np.uint8).ravel()


def block_mean(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the mean of (H, W) values in each whole block of `side` pixels."""
    height, width = (length // side for length in values.shape)
    whole = values[: height * side, : width * side]
    return whole.reshape(height, side, width * side).mean(axis=1).reshape(height, width, side).mean(axis=2)
