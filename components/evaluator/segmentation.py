"""Class maps of the test tiles, by a network and by colour, beside the truth."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from components.finetuner.features import encode
from components.finetuner.fitting import logits
from components.finetuner.resources import Resources
from components.finetuner.windows import Windows, class_numbers
from eartheye.contracts import ImageSpec
from eartheye.tiles import TileSet
from models.tasks import Segmenter

Predict = Callable[[int], NDArray[np.int64]]
"""A tile to its (H, W) class numbers from 0."""


class TilePredictor:
    """Class maps of the test tiles by a network: the mean of the probabilities where windows overlap.

    Args:
        model: trained.
        tiles: the tiles.
        windows: they cover the test tiles.
        image: how pixels are normalised.
        precision: of the backbone's matrix products.
        resources: device and threads.
    """

    def __init__(self, model: Segmenter, tiles: TileSet, windows: Windows, image: ImageSpec, precision: str, resources: Resources) -> None:
        self._model, self._tiles, self._windows = model, tiles, windows
        self._device = torch.device(resources.device)
        self._features = encode(model, tiles, windows, windows.rows("test"), image, precision, resources)

    @torch.inference_mode()
    def predict(self, tile: int) -> NDArray[np.int64]:
        """(H, W) class numbers of a test tile, from 0."""
        size = self._windows.input_px
        rows = self._windows.rows_of(tile)
        scores = logits(self._model, self._features[rows], (size, size), self._device)
        sums = torch.zeros(scores.shape[1], *self._tiles.image(tile)[1].shape)
        for row, probabilities in zip(rows, torch.softmax(scores, dim=1).cpu(), strict=True):
            window = self._windows.all[row]
            sums[:, window.top : window.top + size, window.left : window.left + size] += probabilities
        return sums.argmax(dim=0).numpy()


def hold_against_truth(
    predict: Predict, tiles: TileSet, windows: Windows, label_set: str
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield group, predicted and true class numbers of every test tile."""
    for tile, group in windows.tiles("test").items():
        yield group, predict(tile), truth_of(tiles, windows, label_set, tile)


def truth_of(tiles: TileSet, windows: Windows, label_set: str, tile: int) -> NDArray[np.int64]:
    """(H, W) true class numbers from 0; -1 where a pixel has no label or no data."""
    numbers = class_numbers(windows.classes)[tiles.mask(tile, label_set)].astype(np.int64)
    return np.where(tiles.image(tile)[1], numbers, 0) - 1
