"""A georeferenced raster, read window by window."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from eartheye.errors import EmptyArea, MissingCrs
from eartheye.raster.bands import name_bands, select_bands
from eartheye.raster.reference import footprint, ground_sampling_distance_m, is_on_earth, known_crs
from eartheye.raster.source import RasterSource


class Scene:
    """An open raster; threads may read it at the same time, each through a handle of its own. Made by `open_scene`."""

    def __init__(self, source: RasterSource, bands: Sequence[str] | None, nodata: float | None, crs: str | None) -> None:
        self._source = source
        self._handles: dict[int, DatasetReader] = {}
        dataset = self._handle()
        self._numbers = name_bands(dataset, bands, source.uri)
        self.uri = source.uri
        self.bands: tuple[str, ...] = tuple(self._numbers)
        self.transform: Affine = dataset.transform
        if self.transform == Affine.identity():
            points = "has ground control points alone" if dataset.gcps[0] else "does not say where its pixels lie on Earth"
            raise MissingCrs(f"{source.uri} {points}: georeference it, as gdalwarp does")
        if not (np.isfinite(self.transform).all() and self.transform.determinant):
            raise MissingCrs(f"{source.uri} has pixels without a place or a size on Earth: georeference it, as gdalwarp does")
        self.crs: CRS = known_crs(dataset.crs, crs, source.uri)
        self.width: int = dataset.width
        self.height: int = dataset.height
        self.dtype: str = dataset.dtypes[0]
        self.block_shape: tuple[int, int] = dataset.block_shapes[0]
        self.nodata: float | None = dataset.nodata if dataset.nodata is not None else nodata
        mask = dataset.mask_flag_enums[next(iter(self._numbers.values())) - 1]
        alpha_is_data = MaskFlags.alpha in mask and len(self._numbers) == dataset.count
        self._masked = MaskFlags.per_dataset in mask and not alpha_is_data

    @property
    def gsd_m(self) -> float:
        """Ground sampling distance in metres, in the scene's middle, whatever the unit of its reference system.

        Raises:
            MissingCrs: the scene lies nowhere on Earth, or reaches beyond it.
        """
        return self._ground[1]

    @property
    def footprint(self) -> shapely.Polygon:
        """Outline of the raster in one piece, longitude and latitude on WGS84; beyond 180 degrees where it lies across them.

        Raises:
            MissingCrs: the scene lies nowhere on Earth, or reaches beyond it.
        """
        return self._ground[0]

    @cached_property
    def _ground(self) -> tuple[shapely.Polygon, float]:
        grid = self.crs, self.transform, self.width, self.height
        outline, gsd_m = footprint(*grid), ground_sampling_distance_m(*grid)
        pixel = abs(self.transform.d) + abs(self.transform.e)  # the centre of one may be at a pole
        if is_on_earth(outline.bounds, pixel) and 0 < gsd_m < math.inf:
            return outline, gsd_m
        raise MissingCrs(
            f"{self.uri} lies nowhere on Earth under {self.crs.to_string()[:80]}, or reaches beyond it: correct `crs`, or the file's own "
            "with gdal_edit.py -a_srs, or cut off what lies beyond, as gdalwarp -t_srs EPSG:4326 does"
        )

    def read(self, window: Window, bands: Sequence[str] | None = None) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return the pixels of a window, which may reach beyond the raster.

        A pixel has no data outside the raster, where the file's mask or alpha band says so, where a band is not a number, and where the
        bands read are nodata: all of them for unsigned integers, of which 0 is also a dark pixel's value; any of them otherwise.

        Args:
            window: in whole pixels of the raster.
            bands: names, in the order wanted; all of them by default.

        Returns:
            (C, height, width) pixels in the raster's data type, 0 without data; (height, width), False without data.

        Raises:
            WrongBands: the scene lacks a band.
            EmptyArea: the window has no extent.
            UnreadableRaster: the file is truncated or corrupt.
            StoreUnavailable: the store went away.
        """
        numbers = [self._numbers[self.bands[i]] for i in select_bands(self.bands, self.bands if bands is None else bands)]
        left, top, width, height = (int(side) for side in (window.col_off, window.row_off, window.width, window.height))
        if width <= 0 or height <= 0:
            raise EmptyArea(f"a window of {width} x {height} pixels of {self.uri} was asked for: choose a larger area")
        first_row, end_row = max(top, 0), min(top + height, self.height)
        first_column, end_column = max(left, 0), min(left + width, self.width)
        if (end_row - first_row, end_column - first_column) == (height, width):
            return self._read_inside(Window(left, top, width, height), numbers)
        pixels, valid = np.zeros((len(numbers), height, width), self.dtype), np.zeros((height, width), bool)
        if first_row < end_row and first_column < end_column:
            inside = Window(first_column, first_row, end_column - first_column, end_row - first_row)
            rows, columns = slice(first_row - top, end_row - top), slice(first_column - left, end_column - left)
            pixels[:, rows, columns], valid[rows, columns] = self._read_inside(inside, numbers)
        return pixels, valid

    def _read_inside(self, window: Window, numbers: list[int]) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        pixels, valid = self._source.read(lambda: self._read_file(window, numbers))
        unsigned = np.issubdtype(pixels.dtype, np.unsignedinteger)
        if self.nodata is not None:
            without = pixels == _as_pixel(self.nodata, pixels.dtype)
            valid &= ~(without.all(axis=0) if unsigned else without.any(axis=0))
        if np.issubdtype(pixels.dtype, np.floating):
            valid &= np.isfinite(pixels).all(axis=0)
        if not valid.all():
            pixels[:, ~valid] = 0
        return pixels, valid

    def _read_file(self, window: Window, numbers: list[int]) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Return pixels, and where the file's own mask has data; a handle that failed is read no more."""
        dataset = self._handle()
        try:
            pixels = dataset.read(numbers, window=window)
            masked = dataset.read_masks(numbers[0], window=window) > 0 if self._masked else np.ones(pixels.shape[1:], bool)
        except RasterioIOError:
            self._handles.pop(threading.get_ident()).close()
            raise
        return pixels, masked

    def _handle(self) -> DatasetReader:
        thread = threading.get_ident()
        if thread not in self._handles:
            self._handles[thread] = self._source.open()
        return self._handles[thread]

    def close(self) -> None:
        """Close the handles of all threads; none may be reading."""
        while self._handles:
            self._handles.popitem()[1].close()


