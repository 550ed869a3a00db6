import datetime as dt

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform

from components.tiler.config import TilerConfig
from components.tiler.run import cut_tiles
from eartheye.contracts import Catalogue, Sites
from eartheye.contracts.catalogue import SceneEntry
from eartheye.errors import ConflictingOutput, InvalidCatalogue, InvalidConfig, NewerManifest, NotEnoughTiles, TargetTooLarge
from eartheye.grid import EaseGrid
from eartheye.store import Folder
from eartheye.tiles import SplitConfig, TileSet, split

CRS, WEST, NORTH = "EPSG:32650", 500_000.0, 3_320_000.0
RGB = ("red", "green", "blue")
CONFIG = TilerConfig(chip_px=64, part_tiles=6)


def ground(rows, columns, channel):
    """What stands at a metre east and south of the corner, so that a pixel tells its place."""
    return ((rows[:, None] * 7 + columns[None, :] * 13 + channel * 29) % 251 + 1).astype(np.uint8)


def write_scene(path, *, east=0.0, south=0.0, size=(2400, 2400), dtype="uint8", bands=3, crs=CRS, change=lambda p: p, **profile):
    """A scene of 1 m, some metres east and south of the corner."""
    rows, columns = np.arange(size[0]) + south, np.arange(size[1]) + east
    pixels = change(np.stack([ground(rows, columns, channel) for channel in range(bands)]).astype(dtype))
    shape = {"count": bands, "height": size[0], "width": size[1], "dtype": dtype, "crs": crs}
    where = from_origin(WEST + east, NORTH - south, 1, 1)
    with rasterio.open(path, "w", "GTiff", transform=where, tiled=True, blockxsize=256, blockysize=256, **shape, **profile) as file:
        file.write(pixels)


def entry(path, month=2, **fields):
    quarter = f"2023Q{(month + 2) // 3}"
    return SceneEntry(**{"path": path, "sensor": "rgb", "bands": RGB, "acquired": dt.date(2023, month, 1), "quarter": quarter} | fields)


def catalogue(*scenes, **fields):
    return Catalogue(title="t", licence="CC0", attribution="nobody", scenes=scenes, **fields)


def write_sites(folder, cells=None):
    """A site in each cell whose centre is in the scene of 2400 m, or in the cells given."""
    grid = EaseGrid(1)
    if cells is None:
        cells = grid.cells(grid.window(117.0, 29.988, 117.025, 30.009)).ravel()
        x, y = (np.array(axis) for axis in transform("EPSG:4326", CRS, *grid.centre(cells)))
        cells = cells[(x > WEST) & (x < WEST + 2400) & (y < NORTH) & (y > NORTH - 2400)]
    lon, lat = grid.centre(np.asarray(cells, np.int64))
    with folder.create("sites.parquet") as file:
        pq.write_table(pa.table({"site": np.asarray(cells, np.int64), "cell": np.asarray(cells, np.int64), "lon": lon, "lat": lat}), file)
    return Sites(made_from="x", table=folder.bulk("sites.parquet"), count=len(cells), strata=1, cell_km=1).finish(folder)


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def sites(tmp_path):
    folder = Folder(tmp_path / "sites")
    write_sites(folder)
    return folder


def cut(data, given, sites, tmp_path, config=CONFIG):
    cut_tiles(str(data), given, sites, config, Folder(tmp_path / "tiles"))
    return TileSet(Folder(tmp_path / "tiles"))


def test_a_site_s_acquisitions_share_the_first_one_s_pixels(data, sites, tmp_path):
    write_scene(data / "q3.tif")
    write_scene(data / "q1.tif", east=-37, south=12, size=(2380, 2440))
    tiles = cut(data, catalogue(entry("q3.tif", 8), entry("q1.tif", 2)), sites, tmp_path)
    of_site = {site: rows for site, rows in tiles.cut.groupby("site") if len(rows) == 2}
    assert len(of_site) >= 4
    for rows in of_site.values():
        assert rows["source"].tolist() == ["q1.tif", "q3.tif"]
        assert rows["transform"].iloc[0].tolist() == rows["transform"].iloc[1].tolist()
        first, second = (tiles.image(tile) for tile in rows["tile"])
        both = first[1] & second[1]
        assert both.mean() > 0.9
        assert np.array_equal(first[0][:, both], second[0][:, both])


