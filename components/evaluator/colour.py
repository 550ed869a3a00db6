"""Baselines that look at colour alone: no network, nothing pretrained."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier

from components.finetuner.windows import Windows, class_numbers
from eartheye.contracts import ImageSpec
from eartheye.raster import normalise, select_bands
from eartheye.tiles import TileSet

BINS = 32
RANGE_STD = (-3.0, 3.0)
"""Range of the histograms, standard deviations from the mean of the training tiles; what is beyond counts to the outermost bins."""
SURROUNDINGS_PX = (5, 15, 31)
"""Sides of the squares around a pixel whose colours are described."""
STRIDE_PX = 4
"""One pixel in so many, both ways, is classified; those between take its class."""
TREES = 50


def histograms(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square roots of each channel's histogram, so that distances are Hellinger's.

    Args:
        images: (B, C, H, W) normalised.

    Returns:
        (B, C * 32)
    """
    low, high = RANGE_STD
    bins = np.clip((images - low) / (high - low) * BINS, 0, BINS - 1).astype(np.int64)
    batch, channels = images.shape[:2]
    place = bins.reshape(batch * channels, -1) + np.arange(batch * channels)[:, None] * BINS
    counts = np.bincount(place.ravel(), minlength=batch * channels * BINS).reshape(batch, channels * BINS)
    return np.sqrt(counts / bins[0, 0].size).astype(np.float32)


def surroundings(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colour of pixels, and mean and deviation of the colours around them.

    Args:
        image: (C, H, W) normalised.

    Returns:
        (rows, columns, 7 C) for one pixel in `STRIDE_PX`.
    """
    described = [image]
    for side in SURROUNDINGS_PX:
        mean = uniform_filter(image, (0, side, side))
        square = uniform_filter(image**2, (0, side, side))
        described += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    return np.concatenate(described)[:, ::STRIDE_PX, ::STRIDE_PX].transpose(1, 2, 0)


class ColourForest:
    """A random forest from the colours around a pixel to its class.

    Args:
        tiles: the tiles.
        windows: labelled tiles and their parts.
        label_set: name of the masks.
        image: how pixels are normalised.
        pixels: how many to learn from, drawn alike from all training tiles.
        seed: of the drawing and the forest.
    """

    def __init__(self, tiles: TileSet, windows: Windows, label_set: str, image: ImageSpec, pixels: int, seed: int) -> None:
        self._tiles, self._sensor, self._image = tiles, windows.sensor, image
        numbers = class_numbers(windows.classes)
        train = windows.tiles("train")
        described, known = [], []
        for tile in train:
            values = numbers[tiles.mask(tile, label_set)][::STRIDE_PX, ::STRIDE_PX]
            values = np.where(tiles.image(tile)[1][::STRIDE_PX, ::STRIDE_PX], values, 0)
            labelled = np.argwhere(values > 0)
            rows = np.random.default_rng([seed, tile]).permutation(len(labelled))[: max(1, pixels // len(train))]
            row, column = labelled[rows].T
            described.append(self._describe(tile)[row, column])
            known.append(values[row, column])
        self._forest = RandomForestClassifier(TREES, min_samples_leaf=5, class_weight="balanced", random_state=seed, n_jobs=-1)
        self._forest.fit(np.concatenate(described), np.concatenate(known).astype(np.int64) - 1)

    def predict(self, tile: int) -> NDArray[np.int64]:
        """(H, W) class numbers of a tile, from 0."""
        described = self._describe(tile)
        height, width = self._tiles.image(tile)[1].shape
        classes = self._forest.predict(described.reshape(-1, described.shape[-1])).reshape(described.shape[:2])
        return classes.repeat(STRIDE_PX, axis=0).repeat(STRIDE_PX, axis=1)[:height, :width]

    def _describe(self, tile: int) -> NDArray[np.float32]:
        pixels, valid = self._tiles.image(tile)
        bands = select_bands(self._tiles.sensors[self._sensor].bands, self._image.bands)
        return surroundings(normalise(pixels[bands], valid, self._image))
