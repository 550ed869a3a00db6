"""How good a tile's image is, in four numbers that need no reference."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLOUD_BLOCK_PX = 8
CLOUD_BRIGHTNESS = 170.0
"""Mean of red, green and blue, of 255, from which ground may be cloud."""
CLOUD_COLOURING = 0.15
"""Largest difference between red, green and blue, as a share of the brightest, of a cloud."""
CLOUD_ROUGHNESS = 12.0
"""Largest standard deviation of the brightness, of 255, within a block of a cloud; roofs and roads beside them are rougher."""
CLOUD_NEIGHBOURS = 6
"""Of the nine blocks around and including one, those that must look like cloud: a white roof has fewer."""
TYPICAL_BRIGHTNESS = 100.0
"""Mean brightness that images of unknown full scale are brought to before their entropy is taken."""
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Quality:
    """What is measured of a tile."""

    valid: float
    """Share of pixels with data."""
    clear: float | None
    """Share of the pixels with data that do not look like cloud; None where that cannot be told: not 8 bit, or not red, green, blue."""
    sharpness: float
    """Variance of the Laplacian over the mean squared gradient of the brightness: the mean square of the spatial frequency, so that
    contrast does not matter. White noise has 5, sharp imagery 1.5 to 4; blurred by s pixels (standard deviation) it has about 1 / s^2, but
    in 8 bits no less than 0.1, the rounding's own."""
    entropy_bit: float
    """Shannon entropy of the brightness in 256 steps: 0 where all pixels are the same, 8 at most."""


def measure(pixels: NDArray[Any], valid: NDArray[np.bool_], bands: tuple[str, ...]) -> Quality:
    """Return a tile's quality.

    Args:
        pixels: (C, H, W), all bands.
        valid: (H, W), where there is data: somewhere.
        bands: names of the bands.
    """
    colours = pixels[[bands.index(colour) for colour in COLOURS]] if set(COLOURS) <= set(bands) else pixels
    brightness = colours.mean(axis=0, dtype=np.float32)
    judged = pixels.dtype == np.uint8 and len(colours) == len(COLOURS) and set(COLOURS) <= set(bands)
    return Quality(
        valid=float(valid.mean()),
        clear=1 - cloud_share(colours, valid) if judged else None,
        sharpness=sharpness(brightness, valid),
        entropy_bit=entropy_bit(brightness, valid, full_scale_known=pixels.dtype == np.uint8),
    )


def cloud_share(colours: NDArray[np.uint8], valid: NDArray[np.bool_]) -> float:
    """Return the share of the pixels with data that look like cloud: bright, white and smooth over an extent.

    A rough estimate by blocks of 8 px: it takes snow and salt for cloud, and does not see haze, thin cloud or shadow.

    Args:
        colours: (3, H, W), red, green and blue.
        valid: (H, W).
    """
    if min(valid.shape) < CLOUD_BLOCK_PX:
        return 0.0
    has_data = _by_block(valid) == 1
    mean = np.stack([_by_block(colour) for colour in colours])
    brightness = colours.mean(axis=0, dtype=np.float32)
    variance = _by_block(brightness * brightness) - _by_block(brightness) ** 2
    colouring = (mean.max(axis=0) - mean.min(axis=0)) / np.maximum(mean.max(axis=0), 1)
    looks = (mean.mean(axis=0) >= CLOUD_BRIGHTNESS) & (colouring <= CLOUD_COLOURING) & (variance <= CLOUD_ROUGHNESS**2) & has_data
    around = np.pad(looks, 1, mode="edge").astype(np.uint8)
    neighbours = sum(around[row : row + looks.shape[0], column : column + looks.shape[1]] for row in range(3) for column in range(3))
    return float((looks & (neighbours >= CLOUD_NEIGHBOURS)).sum() / max(has_data.sum(), 1))


def _by_block(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean of (H, W) values in each whole block."""
    height, width = (side // CLOUD_BLOCK_PX for side in values.shape)
    whole = values[: height * CLOUD_BLOCK_PX, : width * CLOUD_BLOCK_PX]
    columns = whole.reshape(height, CLOUD_BLOCK_PX, -1).sum(axis=1, dtype=np.float32)
    return columns.reshape(height, width, CLOUD_BLOCK_PX).sum(axis=2) / np.float32(CLOUD_BLOCK_PX**2)


def sharpness(brightness: NDArray[np.float32], valid: NDArray[np.bool_]) -> float:
    """Return the variance of the Laplacian over the mean squared gradient where all neighbours have data; 0 without any gradient.

    Args:
        brightness: (H, W), in any unit.
        valid: (H, W).
    """
    if min(brightness.shape) < 3:
        return 0.0
    up, down, left, right = brightness[:-2, 1:-1], brightness[2:, 1:-1], brightness[1:-1, :-2], brightness[1:-1, 2:]
    inner = brightness[1:-1, 1:-1]
    whole = valid[:-2, 1:-1] & valid[2:, 1:-1] & valid[1:-1, :-2] & valid[1:-1, 2:] & valid[1:-1, 1:-1]
    laplacian = (up + down + left + right - 4 * inner)[whole]
    gradient = ((down - inner) ** 2 + (right - inner) ** 2)[whole]
    steepness = float(gradient.mean(dtype=np.float64)) if gradient.size else 0.0
    return float(laplacian.var(dtype=np.float64)) / steepness if steepness else 0.0


def entropy_bit(brightness: NDArray[np.float32], valid: NDArray[np.bool_], full_scale_known: bool) -> float:
    """Return the Shannon entropy of the brightness where there is data, in bits.

    Args:
        brightness: (H, W); of 255 if its full scale is known, brought to a mean of 100 first otherwise.
        valid: (H, W).
        full_scale_known: whether it is of 255.
    """
    values = brightness[valid]
    if not full_scale_known:
        values = values * (TYPICAL_BRIGHTNESS / (float(np.abs(values).mean(dtype=np.float64)) or 1))
    counts = np.bincount(np.clip(np.rint(values), 0, 255).astype(np.uint8), minlength=256)
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())
