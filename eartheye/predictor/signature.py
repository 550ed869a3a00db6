"""The arrays that a model takes and gives, and calls of one fixed size."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from eartheye.contracts import ServingPackage
from eartheye.errors import PredictorUnavailable

IMAGES = "images"
PROBABILITIES = "probabilities"


class Signature(NamedTuple):
    """Shapes and types of a served model."""

    image: tuple[int, int, int]
    """C, H, W; float32."""
    output: tuple[int, ...]
    """K, H, W, or K."""
    output_dtype: np.dtype[Any]
    batch_size: int
    """Every call carries this many images: kernels may sum in another order for another size, and then results would depend on how
    images are grouped."""

    @classmethod
    def of(cls, package: ServingPackage) -> Self:
        """Return the signature that a serving package promises."""
        side, kinds = package.input_px, len(package.classes)
        dense = package.task == "segmentation"
        return cls(
            image=(len(package.image.bands), side, side),
            output=(kinds, side, side) if dense else (kinds,),
            output_dtype=np.dtype(np.uint8 if dense else np.float32),
            batch_size=package.batch_size,
        )

    def call(self, images: NDArray[np.float32], run: Callable[[NDArray[np.float32]], NDArray[Any]]) -> NDArray[Any]:
        """Give images to a model in calls of the fixed size, the last one filled up with zeros.

        Args:
            images: (N, C, H, W) float32.
            run: calls the model with (batch_size, C, H, W), contiguous.

        Returns:
            (N, *output).

        Raises:
            ValueError: images of another shape or type.
            PredictorUnavailable: the model gave another shape or type.
        """
        if images.ndim != 4 or images.shape[1:] != self.image or images.dtype != np.float32:
            expected = f"(N, {', '.join(map(str, self.image))}) float32"
            raise ValueError(f"the model takes images {expected}, given {images.shape} {images.dtype}")
        given = np.empty((len(images), *self.output), self.output_dtype)
        for start in range(0, len(images), self.batch_size):
            part = images[start : start + self.batch_size]
            batch = np.zeros((self.batch_size, *self.image), np.float32)
            batch[: len(part)] = part
            result = run(batch)
            if result.shape != (self.batch_size, *self.output) or result.dtype != self.output_dtype:
                raise PredictorUnavailable(
                    f"the model gave {result.shape} {result.dtype}, its package promises {(self.batch_size, *self.output)} "
                    f"{self.output_dtype}: export and deploy it again"
                )
            given[start : start + len(part)] = result[: len(part)]
        return given
