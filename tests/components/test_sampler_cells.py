"""Cells described by small rasters whose answer is known otherwise: counted by hand, by PROJ pixel for pixel, or by exactextract."""

import resource
from contextlib import contextmanager

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import rasterio
import shapely
import yaml
from affine import Affine
from exactextract import exact_extract
from structlog.testing import capture_logs

import components.sampler.run
import components.sampler.zonal
from components.sampler.cells import SCHEMA
from components.sampler.component import aggregator
from components.sampler.config import CellsConfig
from components.sampler.legend import LEGENDS, classify
from components.sampler.run import aggregate_cells
from eartheye.contracts import LAND_CLASSES, Catalogue, Cells
from eartheye.contracts.catalogue import Elevation, LandCover, Regions, SceneEntry
from eartheye.errors import (
    ConflictingOutput,
    EmptyArea,
    InvalidCatalogue,
    MissingCrs,
    StoreFull,
    UnknownLandCover,
    UnreadableRaster,
    WrongBands,
)
from eartheye.grid import EaseGrid
from eartheye.store import Folder

CODES = np.array([10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100], np.uint8)
SHARES = [f"share_{number}" for number in range(1, 8)]
TO_6933 = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)


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


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path)


def count_by_hand(cover, transform, crs, cells, legend="worldcover"):
    """Shares by the cell that PROJ puts each pixel's centre in."""
    grid = EaseGrid(1)
    column, row = np.meshgrid(np.arange(cover.shape[1]) + 0.5, np.arange(cover.shape[0]) + 0.5)
    x, y = transform @ (column, row)
    x, y = pyproj.Transformer.from_crs(crs, "EPSG:6933", always_xy=True).transform(x, y)
    left, top = grid.upper_left_m
    cell = np.floor((top - y) / grid.cell_m).astype(int) * grid.columns + np.floor((x - left) / grid.cell_m).astype(int)
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
    write(data.path / "dem.tif", heights, Affine(0.001, 0, 116.9, 0, -0.001, 30.1), "EPSG:4326")
    _, cells = data.aggregate()
    lon, lat = np.meshgrid(116.9 + (np.arange(300) + 0.5) / 1000, 30.1 - (np.arange(300) + 0.5) / 1000)
    mean = pd.Series(heights.ravel().astype(float)).groupby(EaseGrid(1).cell_at(lon.ravel(), lat.ravel())).mean()
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


def test_strips_and_chunks_change_nothing(data, monkeypatch):
    whole, _ = data.aggregate("whole")
    monkeypatch.setattr(components.sampler.run, "STRIP_CELLS", 7)
    monkeypatch.setattr(components.sampler.zonal, "CHUNK_PARTS", 1000)
    parts, table = data.aggregate("parts")
    assert table.equals(pd.read_parquet(data.path / "whole" / "cells.parquet"))
    assert (parts.count, parts.left_out) == (whole.count, whole.left_out)


def test_longitudes_from_0_to_360_are_the_same_ground(data):
    codes = patches(180, 360, codes=np.arange(17, dtype=np.uint8), side=3)
    heights = np.random.default_rng(0).normal(500, 100, (90, 180)).astype(np.float32)
    data.write_regions([(1, "World", shapely.box(-180, -90, 180, 90))])
    data.with_(land_cover=LandCover(path="cover.tif", legend="igbp"), cell_km=36)
    tables = []
    for name, west in (("from-180", -180), ("from-0", 0)):
        turn = 0 if west else 1
        write(data.path / "cover.tif", np.roll(codes, 180 * turn, axis=1), Affine(1, 0, west, 0, -1, 90), "EPSG:4326", nodata=255)
        write(data.path / "dem.tif", np.roll(heights, 90 * turn, axis=1), Affine(2, 0, west, 0, -2, 90), "EPSG:4326")
        tables.append(data.aggregate(name)[1])
    one, other = tables
    assert len(one) == 964 * 406
    pd.testing.assert_frame_equal(one.drop(columns="elevation_m"), other.drop(columns="elevation_m"))
    away = ((one.lon.abs() > 1) & (one.lon.abs() < 179)).to_numpy()  # the seam of a raster has neighbours on one side only
    assert one.elevation_m[away].to_numpy() == pytest.approx(other.elevation_m[away].to_numpy(), abs=1e-2)