def test_a_tile_is_centred_on_its_site_and_shows_what_is_there(data, sites, tmp_path):
    write_scene(data / "q1.tif")
    tiles = cut(data, catalogue(entry("q1.tif")), sites, tmp_path)
    row = tiles.cut.iloc[0]
    where = Affine(*row["transform"])
    (lon,), (lat,) = EaseGrid(1).centre([row["site"]])
    (x,), (y,) = transform("EPSG:4326", CRS, [lon], [lat])
    column, line = ~where @ (x, y)
    assert (int(column), int(line)) == (32, 32)
    pixels, valid = tiles.image(row["tile"])
    assert valid.all()
    assert np.array_equal(pixels[1], ground(np.arange(64) + NORTH - where.f, np.arange(64) + where.c - WEST, 1))
    footprint = geopandas.read_parquet(tmp_path / "tiles" / "tiles.parquet").geometry.iloc[row["tile"]]
    assert footprint.centroid.distance(shapely.Point(lon, lat)) < 1e-5


def test_an_acquisition_between_the_pixels_is_resampled_onto_them(data, sites, tmp_path):
    def slope(pixels):  # 2 per metre eastward, so that half a metre is 1
        return np.broadcast_to((np.arange(pixels.shape[2]) % 100 * 2).astype(np.uint8), pixels.shape).copy()

    write_scene(data / "q1.tif", change=slope)
    write_scene(data / "q2.tif", east=0.5, change=slope)
    tiles = cut(data, catalogue(entry("q1.tif", 2), entry("q2.tif", 5)), sites, tmp_path)
    rows = next(rows for _, rows in tiles.cut.groupby("site") if len(rows) == 2)
    first, second = (tiles.image(tile)[0][0].astype(int) for tile in rows["tile"])
    climbing = (first > 4) & (first < 190)
    assert (first - second)[climbing].mean() == pytest.approx(1.0, abs=0.05)


def test_tiles_of_a_site_follow_each_other_and_are_in_one_shard(data, sites, tmp_path):
    for month in (2, 5, 8, 11):
        write_scene(data / f"{month}.tif")
    tiles = cut(data, catalogue(*(entry(f"{month}.tif", month) for month in (11, 8, 5, 2))), sites, tmp_path)
    assert (tiles.cut.groupby("site")["shard"].nunique() == 1).all()
    assert tiles.cut["site"].tolist() == np.repeat(tiles.cut["site"].unique(), 4).tolist()
    assert tiles.cut["quarter"].tolist()[:4] == ["2023Q1", "2023Q2", "2023Q3", "2023Q4"]
    assert tiles.manifest.shards[0].name == "parts/00000/shard-0000.lmdb"


def test_sites_of_a_block_of_cells_are_one_group_whatever_the_sensor(data, sites, tmp_path):
    write_scene(data / "a.tif")
    write_scene(data / "b.tif", bands=1)
    pan = entry("b.tif", sensor="pan", bands=("pan",), channels=("pan", "pan", "pan"))
    tiles = cut(data, catalogue(entry("a.tif"), pan), sites, tmp_path)
    assert (tiles.cut.groupby("site")["group"].nunique() == 1).all()
    assert 1 < tiles.cut["group"].nunique() < tiles.cut["site"].nunique()
    assert tiles.channels(int(tiles.cut[tiles.cut["sensor"] == "pan"]["tile"].iloc[0])).shape == (3, 64, 64)


