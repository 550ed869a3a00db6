"""Cells described by small rasters whose answer is known otherwise: counted by hand, by PROJ pixel for pixel, or by exactextract."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine
from exactextract import exact_extract

from components.sampler.cells import SCHEMA
from components.sampler.legend import LEGENDS
from eartheye.contracts import Cells
from eartheye.contracts.catalogue import LandCover
from eartheye.grid import EaseGrid
from eartheye.store import Folder
from tests.components.sampler_data import SHARES, Data, patches, plane_m, write


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


def cells_by_proj(shape, transform, crs):
    """The cell that PROJ puts each pixel's centre in."""
    grid = EaseGrid(1)
    column, row = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    x, y = pyproj.Transformer.from_crs(crs, "EPSG:6933", always_xy=True).transform(*(transform @ (column, row)))
    left, top = grid.upper_left_m
    return np.floor((top - y) / grid.cell_m).astype(int) * grid.columns + np.floor((x - left) / grid.cell_m).astype(int)


def count_by_hand(cover, transform, crs, cells, legend="worldcover"):
    """Shares by the cell that PROJ puts each pixel's centre in."""
    cell = cells_by_proj(cover.shape, transform, crs)
    land_class = np.vectorize({**LEGENDS[legend], 0: 0}.get)(cover)
    table = pd.crosstab(cell.ravel(), land_class.ravel()).reindex(index=cells, columns=range(1, 8), fill_value=0)
    return table.div(table.sum(axis=1), axis=0).to_numpy()


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32650", Affine(10, 0, 499_000, 0, -10, 3_321_000)),
        ("EPSG:4326", Affine(1e-4, 0, 116.985, 0, -9e-5, 30.03)),
        ("EPSG:32650", Affine(8, 6, 499_000, 6, -8, 3_320_000)),  # turned by 37 degrees
    ],
)
def test_ten_metre_pixels_are_counted_one_by_one(data, crs, transform):
    write(data.path / "cover.tif", data.cover, transform, crs, nodata=0)
    made, cells = data.aggregate()
    assert made.count == len(cells) > 20
    assert np.array_equal(cells[SHARES].to_numpy(), count_by_hand(data.cover, transform, crs, cells.cell).astype(np.float32))
    assert (cells.land_class == cells[SHARES].to_numpy().argmax(axis=1) + 1).all()


def test_pixels_aligned_with_the_grid_are_counted_exactly(data):
    grid = EaseGrid(1)
    window = grid.window(116.99, 29.98, 117.03, 30.02)
    side = 100
    cover = patches(window.height * side, window.width * side)
    left, top = grid.upper_left_m
    corner = left + window.column * grid.cell_m, top - window.row * grid.cell_m
    pixel = grid.cell_m / side
    write(data.path / "cover.tif", cover, Affine(pixel, 0, corner[0], 0, -pixel, corner[1]), "EPSG:6933")
    _, cells = data.aggregate()
    assert cells.cell.tolist() == grid.cells(window).ravel().tolist()
    blocks = cover.reshape(window.height, side, window.width, side).swapaxes(1, 2).reshape(window.size, -1)
    for number, share in enumerate(SHARES, 1):
        codes = [code for code, land_class in LEGENDS["worldcover"].items() if land_class == number]
        assert np.array_equal(cells[share].to_numpy(), (np.isin(blocks, codes).sum(axis=1) / side**2).astype(np.float32))


