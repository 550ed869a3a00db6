"""A small data folder whose cells are known otherwise, and how it is written."""

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from affine import Affine

from components.sampler.config import CellsConfig
from components.sampler.run import aggregate_cells
from eartheye.contracts import Catalogue
from eartheye.contracts.catalogue import Elevation, LandCover, Regions
from eartheye.store import Folder

CODES = np.array([10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100], np.uint8)
SHARES = [f"share_{number}" for number in range(1, 8)]


def write(path, pixels, transform, crs, **profile):
    pixels = pixels if pixels.ndim == 3 else pixels[None]
    count, height, width = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=count, dtype=pixels.dtype, crs=crs, transform=transform, **profile
    ) as file:
        file.write(pixels)


def patches(height, width, seed=0, codes=CODES, side=7):
    """Codes in square patches, so that a cell has several."""
    coarse = np.random.default_rng(seed).choice(codes, (height // side + 1, width // side + 1))
    return np.kron(coarse, np.ones((side, side), codes.dtype))[:height, :width]


def plane_m(lon, lat):
    """An elevation that rises evenly to the north and the east."""
    return 100 + 400 * (lon - 116.9) + 200 * (lat - 29.9)


class Data:
    """A data folder around 117 E 30 N: land cover of 10 m in UTM, a DEM of 0.001 degrees, two regions parted at 117.02 E."""

    def __init__(self, path):
        self.path = path
        self.cover = patches(500, 600)
        self.cover_transform = Affine(10, 0, 499_000, 0, -10, 3_321_000)
        write(path / "cover.tif", self.cover, self.cover_transform, "EPSG:32650", nodata=0)
        self.write_plane(0.001, 300, 300)
        self.write_regions([(1, "West", shapely.box(116, 29, 117.02, 31)), (2, "East", shapely.box(117.02, 29, 118, 31))])
        self.catalogue = Catalogue(
            title="test",
            licence="CC0",
            attribution="nobody",
            land_cover=LandCover(path="cover.tif", legend="worldcover"),
            elevation=Elevation(path="dem.tif"),
            regions=Regions(path="regions.gpkg", id="number", name="title"),
        )

    def write_plane(self, step_deg, height, width, **profile):
        lon, lat = 116.9 + (np.arange(width) + 0.5) * step_deg, 30.1 - (np.arange(height) + 0.5) * step_deg
        heights = plane_m(lon[None, :], lat[:, None]).astype(np.float32)
        write(self.path / "dem.tif", heights, Affine(step_deg, 0, 116.9, 0, -step_deg, 30.1), "EPSG:4326", **profile)
        return heights

    def write_regions(self, rows, crs="EPSG:4326", columns=("number", "title")):
        frame = {name: [row[i] for row in rows] for i, name in enumerate(columns)}
        (self.path / "regions.gpkg").unlink(missing_ok=True)
        gpd.GeoDataFrame(frame, geometry=[row[2] for row in rows], crs=crs).to_file(self.path / "regions.gpkg")

    def with_(self, **entries):
        self.catalogue = Catalogue.model_validate(self.catalogue.model_dump() | entries)
        return self

    def aggregate(self, name="cells", **config):
        folder = Folder(self.path / name)
        made = aggregate_cells(str(self.path), self.catalogue, CellsConfig(**{"min_land_share": 0.0} | config), folder)
        return made, pd.read_parquet(self.path / name / "cells.parquet")