@pytest.mark.parametrize(
    ("crs", "where"),
    [("EPSG:4326", from_origin(180 - 0.012, 0.912, 1e-5, 1e-5)), ("EPSG:32601", from_origin(166_063 - 1200, 101_200, 1, 1))],
)
def test_sites_on_either_side_of_180_degrees_are_cut(data, tmp_path, crs, where):
    write_scene(data / "q1.tif", crs=crs)
    with rasterio.open(data / "q1.tif", "r+") as file:
        file.transform = where
    grid, sites = EaseGrid(1), Folder(tmp_path / "sites")
    cells = np.concatenate([grid.cells(grid.window(west, 0.896, west + 0.009, 0.909)).ravel() for west in (179.991, -180.0)])
    write_sites(sites, cells)
    tiles = cut(data, catalogue(entry("q1.tif")), sites, tmp_path)
    assert tiles.index["rejected"].isna().all()
    assert sorted(tiles.index["site"]) == sorted(cells)
    footprints = geopandas.read_parquet(tmp_path / "tiles" / tiles.manifest.index.name).geometry
    assert set(footprints.bounds.eval("maxx - minx < 0.001")) == {True}


def test_a_site_that_no_scene_shows_is_listed(data, tmp_path):
    write_scene(data / "q1.tif")
    grid, sites = EaseGrid(1), Folder(tmp_path / "away")
    here, away = (int(grid.cells(grid.window(lon, 30.0, lon + 1e-6, 30.000001)).item()) for lon in (117.01, 120.0))
    write_sites(sites, [here, away])
    tiles = cut(data, catalogue(entry("q1.tif")), sites, tmp_path)
    assert tiles.index["rejected"].tolist() == [None, "no coverage"]
    assert tiles.index["site"].tolist() == [here, away]
    assert (tiles.manifest.count, tiles.manifest.rejected) == (1, 1)