def test_coarse_pixels_count_by_the_area_they_have_in_a_cell(data):
    codes = np.arange(18, dtype=np.uint8)
    cover = patches(60, 70, codes=codes, side=1)
    write(data.path / "cover.tif", cover, Affine(0.05, 0, 115.5, 0, -0.05, 31.5), "EPSG:4326", nodata=255)
    data.write_regions([(1, "all", shapely.box(110, 20, 120, 40))])
    data.with_(land_cover=LandCover(path="cover.tif", legend="igbp"), cell_km=9)
    lon, lat = np.meshgrid(np.arange(40) * 0.1 + 115.45, 31.55 - np.arange(40) * 0.1)
    write(data.path / "dem.tif", plane_m(lon, lat).astype(np.float32), Affine(0.1, 0, 115.4, 0, -0.1, 31.6), "EPSG:4326")
    _, cells = data.aggregate()
    inside = cells[(cells.lon > 115.7) & (cells.lon < 118.8) & (cells.lat > 28.7) & (cells.lat < 31.3)]
    frame = gpd.GeoDataFrame(geometry=EaseGrid(9).polygon(inside.cell), crs="EPSG:4326")
    wanted = np.zeros((len(inside), 7))
    for row, feature in enumerate(exact_extract(data.path / "cover.tif", frame, ["unique", "frac"])):
        for code, share in zip(feature["properties"]["unique"], feature["properties"]["frac"], strict=True):
            wanted[row, LEGENDS["igbp"][int(code)] - 1] += share
    error = np.abs(inside[SHARES].to_numpy() - wanted)
    assert len(inside) > 500
    assert error.max() < 0.25
    assert error.mean() < 0.02


