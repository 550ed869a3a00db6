"""Images without georeference."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from eartheye.errors import WrongBands
from eartheye.raster.source import RasterSource
from eartheye.wording import counted

FORMATS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".jp2")
LUMA = np.array([0.299, 0.587, 0.114])
"""Grey of red, green and blue. Source: ITU-R BT.601."""


def read_image(uri: str, bands: tuple[str, ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return an image as the bands say.

    A palette becomes its colours, or their grey where one band is wanted; a grey image stands three times where three are wanted; an
    alpha band says where there is data, and so does a nodata value.

    Args:
        uri: a path or `s3://bucket/key`.
        bands: names of the bands wanted.

    Returns:
        (C, H, W) pixels, 0 without data; (H, W), False without data.

    Raises:
        UnreadableRaster: it is truncated, corrupt or no image.
        WrongBands: it has another number of bands.
    """
    source = RasterSource(uri)

    def read() -> tuple[NDArray[Any], NDArray[np.bool_]]:
        with source.open() as image:
            return _pixels(image, bands, uri), image.dataset_mask() > 0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        pixels, valid = source.read(read)
    if np.issubdtype(pixels.dtype, np.floating):
        valid &= np.isfinite(pixels).all(axis=0)
    pixels[:, ~valid] = 0
    return pixels, valid


def _pixels(image: DatasetReader, bands: tuple[str, ...], uri: str) -> NDArray[Any]:
    numbers = [number for number in image.indexes if image.colorinterp[number - 1] != ColorInterp.alpha]
    pixels = image.read(numbers)
    if len(numbers) == 1 and image.colorinterp[0] == ColorInterp.palette:
        pixels = _colours(image)[pixels[0]].transpose(2, 0, 1)
        if len(bands) == 1:
            pixels = np.rint(np.tensordot(LUMA, pixels, axes=1)).astype(np.uint8)[None]
    elif len(numbers) == 1 and len(bands) == 3:
        pixels = np.repeat(pixels, 3, axis=0)
    if len(pixels) != len(bands):
        raise WrongBands(
            f"{uri} has {counted(len(pixels), 'band')}, names were given for {len(bands)} ({', '.join(bands)}): name all, or leave it out"
        )
    return pixels


def _colours(image: DatasetReader) -> NDArray[np.uint8]:
    """Return the (256, 3) colours of a palette; what it does not name is black."""
    table = np.zeros((256, 3), np.uint8)
    for value, colour in image.colormap(1).items():
        table[value] = colour[:3]
    return table