def test_a_truncated_scene_is_rejected_site_by_site_and_the_rest_is_cut(data, sites, tmp_path):
    write_scene(data / "q1.tif", compress="deflate", copy_src_overviews=False)
    write_scene(data / "q2.tif")
    whole = (data / "q2.tif").read_bytes()
    (data / "q2.tif").write_bytes(whole[: len(whole) // 20])  # GDAL writes the directory before the pixels here
    tiles = cut(data, catalogue(entry("q1.tif", 2), entry("q2.tif", 5)), sites, tmp_path)
    bad = tiles.index[tiles.index["source"] == "q2.tif"]
    assert len(bad) == (tiles.index["source"] == "q1.tif").sum()
    assert bad["rejected"].str.startswith("unreadable: q2.tif cannot be read").all()
    assert tiles.cut["source"].unique().tolist() == ["q1.tif"]


def test_scenes_that_cannot_be_opened_or_do_not_fit_are_listed_with_the_reason(data, sites, tmp_path):
    write_scene(data / "good.tif")
    write_scene(data / "nocrs.tif", crs=None)
    write_scene(data / "bands.tif", bands=5)
    write_scene(data / "type.tif", dtype="uint16")
    write_scene(data / "double.tif", dtype="float64")
    (data / "text.tif").write_text("no raster")
    names = ["good", "nocrs", "bands", "type", "double", "text"]
    tiles = cut(data, catalogue(*(entry(f"{name}.tif") for name in names)), sites, tmp_path)
    rejected = tiles.index.dropna(subset="rejected").set_index("source")["rejected"].str.partition(":")[0]
    assert rejected.to_dict() == {
        "nocrs.tif": "no reference system",
        "bands.tif": "wrong bands",
        "type.tif": "wrong type",
        "double.tif": "wrong type",
        "text.tif": "unreadable",
    }
    assert tiles.cut["source"].unique().tolist() == ["good.tif"]
    assert (tiles.index.dropna(subset="rejected")["site"] < 0).all()


@pytest.mark.parametrize("how", ["cover", "sites"])
def test_scenes_that_lie_nowhere_on_earth_are_listed_with_the_reason_and_the_rest_is_cut(data, sites, tmp_path, how):
    write_scene(data / "good.tif")
    wrong = {
        "flat.tif": Affine(1, 0, WEST, 0, 0, NORTH),
        "nan.tif": Affine(1, 0, np.nan, 0, -1, NORTH),
        "far.tif": from_origin(1e12, 0, 1, 1),
    }
    for name, where in wrong.items():
        write_scene(data / name, size=(128, 128))
        with rasterio.open(data / name, "r+") as file:
            file.transform = where
    stand_ins = {"degrees.tif": "EPSG:4326", "heights.tif": "EPSG:5773"}
    for name in stand_ins:
        write_scene(data / name, size=(128, 128), crs=None)
    bad = [*(entry(name, cut=how) for name in wrong), *(entry(name, cut=how, crs=crs, gsd_m=1.0) for name, crs in stand_ins.items())]
    tiles = cut(data, catalogue(entry("good.tif"), *bad), sites, tmp_path)
    rejected = tiles.index.dropna(subset="rejected").set_index("source")["rejected"]
    assert rejected.str.partition(":")[0].to_dict() == dict.fromkeys([*wrong, *stand_ins], "no reference system")
    assert "degrees.tif lies nowhere on Earth under EPSG:4326" in rejected["degrees.tif"]
    assert tiles.cut["source"].unique().tolist() == ["good.tif"]


def test_a_reference_system_that_a_scene_lacks_is_given_in_the_catalogue(data, sites, tmp_path):
    write_scene(data / "nocrs.tif", crs=None)
    tiles = cut(data, catalogue(entry("nocrs.tif", crs=CRS)), sites, tmp_path)
    assert len(tiles.cut) > 0
    assert tiles.cut["crs"].unique().tolist() == [CRS]


def test_nodata_and_nan_are_not_valid_and_count_in_no_statistics(data, sites, tmp_path):
    def holed(pixels):
        pixels[:, :, ::4] = -9999
        pixels[0, ::5] = np.nan
        return pixels

    write_scene(data / "f.tif", dtype="float32", change=holed, nodata=-9999)
    tiles = cut(data, catalogue(entry("f.tif")), sites, tmp_path)
    row = tiles.cut.iloc[0]
    _, valid = tiles.image(row["tile"])
    columns, lines = np.arange(64) + row["transform"][2] - WEST, np.arange(64) + NORTH - row["transform"][5]
    assert np.array_equal(valid, (lines % 5 != 0)[:, None] & (columns % 4 != 0)[None, :])
    assert row["valid"] == pytest.approx(valid.mean())
    every = np.concatenate([tiles.image(tile)[0][:, tiles.image(tile)[1]] for tile in tiles.cut["tile"]], axis=1)
    assert tiles.sensors["rgb"].mean == pytest.approx(every.mean(axis=1, dtype=np.float64))
    assert tiles.sensors["rgb"].std == pytest.approx(every.std(axis=1, dtype=np.float64))
    assert np.isfinite(tiles.channels(row["tile"])).all()


def test_tiles_with_too_little_data_are_rejected_with_their_share(data, sites, tmp_path):
    def half(pixels):
        pixels[:, :1200] = 0
        return pixels

    write_scene(data / "q1.tif", change=half, nodata=0)
    tiles = cut(data, catalogue(entry("q1.tif")), sites, tmp_path)
    rejected = tiles.index[tiles.index["rejected"].notna()]
    assert set(rejected["rejected"]) <= {"no data", "too little valid"}
    assert (rejected["valid"] < 0.5).all()
    assert "no data" in set(rejected["rejected"])
    assert (tiles.cut["valid"] >= 0.5).all()


def test_statistics_are_those_of_all_pixels(data, sites, tmp_path):
    write_scene(data / "q1.tif")
    tiles = cut(data, catalogue(entry("q1.tif")), sites, tmp_path)
    every = np.concatenate([tiles.image(tile)[0].reshape(3, -1) for tile in tiles.cut["tile"]], axis=1).astype(np.float64)
    assert np.allclose(tiles.sensors["rgb"].mean, every.mean(axis=1), rtol=1e-13)
    assert np.allclose(tiles.sensors["rgb"].std, every.std(axis=1), rtol=1e-12)
    normalised = np.concatenate([tiles.channels(tile).reshape(3, -1) for tile in tiles.cut["tile"]], axis=1)
    assert np.allclose(normalised.mean(axis=1), 0, atol=1e-5)
    assert np.allclose(normalised.std(axis=1), 1, atol=1e-5)


def test_a_covered_scene_is_cut_whole_without_a_gap(data, tmp_path):
    write_scene(data / "c.tif", size=(199, 150))
    tiles = cut(data, catalogue(entry("c.tif", cut="cover")), None, tmp_path)
    seen = np.zeros((199, 150), int)
    for row in tiles.cut.itertuples():
        column, line = int(row.transform[2] - WEST), int(NORTH - row.transform[5])
        seen[line : line + 64, column : column + 64] += 1
        assert np.array_equal(tiles.image(row.tile)[0][0], ground(np.arange(64) + line, np.arange(64) + column, 0))
    assert seen[:192].all()  # the 7 px below are less than an eighth of a tile
    assert not seen[192:].any()
    assert tiles.cut["site"].tolist() == list(range(-1, -1 - len(tiles.cut), -1))


def test_tiles_that_overlap_at_the_edge_of_a_covered_scene_are_one_group(data, tmp_path):
    write_scene(data / "c.tif", size=(64 * 6, 64 * 6 + 32))
    tiles = cut(data, catalogue(entry("c.tif", cut="cover")), None, tmp_path, CONFIG.model_copy(update={"part_tiles": 100}))
    assert tiles.cut["group"].nunique() == 9
    part = split(tiles.index, SplitConfig(test_share=0.3, validation_share=0))
    assert len(part) == len(tiles.cut)


def test_a_scene_smaller_than_a_tile_is_rejected_and_the_others_are_cut(data, tmp_path):
    write_scene(data / "large.tif", size=(128, 128))
    write_scene(data / "small.tif", size=(40, 128))
    given = catalogue(entry("large.tif", cut="cover"), entry("small.tif", cut="cover"))
    tiles = cut(data, given, None, tmp_path)
    assert (
        tiles.index[tiles.index["source"] == "small.tif"]["rejected"].str.startswith("tile larger than the scene: 64 px of 128 x 40").all()
    )
    assert len(tiles.cut) == 4


@pytest.mark.parametrize("how", ["cover", "sites"])
def test_tiles_larger_than_every_scene_say_what_to_set(data, sites, tmp_path, how):
    write_scene(data / "q1.tif", size=(1400, 1400))
    with pytest.raises(TargetTooLarge, match="3000 px of 1400 x 1400, set its chip_px"):
        cut(data, catalogue(entry("q1.tif", cut=how)), sites, tmp_path, TilerConfig(chip_px=3000))
    assert not (tmp_path / "tiles" / "manifest.json").exists()


def test_a_tile_larger_than_its_scene_is_refused_before_it_is_read(data, sites, tmp_path, monkeypatch):
    """A chip of 8192 px would take 400 megabytes for each site."""
    write_scene(data / "q1.tif", size=(1400, 1400))
    monkeypatch.setattr("components.tiler.reading.read_on_grid", lambda *_: pytest.fail("pixels were read"))
    with pytest.raises(TargetTooLarge, match="8192 px of 1400 x 1400, set its chip_px"):
        cut(data, catalogue(entry("q1.tif")), sites, tmp_path, TilerConfig(chip_px=8192))


@pytest.mark.parametrize("how", ["cover", "sites"])
def test_a_refused_run_leaves_the_folder_free_for_what_it_said_to_set(data, sites, tmp_path, how):
    write_scene(data / "q1.tif", size=(1400, 1400))
    given = catalogue(entry("q1.tif", cut=how))
    with pytest.raises(TargetTooLarge, match="chip_px smaller"):
        cut(data, given, sites, tmp_path, TilerConfig(chip_px=3000))
    assert list(Folder(tmp_path / "tiles").list()) == []
    assert len(cut(data, given, sites, tmp_path, TilerConfig(chip_px=500)).cut) > 0


def test_a_scene_s_own_size_goes_before_the_tiler_s(data, tmp_path):
    write_scene(data / "c.tif", size=(64, 64))
    tiles = cut(data, catalogue(entry("c.tif", cut="cover", chip_px=32)), None, tmp_path)
    assert tiles.cut["width"].tolist() == [32] * 4
    assert tiles.manifest.chip_px == 64


def test_nothing_to_cut_says_why(data, sites, tmp_path):
    write_scene(data / "q1.tif", east=90_000, size=(300, 300))
    with pytest.raises(NotEnoughTiles, match=r"\d+ x no coverage"):
        cut(data, catalogue(entry("q1.tif")), sites, tmp_path)
    none = Folder(tmp_path / "none")
    write_sites(none, [])
    with pytest.raises(NotEnoughTiles, match="no sites, no scenes"):
        cut_tiles(str(data), catalogue(entry("q1.tif")), none, CONFIG, Folder(tmp_path / "other"))


def test_scenes_cut_at_sites_need_sites(data, tmp_path):
    write_scene(data / "q1.tif", size=(100, 100))
    with pytest.raises(InvalidConfig, match=r"as q1.tif: give the folder of sites"):
        cut(data, catalogue(entry("q1.tif")), None, tmp_path)


def test_a_catalogue_that_names_what_is_not_there_or_contradicts_itself_is_refused(data, sites, tmp_path):
    with pytest.raises(InvalidCatalogue, match=r"the scene gone.tif is not in"):
        cut(data, catalogue(entry("gone.tif")), sites, tmp_path)
    write_scene(data / "q1.tif", size=(100, 100))
    with pytest.raises(InvalidCatalogue, match="two sets of bands"):
        cut(data, catalogue(entry("q1.tif"), entry("q1.tif", bands=(*RGB, "nir"))), sites, tmp_path)
    with pytest.raises(InvalidCatalogue, match=r"q1.tif stands twice in the catalogue and would count as two acquisitions"):
        cut(data, catalogue(entry("q1.tif"), entry("q1.tif", 5)), sites, tmp_path)


def test_a_finished_folder_is_returned_untouched_and_another_configuration_refused(data, sites, tmp_path):
    write_scene(data / "q1.tif")
    given = catalogue(entry("q1.tif"))
    first = cut(data, given, sites, tmp_path).manifest
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "tiles").rglob("*") if path.is_file()}
    assert cut_tiles(str(data), given, sites, CONFIG, Folder(tmp_path / "tiles")) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "tiles").rglob("*") if path.is_file()} == written
    with pytest.raises(ConflictingOutput, match="another input or configuration"):
        cut(data, given, sites, tmp_path, TilerConfig(chip_px=32))
    write_scene(data / "q1.tif", change=lambda pixels: pixels // 2)
    with pytest.raises(ConflictingOutput, match="another input or configuration"):
        cut(data, given, sites, tmp_path)


def test_the_same_data_elsewhere_give_the_same_tiles(data, sites, tmp_path):
    write_scene(data / "q1.tif")
    (data / "bad.tif").write_text("no raster")
    given = catalogue(entry("q1.tif"), entry("bad.tif"))
    first = cut(data, given, sites, tmp_path).manifest
    data.rename(tmp_path / "moved")
    assert cut_tiles(str(tmp_path / "moved"), given, sites, CONFIG, Folder(tmp_path / "again")) == first


def test_tiles_of_a_newer_release_are_refused(data, tmp_path):
    write_scene(data / "c.tif", size=(64, 64))
    cut(data, catalogue(entry("c.tif", cut="cover")), None, tmp_path)
    manifest = tmp_path / "tiles" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("tiles/1", "tiles/9"))
    with pytest.raises(NewerManifest, match="upgrade EarthEye"):
        TileSet(Folder(tmp_path / "tiles"))


def test_index_has_the_columns_and_types_of_the_contract(data, sites, tmp_path):
    write_scene(data / "q1.tif")
    tiles = cut(data, catalogue(entry("q1.tif", pretrain=False)), sites, tmp_path)
    table = pq.read_table(tmp_path / "tiles" / "tiles.parquet")
    for name in table.column_names:
        assert f"`{name}`" in type(tiles.manifest).__doc__
    assert table.schema.field("acquired").type == pa.date32()
    row = tiles.index.iloc[0]
    assert row["acquired"] == dt.date(2023, 2, 1)
    assert row["label"] is None
    assert not row["pretrain"]
    assert (row["licence"], row["attribution"], row["crs"]) == ("CC0", "nobody", CRS)
    assert tiles.index["tile"].tolist() == list(range(len(tiles.index)))
    assert isinstance(tiles.index, pd.DataFrame)
