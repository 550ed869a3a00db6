"""Digital numbers made ready for a network."""

import numpy as np
import pytest

from eartheye.contracts import ImageSpec
from eartheye.errors import WrongBands
from eartheye.raster import normalise

IMAGE = ImageSpec(bands=("red", "nir"), dtype="uint8", mean=(100.0, 50.0), std=(20.0, 10.0), gsd_m=1.0, gsd_range_m=(0.5, 2.0))


def test_bands_are_centred_and_scaled_and_holes_are_the_mean():
    pixels = np.array([[[100, 140]], [[60, 0]]], np.uint8)
    normalised = normalise(pixels, np.array([[True, False]]), IMAGE)
    assert normalised.dtype == np.float32
    assert normalised.tolist() == [[[0.0, 0.0]], [[1.0, 0.0]]]
    assert normalise(pixels, np.array([[True, True]]), IMAGE).tolist() == [[[0.0, 2.0]], [[1.0, -5.0]]]


def test_not_a_number_does_not_get_through():
    image = IMAGE.model_copy(update={"dtype": "float32"})
    pixels = np.array([[[np.nan]], [[1.0]]], np.float32)
    assert normalise(pixels, np.array([[False]]), image).tolist() == [[[0.0]], [[0.0]]]


def test_a_band_that_never_varied_is_centred_only():
    image = IMAGE.model_copy(update={"std": (0.0, 10.0)})
    assert normalise(np.full((2, 1, 1), 103, np.uint8), np.ones((1, 1), bool), image)[0, 0, 0] == 3.0


@pytest.mark.parametrize(("shape", "dtype"), [((3, 2, 2), np.uint8), ((2, 2, 2), np.uint16)])
def test_other_bands_or_another_type_are_refused(shape, dtype):
    with pytest.raises(WrongBands, match="the model takes 2 bands of uint8"):
        normalise(np.zeros(shape, dtype), np.ones((2, 2), bool), IMAGE)