def scene(data, name, west_m, north_m, side_px, **entry):
    write(data.path / name, np.ones((3, side_px, side_px), np.uint8), Affine(10, 0, west_m, 0, -10, north_m), "EPSG:32650")
    return SceneEntry(path=name, sensor="rgb", bands=("red", "green", "blue"), **entry)


def test_footprints_narrow_the_area_to_the_scenes_that_are_cut_at_sites(data):
    scenes = (
        scene(data, "a.tif", 500_000, 3_320_000, 200),
        scene(data, "b.tif", 501_000, 3_320_000, 200),
        scene(data, "covered.tif", 499_000, 3_318_000, 200, cut="cover"),
    )
    _, everywhere = data.aggregate("everywhere")
    made, cells = data.with_(scenes=scenes).aggregate("footprints", area="footprints")
    x, y = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32650", always_xy=True).transform(everywhere.lon, everywhere.lat)
    inside = (x > 500_000) & (x < 503_000) & (y > 3_318_000) & (y < 3_320_000)
    pd.testing.assert_frame_equal(cells, everywhere[inside].reset_index(drop=True))
    assert (made.count, made.left_out) == (inside.sum(), {})


def test_a_corrupt_scene_is_told_of_and_leaves_the_others(data):
    scenes = (scene(data, "a.tif", 500_000, 3_320_000, 300), scene(data, "corrupt.tif", 500_000, 3_318_000, 300))
    (data.path / "corrupt.tif").write_bytes(b"II*\0")
    with capture_logs() as logs:
        made, _ = data.with_(scenes=scenes).aggregate(area="footprints")
    assert made.count > 0
    assert [(log["log_level"], log["scene"]) for log in logs] == [("warning", "corrupt.tif")]


def test_without_a_scene_there_are_no_footprints(data):
    with pytest.raises(EmptyArea, match="no readable scene with cut: sites"):
        data.aggregate(area="footprints")


def test_scenes_beside_the_land_cover_are_refused(data):
    with pytest.raises(EmptyArea, match="outside the land cover"):
        data.with_(scenes=(scene(data, "a.tif", 600_000, 3_320_000, 200),)).aggregate(area="footprints")


def test_a_footprint_between_the_centres_of_cells_is_refused(data):
    with pytest.raises(EmptyArea, match="the area holds no cell's centre"):
        data.with_(scenes=(scene(data, "a.tif", 500_100, 3_319_900, 3),)).aggregate(area="footprints")
    assert not (data.path / "cells" / "cells.parquet").exists()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_codes_that_the_legend_does_not_name_are_refused_by_number(data, dtype):
    cover = data.cover.astype(dtype)
    cover[250, 300], cover[251, 300] = 37, 99
    write(data.path / "cover.tif", cover, data.cover_transform, "EPSG:32650", nodata=0)
    with pytest.raises(UnknownLandCover, match=r"cover.tif has codes 37(\.0)?, 99(\.0)?, which the legend 'worldcover' does not name"):
        data.aggregate()
    assert not Folder(data.path / "cells").exists("manifest.json")


@pytest.mark.parametrize("code", [-1, 266, 300, 10.5])
def test_codes_beyond_a_byte_are_not_taken_for_others(code):
    with pytest.raises(UnknownLandCover, match=f"codes {code}"):
        classify(np.array([10, code], np.float64), "worldcover", "a.tif")


def test_every_class_can_be_met_in_every_legend():
    for codes in LEGENDS.values():
        assert set(codes.values()) == set(range(1, len(LAND_CLASSES) + 1))


def test_land_cover_without_a_reference_system_is_refused_unless_the_catalogue_gives_one(data):
    lon_lat = Affine(1e-4, 0, 116.985, 0, -9e-5, 30.03)
    write(data.path / "cover.tif", data.cover, lon_lat, "+proj=longlat +ellps=clrk66", nodata=0)
    with pytest.raises(MissingCrs, match="give its `crs`"):
        data.aggregate()
    made, _ = data.with_(land_cover=LandCover(path="cover.tif", legend="worldcover", crs="EPSG:4326")).aggregate()
    assert made.count > 20