def _as_pixel(nodata: float, dtype: np.dtype) -> float | int | np.generic:
    """Return nodata as the pixels hold it: -3.4e38 is written with more digits than float32 has."""
    if np.issubdtype(dtype, np.floating):
        return dtype.type(nodata)
    return int(nodata) if nodata == nodata and float(nodata).is_integer() else nodata


@contextmanager
def open_scene(uri: str | Path, bands: Sequence[str] | None = None, nodata: float | None = None, crs: str | None = None) -> Iterator[Scene]:
    """Open a georeferenced raster for the length of a block.

    Args:
        uri: a path, `file:///path` or `s3://bucket/key` of a GeoTIFF, COG, JPEG 2000, PNG or JPEG.
        bands: names of all its bands, in order; by default those of the file's descriptions or colours.
        nodata: stands in for a nodata value that the file does not declare.
        crs: stands in for a reference system that the file lacks or leaves unknown, as `EPSG:4326`.

    Raises:
        UnreadableRaster: it is not there, no raster, truncated or corrupt.
        MissingCrs: neither the file nor `crs` says where on Earth it lies, or its pixels have no size.
        WrongBands: `bands` names more or fewer than there are.
    """
    source = RasterSource(uri)
    scene: Scene | None = None
    try:
        scene = Scene(source, bands, nodata, crs)
        yield scene
    finally:
        if scene:
            scene.close()
