"""Pixels on disk that windows are painted into, and that GDAL then reads as one raster."""

import math
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from xml.etree import ElementTree as ET

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from rasterio.crs import CRS
from rasterio.windows import Window

from eartheye.contracts.package import ClassSpec

TYPES = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "int32": "Int32", "uint32": "UInt32", "float32": "Float32"}
"""GDAL's names of the data types that can be written."""
ZEROS_BYTES = 2**24


class CogSpec(BaseModel):
    """Everything about a raster but its pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)

    crs: CRS
    transform: Affine
    width: int
    height: int
    dtype: str
    bands: tuple[str, ...]
    """Names of the bands; one named `red`, `green`, `blue` or `nir` also gets that colour."""
    nodata: float | None = None
    """Value of pixels without data, and of ground that nothing was painted on."""
    classes: tuple[ClassSpec, ...] = ()
    """Makes it a class raster: their colours are its colour table, their names metadata, `CLASS_1=forest`; overviews take the most
    frequent class."""
    tags: dict[str, str] = {}
    """Further metadata of the file, as its licence."""


def take_room(file: BinaryIO, size: int, start: int = 0) -> None:
    """Give this many bytes of an empty file blocks of their own, so that writing them cannot fail for want of room.

    Raises:
        OSError: there is no room.
    """
    if sys.platform == "linux":
        os.posix_fallocate(file.fileno(), start, size)
        return
    file.seek(start)
    for done in range(0, size, ZEROS_BYTES):
        file.write(bytes(min(ZEROS_BYTES, size - done)))


class Canvas:
    """A raw file of pixels with a description for GDAL beside it, both in a folder of their own.

    GDAL does not tell when a disk fills up while it closes a file; here the room is taken before the first pixel is painted.

    Args:
        folder: where the two files are made.
        spec: what is painted.
    """

    def __init__(self, folder: Path, spec: CogSpec) -> None:
        self.spec = spec
        self._raw = folder / "pixels.raw"
        self.description = folder / "pixels.vrt"
        shape = (len(spec.bands), spec.height, spec.width)
        self.size = math.prod(shape) * np.dtype(spec.dtype).itemsize
        with self._raw.open("wb") as file:
            take_room(file, self.size)
        self._pixels = np.memmap(self._raw, spec.dtype, "r+", shape=shape)
        if spec.nodata:
            self._pixels[:] = spec.nodata
        self.description.write_bytes(self._describe())

    def paint(self, window: Window, pixels: NDArray[np.generic]) -> None:
        """Put the (C, h, w) pixels of a window in their place."""
        rows, columns = window.toslices()
        np.copyto(self._pixels[:, rows, columns], pixels, casting="safe")

    def rows(self, first: int, end: int) -> NDArray[np.generic]:
        """Return (C, end - first, width) pixels."""
        return self._pixels[:, first:end]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del self._pixels

    def _describe(self) -> bytes:
        """Return the raster as GDAL's virtual format (VRT) describes it."""
        spec, size = self.spec, np.dtype(self.spec.dtype).itemsize
        root = ET.Element("VRTDataset", rasterXSize=str(spec.width), rasterYSize=str(spec.height))
        ET.SubElement(root, "SRS").text = spec.crs.to_wkt()
        ET.SubElement(root, "GeoTransform").text = ", ".join(repr(float(v)) for v in spec.transform.to_gdal())
        names = {f"CLASS_{c.value}": c.name for c in spec.classes}
        metadata = ET.SubElement(root, "Metadata")
        for key, value in sorted({**spec.tags, **names}.items()):
            ET.SubElement(metadata, "MDI", key=key).text = value
        for number, name in enumerate(spec.bands):
            band = ET.SubElement(root, "VRTRasterBand", dataType=TYPES[spec.dtype], band=str(number + 1), subClass="VRTRawRasterBand")
            ET.SubElement(band, "Description").text = name
            if spec.nodata is not None:
                ET.SubElement(band, "NoDataValue").text = repr(spec.nodata)
            if spec.classes:
                ET.SubElement(band, "ColorInterp").text = "Palette"
                _add_colours(ET.SubElement(band, "ColorTable"), spec.classes)
            elif name in ("red", "green", "blue", "nir"):
                ET.SubElement(band, "ColorInterp").text = name.upper() if name == "nir" else name.capitalize()
            ET.SubElement(band, "SourceFilename", relativeToVRT="1").text = self._raw.name
            ET.SubElement(band, "ImageOffset").text = str(number * spec.height * spec.width * size)
            ET.SubElement(band, "PixelOffset").text = str(size)
            ET.SubElement(band, "LineOffset").text = str(spec.width * size)
            ET.SubElement(band, "ByteOrder").text = "LSB"
        return ET.tostring(root)


def _add_colours(table: ET.Element, classes: tuple[ClassSpec, ...]) -> None:
    colour_of = {c.value: bytes.fromhex(c.colour.removeprefix("#")) for c in classes}
    for value in range(max(colour_of) + 1):
        red, green, blue = colour_of.get(value, b"\0\0\0")
        ET.SubElement(table, "Entry", c1=str(red), c2=str(green), c3=str(blue), c4="255" if value in colour_of else "0")