def test_a_truncated_layer_is_refused(data):
    path = data.path / "cover.tif"
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(UnreadableRaster, match="truncated or corrupt"):
        data.aggregate()
    assert list((data.path / "cells").iterdir()) == []


@pytest.mark.parametrize("name", ["cover.tif", "dem.tif"])
def test_a_layer_of_several_bands_is_refused(data, name):
    write(data.path / name, np.ones((3, 50, 50), np.uint8), data.cover_transform, "EPSG:32650")
    with pytest.raises(WrongBands, match=f"{name} has 3 bands, 1 were named"):
        data.aggregate()


def test_regions_without_a_reference_system_or_polygon_or_column_are_refused(data):
    box = shapely.box(116, 29, 118, 31)
    data.write_regions([(1, "a", box)], crs=None)
    with pytest.raises(MissingCrs, match=r"regions\.gpkg has no known reference system"):
        data.aggregate()
    data.write_regions([(1, "a", None)])
    with pytest.raises(EmptyArea, match="has no polygon"):
        data.aggregate()
    data.write_regions([(1, "a", box)], columns=("number", "label"))
    with pytest.raises(InvalidCatalogue, match="has no column title, it has number, label, geometry"):
        data.aggregate()
    (data.path / "regions.gpkg").write_bytes(b"no regions")
    with pytest.raises(InvalidCatalogue, match="cannot be read as regions"):
        data.aggregate()


def test_an_area_without_a_region_is_empty(data):
    data.write_regions([(1, "Far", shapely.box(0, 0, 1, 1))])
    with pytest.raises(EmptyArea, match=r"no cell of 1 km is left to draw from \(30 in no region\)"):
        data.aggregate()
    assert list((data.path / "cells").iterdir()) == []


@pytest.mark.parametrize("name", ["land_cover", "elevation", "regions"])
def test_a_layer_that_is_not_named_or_not_there_is_refused(data, name):
    (data.path / getattr(data.catalogue, name).path).unlink()
    with pytest.raises(InvalidCatalogue, match=f"which is not in {data.path}"):
        data.aggregate()
    with pytest.raises(InvalidCatalogue, match=f"names no {name}"):
        data.with_(**{name: None}).aggregate()


def test_a_finished_folder_is_returned_untouched(data):
    first, _ = data.aggregate()
    written = (data.path / "cells" / "cells.parquet").stat().st_mtime_ns
    assert data.aggregate()[0] == first
    assert (data.path / "cells" / "cells.parquet").stat().st_mtime_ns == written


def test_other_data_or_configuration_does_not_overwrite(data):
    data.aggregate()
    with pytest.raises(ConflictingOutput):
        data.aggregate(min_land_share=0.5)
    with pytest.raises(ConflictingOutput):
        data.with_(cell_km=3).aggregate()
    data.with_(cell_km=1).write_plane(0.001, 310, 300)
    with pytest.raises(ConflictingOutput):
        data.aggregate()


@contextmanager
def file_size_limit(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_that_looks_finished(data):
    with file_size_limit(3000), pytest.raises(StoreFull):
        data.aggregate()
    assert list((data.path / "cells").iterdir()) == []
    assert data.aggregate()[0].count > 0


def test_the_kubeflow_face_reads_the_catalogue_and_does_the_same(data):
    made, _ = data.aggregate()
    (data.path / "catalogue.yaml").write_text(yaml.safe_dump(data.catalogue.model_dump(mode="json", exclude_defaults=True)))
    face, config = str(data.path / "face"), {"min_land_share": 0.0}
    assert aggregator.python_func(data=str(data.path), catalogue=str(data.path / "catalogue.yaml"), config=config, cells=face) == face
    assert Cells.read(Folder(face)) == made


@pytest.mark.server
def test_a_data_folder_in_a_bucket_gives_the_same_cells(data, s3_bucket):
    made, _ = data.aggregate()
    remote = Folder(f"{s3_bucket}/data")
    for name in ("cover.tif", "dem.tif", "regions.gpkg"):
        remote.upload(name, data.path / name)
    assert aggregate_cells(remote.root, data.catalogue, CellsConfig(min_land_share=0.0), remote / "cells") == made
