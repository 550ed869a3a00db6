"""A small data folder that gives every kind of tile, and sites in it."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rasterio
import yaml
from PIL import Image
from rasterio.transform import from_origin
from rasterio.warp import transform

from components.tiler.config import TilerConfig
from eartheye.contracts import Catalogue, Sites
from eartheye.contracts.catalogue import ImagesEntry, SceneEntry
from eartheye.grid import EaseGrid
from eartheye.store import Folder

RGB = ("red", "green", "blue")
CRS, WEST, NORTH, GSD_M = "EPSG:32650", 500_000.0, 3_320_000.0, 10
CONFIG = TilerConfig(chip_px=64, part_tiles=4)
SITES = 6


def write_data(folder):
    """Write two acquisitions of 4 x 4 km, another scene that is covered whole, and three images; returns their catalogue."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    profile = {"crs": CRS, "transform": from_origin(WEST, NORTH, GSD_M, GSD_M), "dtype": "uint8", "count": 3}
    for name, side in (("spring.tif", 400), ("autumn.tif", 400), ("covered.tif", 192)):
        with rasterio.open(folder / name, "w", "GTiff", height=side, width=side, **profile) as file:
            file.write(rng.integers(1, 255, (3, side, side), np.uint8))
    for number in range(3):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(folder / "images" / f"{number}.png")
    catalogue = Catalogue(
        title="small",
        licence="CC0",
        attribution="nobody",
        scenes=(
            SceneEntry(path="spring.tif", sensor="rgb", bands=RGB, acquired=dt.date(2023, 4, 1)),
            SceneEntry(path="autumn.tif", sensor="rgb", bands=RGB, acquired=dt.date(2023, 10, 1)),
            SceneEntry(path="covered.tif", sensor="rgb", bands=RGB, cut="cover"),
        ),
        images=(ImagesEntry(path="images", sensor="web", bands=RGB),),
    )
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(catalogue.model_dump(mode="json", exclude_defaults=True)))
    return catalogue


def write_sites(folder: Folder) -> Folder:
    """Write sites whose tiles lie within the scenes."""
    grid = EaseGrid(1)
    cells = grid.cells(grid.window(117.0, 29.97, 117.045, 30.012)).ravel()
    x, y = (np.array(axis) for axis in transform("EPSG:4326", CRS, *grid.centre(cells)))
    cells = cells[(x > WEST + 500) & (x < WEST + 3500) & (y < NORTH - 500) & (y > NORTH - 3500)][:SITES]
    lon, lat = grid.centre(cells)
    with folder.create("sites.parquet") as file:
        pq.write_table(pa.table({"site": cells, "cell": cells, "lon": lon, "lat": lat}), file)
    Sites(made_from="x", table=folder.bulk("sites.parquet"), count=len(cells), strata=1, cell_km=1).finish(folder)
    return folder


def files_below(folder):
    """Return the content of each file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