def test_where_land_cover_is_coarser_than_the_cell_its_class_at_the_centre_counts(data):
    cover = patches(10, 10, codes=np.array([1, 12, 13], np.uint8), side=1)
    write(data.path / "cover.tif", cover, Affine(0.05, 0, 116.9, 0, -0.05, 30.2), "EPSG:4326", nodata=255)
    data.with_(land_cover=LandCover(path="cover.tif", legend="igbp"))
    _, cells = data.aggregate(cell_km=1)
    at_centre = cover[((30.2 - cells.lat) // 0.05).astype(int), ((cells.lon - 116.9) // 0.05).astype(int)]
    assert (cells.land_class == [LEGENDS["igbp"][code] for code in at_centre]).all()
    assert set(np.unique(cells[SHARES])) == {0.0, 1.0}


def test_pixels_without_data_do_not_count_and_cells_without_any_are_left_out(data):
    cover = data.cover.copy()
    cover[:, :300] = 0
    write(data.path / "cover.tif", cover, data.cover_transform, "EPSG:32650", nodata=0)
    made, cells = data.aggregate()
    whole = count_by_hand(data.cover, data.cover_transform, "EPSG:32650", np.unique(cells.cell))
    east = cells.lon > 117.03
    assert np.array_equal(cells[SHARES].to_numpy()[east], whole[east].astype(np.float32))
    assert made.left_out["without land cover"] > 0
    assert cells[SHARES].sum(axis=1).to_numpy() == pytest.approx(1)


def test_elevation_is_the_mean_of_a_cells_pixels(data):
    rng = np.random.default_rng(0)
    heights = (data.write_plane(0.001, 300, 300) + rng.normal(0, 20, (300, 300))).astype(np.float32)
    transform = Affine(0.001, 0, 116.9, 0, -0.001, 30.1)
    write(data.path / "dem.tif", heights, transform, "EPSG:4326")
    _, cells = data.aggregate()
    mean = pd.Series(heights.ravel().astype(float)).groupby(cells_by_proj(heights.shape, transform, "EPSG:4326").ravel()).mean()
    assert cells.elevation_m.to_numpy() == pytest.approx(mean[cells.cell].to_numpy(), abs=1e-3)


def test_where_the_dem_is_coarser_than_the_cell_it_is_interpolated_at_the_centre(data):
    data.write_plane(0.02, 15, 15)
    _, cells = data.aggregate()
    assert cells.elevation_m.to_numpy() == pytest.approx(plane_m(cells.lon, cells.lat).to_numpy(), abs=0.01)


@pytest.mark.parametrize("step_deg", [0.001, 0.02])
def test_holes_of_the_dem_do_not_count(data, step_deg):
    side = round(0.3 / step_deg)
    heights = data.write_plane(step_deg, side, side)
    heights[::2, ::3] = np.nan
    heights[1::2, 1::3] = -9999
    write(data.path / "dem.tif", heights, Affine(step_deg, 0, 116.9, 0, -step_deg, 30.1), "EPSG:4326", nodata=-9999)
    _, cells = data.aggregate()
    assert cells.elevation_m.to_numpy() == pytest.approx(plane_m(cells.lon, cells.lat).to_numpy(), abs=6)


def test_a_dem_that_ends_within_the_area_leaves_cells_out_and_says_how_many(data):
    write(data.path / "dem.tif", np.ones((300, 120), np.float32), Affine(0.001, 0, 116.9, 0, -0.001, 30.1), "EPSG:4326")
    made, cells = data.aggregate()
    assert cells.lon.max() < 117.03
    assert made.left_out == {"without elevation": made.left_out["without elevation"]}
    assert made.left_out["without elevation"] > 5


def test_a_cell_has_the_region_of_its_centre(data):
    made, cells = data.aggregate()
    assert (cells.region == np.where(cells.lon < 117.02, 1, 2)).all()
    assert made.regions == {1: "West", 2: "East"}


def test_cells_outside_every_region_are_left_out(data):
    data.write_regions([(7, "East", shapely.box(117.02, 29, 118, 31)), (8, "Far", shapely.box(0, 0, 1, 1))])
    made, cells = data.aggregate()
    assert cells.lon.min() > 117.02
    assert made.regions == {1: "East"}
    assert made.left_out["in no region"] > 5


def test_polygons_of_one_name_are_one_region_and_a_placeholder_parts_them(data):
    west, middle, east = (shapely.box(116 + a, 29, 116 + b, 31) for a, b in ((0, 1.01), (1.01, 1.02), (1.02, 2)))
    data.write_regions([("-99", "One", west), ("-99", None, middle), ("-99", "One", east)])
    made, cells = data.aggregate()
    assert made.regions == {1: "One", 2: "-99"}
    assert (cells.region == np.where((cells.lon > 117.01) & (cells.lon < 117.02), 2, 1)).all()


def test_regions_may_have_another_reference_system(data):
    border = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32650", always_xy=True).transform(117.02, 30)[0]
    west, east = shapely.box(480_000, 3_300_000, border, 3_340_000), shapely.box(border, 3_300_000, 520_000, 3_340_000)
    data.write_regions([(1, "West", west), (2, "East", east)], crs="EPSG:32650")
    _, cells = data.aggregate()
    assert (cells.region == np.where(cells.lon < 117.02, 1, 2)).all()


def test_the_table_is_as_the_contract_says(data):
    made, cells = data.aggregate()
    assert made == Cells.read(Folder(data.path / "cells"))
    assert list(cells.columns) == SCHEMA.names
    assert cells.cell.is_monotonic_increasing
    assert cells.cell.is_unique
    lon, lat = EaseGrid(1).centre(cells.cell)
    assert np.array_equal(cells[["lon", "lat"]].to_numpy(), np.stack([lon, lat], axis=1))
    outline = rasterio.open(data.path / "cover.tif").bounds
    x, y = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32650", always_xy=True).transform(lon, lat)
    assert ((x > outline.left) & (x < outline.right) & (y > outline.bottom) & (y < outline.top)).all()


def test_cells_with_too_little_land_are_left_out(data):
    cover = np.full((500, 600), 80, np.uint8)
    cover[:, :205] = 10
    write(data.path / "cover.tif", cover, data.cover_transform, "EPSG:32650", nodata=0)
    _, everything = data.aggregate("all")
    made, cells = data.aggregate("land", min_land_share=0.3)
    assert set(cells.cell) == set(everything.cell[everything.share_4 <= 0.7])
    assert made.left_out == {"less than 30% land": len(everything) - len(cells)}
