"""What the platform asks of a predictor."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Predictor(Protocol):
    """A model that is ready to be called. One thread uses it at a time."""

    @property
    def batch_size(self) -> int:
        """Images that the model is given at a time; calls with a multiple of it waste nothing."""
        ...

    def __call__(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Return what the model says about each image, which does not depend on the images beside it.

        Args:
            images: (N, C, H, W) float32, normalised; any N.

        Returns:
            (N, K, H, W) uint8, 255 times the probability, for segmentation; (N, K) float32 for scenes.

        Raises:
            ValueError: images of another shape or type than the model takes.
            PredictorUnavailable: the server does not answer, or answers with something else than the model gives.
        """
        ...

    def close(self) -> None:
        """Let go of the model or the connection."""
        ...
