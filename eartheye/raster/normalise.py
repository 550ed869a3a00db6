"""From digital numbers to what a network takes."""

import numpy as np
from numpy.typing import NDArray

from eartheye.contracts.package import ImageSpec
from eartheye.errors import WrongBands
from eartheye.wording import counted


def normalise(pixels: NDArray[np.generic], valid: NDArray[np.bool_], image: ImageSpec) -> NDArray[np.float32]:
    """Return (x - mean) / std of each band, and 0, the mean, where there is no data.

    A band that was constant in training (std 0) is only centred.

    Args:
        pixels: (C, H, W), the bands that the model takes, in its order.
        valid: (H, W), False where there is no data.
        image: what the model takes.

    Returns:
        (C, H, W) without unit.

    Raises:
        WrongBands: the pixels have another number of bands, or another data type, than the model was trained on.
    """
    if len(pixels) != len(image.bands) or pixels.dtype != image.dtype:
        raise WrongBands(
            f"the model takes {counted(len(image.bands), 'band')} of {image.dtype} ({', '.join(image.bands)}), "
            f"the image has {len(pixels)} of {pixels.dtype}: choose a scene of the model's sensor, or another model"
        )
    mean = np.array(image.mean, np.float32)[:, None, None]
    std = np.array([s if s > 0 else 1.0 for s in image.std], np.float32)[:, None, None]
    normalised = pixels.astype(np.float32)
    normalised -= mean
    normalised /= std
    normalised[:, ~valid] = 0.0
    return normalised
