"""Class fractions of 1 km cells from 10 m land cover: ours beside exactextract and GDAL's `mode`, on one raster.

The raster is half a degree of the grid that ESA WorldCover has, compressed likewise. exactextract weighs the pixels on a cell's edge by
the area they share; ours gives each to the cell of its centre, so that the shares differ by up to a row of pixels. GDAL's `mode` gives
the most frequent class alone: less than is asked, but it is what one would reach for. The limit is the decoding of the raster.
"""

import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from exactextract import exact_extract
from rasterio.enums import Resampling
from rasterio.warp import reproject

from benchmarks.measure import interleaved, keep
from components.sampler.legend import classify
from components.sampler.zonal import pixels_of_cells
from eartheye.grid import EaseGrid
from eartheye.raster import open_scene

SIDE_PX = 6000
PIXEL_DEG = 1 / 12000
CODES = np.array([10, 20, 30, 40, 50, 60, 80, 90], np.uint8)
PATCH_PX = 40
SMALLEST_AGREEMENT = 0.98
"""Share of the cells in which the most frequent classes are the same."""


def write_cover(path: Path) -> None:
    """Write patches of classes with ragged edges."""
    random = np.random.default_rng(0)
    coarse = random.choice(CODES, (SIDE_PX // PATCH_PX + 1,) * 2)
    place = np.arange(SIDE_PX) + random.integers(0, 6, (2, SIDE_PX, SIDE_PX))
    rows, columns = place[0].T // PATCH_PX, place[1] // PATCH_PX
    profile = {"driver": "GTiff", "width": SIDE_PX, "height": SIDE_PX, "count": 1, "dtype": "uint8", "crs": "EPSG:4326", "nodata": 0}
    layout = {"tiled": True, "blockxsize": 1024, "blockysize": 1024, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **layout, transform=Affine(PIXEL_DEG, 0, 116.0, 0, -PIXEL_DEG, 32.0)) as file:
        file.write(coarse[np.minimum(rows, coarse.shape[0] - 1), np.minimum(columns, coarse.shape[1] - 1)], 1)


def main() -> None:
    """Measure, check that the answers agree, keep the figures."""
    grid = EaseGrid(1)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "cover.tif"
        write_cover(path)
        window = grid.window(116.02, 31.52, 116.48, 31.98)
        cells = gpd.GeoDataFrame(geometry=grid.polygon(grid.cells(window).ravel()), crs="EPSG:4326")
        left, top = grid.upper_left_m
        place = Affine(grid.cell_m, 0, left + window.column * grid.cell_m, 0, -grid.cell_m, top - window.row * grid.cell_m)

        def ours() -> np.ndarray:
            counts = np.zeros(window.size * 7)
            with open_scene(path, bands=("land cover",)) as scene:
                for cell, codes in pixels_of_cells(scene, grid, window):
                    counts += np.bincount(cell * 7 + classify(codes, "worldcover", scene.uri) - 1, minlength=counts.size)
            return counts.reshape(-1, 7)

        def theirs() -> np.ndarray:
            counts = np.zeros((window.size, 7))
            for row, feature in enumerate(exact_extract(path, cells, ["unique", "frac"])):
                codes, shares = (np.array(feature["properties"][name]) for name in ("unique", "frac"))
                np.add.at(counts[row], classify(codes.astype(np.uint8), "worldcover", str(path)).astype(int) - 1, shares)
            return counts

        def mode() -> np.ndarray:
            found = np.zeros((window.height, window.width), np.uint8)
            with rasterio.open(path) as file:
                reproject(rasterio.band(file, 1), found, dst_transform=place, dst_crs="EPSG:6933", resampling=Resampling.mode)
            return found

        def decode() -> np.ndarray:
            with rasterio.open(path) as file:
                return file.read(1)

        ours_is, theirs_is = ours().argmax(axis=1), theirs().argmax(axis=1)
        agreement = float((ours_is == theirs_is).mean())
        if agreement < SMALLEST_AGREEMENT:
            raise SystemExit(f"the most frequent classes agree in {agreement:.3f} of the cells only: nothing was measured")
        seconds = interleaved({"eartheye": ours, "exactextract": theirs, "gdal mode": mode, "decoding": decode})
    facts = {
        "megapixels": SIDE_PX**2 / 1e6,
        "cells": window.size,
        "seconds": seconds,
        "agreement": agreement,
        "times_exactextract": seconds["exactextract"] / seconds["eartheye"],
        "times_gdal_mode": seconds["gdal mode"] / seconds["eartheye"],
        "share_of_limit": seconds["decoding"] / seconds["eartheye"],
    }
    keep("zonal", facts, ("numpy", "rasterio", "exactextract"))


if __name__ == "__main__":
    main()
