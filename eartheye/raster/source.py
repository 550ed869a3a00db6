"""How a raster is found and opened by its URI."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import rasterio
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetReader

from eartheye.errors import MissingBulk, MissingRaster, UnreadableRaster
from eartheye.store import object_at
from eartheye.telemetry import PULSE

Answer = TypeVar("Answer")
READINGS = 2
"""A read may meet an outage that has passed when the store is asked."""

DRIVERS = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\0\0\0\x0cjP  ": "JP2OpenJPEG",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
}
"""GDAL driver by a file's first bytes, for formats that hold their own pixels: one such as VRT can name any other file or host."""
LONGEST_SIGNATURE = max(map(len, DRIVERS))

OPTIONS = {
    "GDAL_CACHEMAX": 512,
    "VSI_CACHE": True,
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",
}
"""GDAL configuration: megabytes of decoded blocks kept by the process; for S3, neighbouring ranges in one request; and what makes a
truncated JPEG or PNG an error: GDAL would fill the rest with grey or zeros."""


def first_cause(error: BaseException) -> str:
    """Return what GDAL said first of a failure: its last words are often that the words before have the details.

    The place in the file is left out, as in `Read error at row 0, col 64`, so that all failures of a file read the same.
    """
    while error.__cause__:
        error = error.__cause__
    return str(error).partition(" at ")[0].rstrip(".")


class RasterSource:
    """A raster file in a folder of the store.

    Args:
        uri: a path, `file:///path` or `s3://bucket/key`.
    """

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri)
        self._folder, self._name = object_at(uri)

    def open(self) -> DatasetReader:
        """Return a new handle, to be used by one thread at a time.

        Raises:
            MissingRaster: there is no such file.
            UnreadableRaster: it is no raster that can be read here.
        """
        try:
            head = self._folder.read_range(self._name, 0, LONGEST_SIGNATURE)
        except MissingBulk:
            raise MissingRaster(f"{self.uri} is not there, or no file: give the path of a raster") from None
        driver = next((driver for signature, driver in DRIVERS.items() if head.startswith(signature)), None)
        if driver is None:
            change = "convert it with gdal_translate" if head else "it is empty, copy it again"
            raise UnreadableRaster(f"{self.uri} is no GeoTIFF, JPEG 2000, PNG or JPEG: {change}")
        return self.read(lambda: rasterio.open(self._folder.gdal_path(self._name), driver=driver), "opened")

    def read(self, read: Callable[[], Answer], wording: str = "read") -> Answer:
        """Return what is read with GDAL, which tells an outage like a damaged file: after a failure the store is asked which it is.

        Args:
            read: opens the raster, or reads from a handle; called within GDAL's configuration, and once more after a failure.
            wording: what it does to the file, for the message.

        Raises:
            StoreUnavailable: the store does not answer.
            MissingRaster: the file is there no longer.
            UnreadableRaster: the store has the file, and it fails twice.
        """
        failures = list[RasterioIOError]()
        while len(failures) < READINGS:
            try:
                with rasterio.Env(**OPTIONS), self._folder.gdal_env():
                    return read()
            except RasterioIOError as error:
                failures.append(error)
            PULSE.advanced()  # a store that hangs may hold up both the reading and the question
            if not self._folder.exists(self._name):
                raise MissingRaster(f"{self.uri} is there no longer: copy it again")
        raise UnreadableRaster(f"{self.uri} cannot be {wording} ({first_cause(failures[0])}): it is truncated or corrupt, copy it again")
