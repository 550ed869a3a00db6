import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from rasterio.errors import RasterioIOError
from rasterio.features import rasterize
from rio_cogeo.cogeo import cog_validate

from eartheye.contracts import read_catalogue
from eartheye.errors import ConflictingOutput, FolderRefused, InvalidConfig, OutputBusy, StoreFull
from eartheye.store import Folder
from services.only_one import only_one
from services.world.config import WorldConfig
from services.world.create import FILES, World, create_world
from services.world.plan import make_plan
from services.world.rasters import IMAGERY, optimise
from services.world.scenes import SCENES
from services.world.vectors import count_changes, write_changes
from tests.limits import file_size_limit

SIZE_KM = 1.2
RASTERS = [file for file in FILES if file.endswith(".tif") and file != "corrupt.tif"]
MOSAICS = [scene.file for scene in SCENES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    create_world(folder, seed=3, size_km=SIZE_KM, workers=2)
    return folder


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def burnt(folder: Path, shapes: gpd.GeoSeries) -> np.ndarray:
    """True where shapes cover the middle of a pixel of 1 m."""
    with rasterio.open(folder / "classes_1m.tif") as truth:
        return rasterize(list(shapes), truth.shape, transform=truth.transform).astype(bool)


def digests(folder: Path) -> dict[str, str]:
    return {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in FILES}


# --- a finished world


def test_the_same_seed_makes_the_same_bytes_whatever_the_number_of_threads(folder, tmp_path):
    again = create_world(tmp_path / "again", seed=3, size_km=SIZE_KM, workers=1)
    assert {file.name: file.sha256 for file in again.files} == digests(folder)


def test_another_seed_makes_another_world(folder, tmp_path):
    create_world(tmp_path, seed=4, size_km=1.0)
    assert np.mean(pixels(tmp_path / "landcover.tif") != pixels(folder / "landcover.tif")[:, :100, :100]) > 0.3


def test_a_finished_world_is_returned_untouched(folder):
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    world = create_world(folder, seed=3, size_km=SIZE_KM)
    assert [file.name for file in world.files] == list(FILES)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written
    assert set(written) == {folder / name for name in (*FILES, "config.json", "world.json")}


@pytest.mark.parametrize("file", RASTERS)
def test_rasters_are_cloud_optimized_and_lie_at_117_east_30_north(folder, file):
    assert cog_validate(folder / file, strict=True)[0]
    with rasterio.open(folder / file) as dataset:
        assert dataset.crs.to_epsg() == 32650
        assert dataset.res == {"landcover.tif": (10, 10), "dem.tif": (30, 30)}.get(file, (1, 1))
        assert dataset.bounds.right - dataset.bounds.left == pytest.approx(1200, abs=29)
        assert dataset.lnglat() == pytest.approx((117, 30), abs=1e-3)


def test_the_catalogue_names_what_is_there(folder):
    catalogue = read_catalogue(folder / "catalogue.yaml")
    named = [catalogue.land_cover.path, catalogue.elevation.path, catalogue.regions.path, catalogue.labels[0].path]
    named += [scene.path for scene in catalogue.scenes]
    assert all((folder / path).is_file() for path in named)
    assert [scene.quarter for scene in catalogue.scenes] == ["2023Q1", "2023Q2", "2023Q3", "2023Q4", "2024Q3", None]
    assert [scene.path for scene in catalogue.scenes if not scene.pretrain] == ["mosaic_2024Q3.tif"]
    assert [labels.path for labels in catalogue.labels] == ["classes_1m.tif", "classes_1m_2024.tif"]
    assert [labels.scenes for labels in catalogue.labels] == [tuple(MOSAICS[:4]), tuple(MOSAICS[4:])]
    for labels in catalogue.labels:
        assert (folder / labels.path).is_file()
        assert [c.value for c in labels.classes] == [1, 2, 3, 4, 5, 6, 7]


# --- truth


def test_every_class_is_there_and_no_other_code(folder):
    shares = np.bincount(pixels(folder / "classes_1m.tif").ravel(), minlength=8) / (SIZE_KM * 1000) ** 2
    assert shares[0] == 0
    assert shares[1:].min() > 0.02
    assert len(shares) == 8
    assert set(np.unique(pixels(folder / "landcover.tif"))) == {10, 30, 40, 50, 60, 80, 90}


def test_land_cover_is_the_most_common_class_of_the_truth(folder):
    code_of = np.array([0, 10, 30, 40, 80, 90, 50, 60])
    truth = code_of[pixels(folder / "classes_1m.tif")[0]].reshape(120, 10, 120, 10)
    cover = pixels(folder / "landcover.tif")[0]
    agrees = (truth == cover[:, None, :, None]).mean(axis=(1, 3))
    assert agrees.min() > 1 / 7
    assert agrees.mean() > 0.95


def test_the_land_has_relief_and_water_lies_lowest(folder):
    heights, cover = pixels(folder / "dem.tif")[0], pixels(folder / "landcover.tif")[0]
    assert np.ptp(heights) > 150
    assert np.median(heights[(cover == 80)[1::3, 1::3]]) == pytest.approx(heights.min(), abs=1)


def test_regions_cover_the_world_without_overlap(folder):
    regions = gpd.read_file(folder / "regions.gpkg")
    with rasterio.open(folder / "classes_1m.tif") as truth:
        assert regions.union_all().contains(shapely.box(*truth.bounds))
    assert len(regions) >= 3
    assert regions.region_id.is_unique
    assert regions.area.sum() == pytest.approx(regions.union_all().area, rel=1e-9)
    assert set(regions.geom_type) == {"Polygon"}
    assert regions.count_coordinates().min() > 20


@pytest.mark.parametrize(("layer", "cover"), [("ships", 4), ("aircraft", 6), ("buildings", 6)])
def test_objects_lie_on_the_ground_that_they_belong_to(folder, layer, cover):
    objects = gpd.read_file(folder / "objects.gpkg", layer=layer)
    standing = objects[objects.scene != "mosaic_2024Q3.tif"] if layer == "buildings" else objects
    assert np.mean(pixels(folder / "classes_1m.tif")[0][burnt(folder, standing.geometry)] == cover) > 0.995


@pytest.mark.parametrize("layer", ["ships", "aircraft"])
def test_craft_are_boxes_of_the_size_and_bearing_that_they_name(folder, layer):
    craft = gpd.read_file(folder / "objects.gpkg", layer=layer)
    assert set(craft.scene) == set(MOSAICS)
    assert np.allclose(craft.area, craft.length_m * craft.width_m)
    corners = np.array([shape.exterior.coords for shape in craft.geometry])
    ahead = (corners[:, 0] + corners[:, 1]) / 2 - shapely.get_coordinates(craft.centroid)
    assert np.allclose(np.degrees(np.arctan2(ahead[:, 0], ahead[:, 1])) % 360, craft.bearing_deg)
    assert np.ptp(craft.bearing_deg % 90) > 60


@pytest.mark.parametrize("layer", ["ships", "aircraft"])
def test_craft_are_seen_where_the_truth_says_and_in_that_scene_alone(folder, layer):
    craft = gpd.read_file(folder / "objects.gpkg", layer=layer)
    third, fourth = (pixels(folder / f"mosaic_2023Q{q}.tif").astype(float).max(axis=0) for q in (3, 4))
    of_third, of_fourth = (burnt(folder, craft[craft.scene == f"mosaic_2023Q{q}.tif"].buffer(-1)) for q in (3, 4))
    only_third = of_third & ~burnt(folder, craft[craft.scene == "mosaic_2023Q4.tif"].buffer(8))
    spread_with, spread_without = third[only_third].std(), fourth[only_third].std()
    assert of_third.sum() > 100
    assert of_fourth.sum() > 100
    assert spread_with > 2 * spread_without


def test_roads_say_how_wide_they_are(folder):
    roads = gpd.read_file(folder / "objects.gpkg", layer="roads")
    assert set(roads.kind) == {"highway", "avenue", "street"}
    assert roads.width_m.between(5, 15).all()


# --- seasons, changes and flaws


def test_quarters_differ(folder):
    images = [pixels(folder / f"mosaic_2023Q{quarter}.tif").astype(float) for quarter in (1, 2, 3, 4)]
    differences = [np.abs(a - b).mean() for i, a in enumerate(images) for b in images[:i]]
    assert min(differences) > 8


def test_changes_show_where_the_truth_says_and_nowhere_else(folder):
    changes = gpd.read_file(folder / "changes.gpkg")
    traffic = [gpd.read_file(folder / "objects.gpkg", layer=layer).buffer(60) for layer in ("ships", "aircraft")]
    before, after = (pixels(folder / f"mosaic_{year}Q3.tif").astype(float) for year in (2023, 2024))
    difference = np.abs(before - after).mean(axis=0)
    touched = burnt(folder, changes.buffer(40)) | burnt(folder, traffic[0]) | burnt(folder, traffic[1])
    assert set(changes.kind) == {"new_buildings", "cleared_forest", "flooded_field"}
    assert np.percentile(difference[~touched], 99.9) < 15
    for change in changes.geometry:
        assert difference[burnt(folder, gpd.GeoSeries([change]))].mean() > 15


def test_a_kind_of_change_that_a_small_world_has_no_place_for_is_counted_as_none(tmp_path):
    write_changes(make_plan(WorldConfig(seed=1017, size_km=1)), tmp_path / "changes.gpkg")
    assert count_changes(tmp_path / "changes.gpkg") == {"new_buildings": 1, "cleared_forest": 1, "flooded_field": 0}


def test_changed_ground_was_of_the_class_that_the_change_begins_with(folder):
    truth = pixels(folder / "classes_1m.tif")[0]
    for change in gpd.read_file(folder / "changes.gpkg").itertuples():
        assert np.mean(truth[burnt(folder, gpd.GeoSeries([change.geometry]))] == change.class_before) > 0.99


def test_the_two_truths_differ_in_the_changes_and_there_as_those_say(folder):
    changes = gpd.read_file(folder / "changes.gpkg")
    before, after = (pixels(folder / file)[0] for file in ("classes_1m.tif", "classes_1m_2024.tif"))
    assert np.array_equal(before != after, burnt(folder, changes.geometry))
    for change in changes.itertuples():
        assert set(after[burnt(folder, gpd.GeoSeries([change.geometry]))]) == {change.class_after}


def test_only_the_fourth_quarter_lacks_ground_and_its_mask_says_where(folder):
    valid = {}
    for file in MOSAICS:
        with rasterio.open(folder / file) as dataset:
            valid[file] = dataset.dataset_mask() > 0
    lacking = {file: 1 - mask.mean() for file, mask in valid.items()}
    assert lacking.pop("mosaic_2023Q4.tif") == pytest.approx(0.02, abs=0.001)
    assert set(lacking.values()) == {0.0}
    assert pixels(folder / "mosaic_2023Q4.tif")[:, valid["mosaic_2023Q4.tif"]].mean() > 60


def test_only_the_second_quarter_has_a_cloud(folder):
    white = {file: np.mean(pixels(folder / file).min(axis=0) > 210) for file in MOSAICS[1:]}
    assert white.pop("mosaic_2023Q2.tif") > 5 * max(white.values())


def test_the_corrupt_scene_has_a_footprint_and_no_pixels(folder):
    with rasterio.open(folder / "corrupt.tif") as dataset:
        assert (dataset.width, dataset.count, dataset.crs.to_epsg()) == (300, 3, 32650)
        with pytest.raises(RasterioIOError):
            dataset.read()


# --- going on, and refusing


def test_what_is_missing_or_cut_short_is_made_again_and_nothing_else(folder, tmp_path):
    made = create_world(folder, seed=3, size_km=SIZE_KM)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "mosaic_2023Q3.tif").unlink()
    (tmp_path / "objects.gpkg").unlink()
    os.truncate(tmp_path / "classes_1m.tif", 5000)
    kept = {file: (tmp_path / file).stat().st_mtime_ns for file in ("mosaic_2023Q1.tif", "landcover.tif", "dem.tif")}
    assert create_world(tmp_path, seed=3, size_km=SIZE_KM) == made
    assert digests(tmp_path) == digests(folder)
    assert kept == {file: (tmp_path / file).stat().st_mtime_ns for file in kept}


KILLED_WHILE_DRAWING = """
import os, pathlib, signal, sys
from services.world import create

def draw_half(plan, drawn, workers):
    drawn["mosaic_2023Q1.tif"].write_bytes(b"half of a mosaic")
    os.kill(os.getpid(), signal.SIGKILL)

create.draw_mosaics = draw_half
create.create_world(pathlib.Path(sys.argv[1]), 3, float(sys.argv[2]))
"""


def test_a_world_killed_while_it_is_drawn_is_gone_on_with(folder, tmp_path):
    command = [sys.executable, "-c", KILLED_WHILE_DRAWING, str(tmp_path), str(SIZE_KM)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2]).returncode == -signal.SIGKILL
    assert (tmp_path / ".unfinished" / "mosaic_2023Q1.tif.draft").exists()
    assert not (tmp_path / "world.json").exists()
    assert not (tmp_path / "mosaic_2023Q1.tif").exists()
    with pytest.raises(ConflictingOutput, match="another seed or size"):
        create_world(tmp_path, seed=5, size_km=SIZE_KM)
    create_world(tmp_path, seed=3, size_km=SIZE_KM)
    assert digests(tmp_path) == digests(folder)


def test_a_second_process_in_the_folder_is_refused_and_the_drafts_of_the_first_stay(tmp_path):
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "mosaic_2023Q1.tif.draft").write_bytes(b"half of a mosaic")
    with (
        only_one(tmp_path, "the first"),
        pytest.raises(OutputBusy, match="another process that makes a world is at work in "),
    ):
        create_world(tmp_path, size_km=1)
    assert (tmp_path / ".unfinished" / "mosaic_2023Q1.tif.draft").read_bytes() == b"half of a mosaic"
    assert {path.name for path in tmp_path.iterdir()} == {".unfinished"}


@pytest.mark.parametrize("other", [{"seed": 9, "size_km": SIZE_KM}, {"seed": 3, "size_km": 1.3}])
def test_another_world_in_the_same_folder_is_refused(folder, other):
    with pytest.raises(ConflictingOutput, match="choose another folder"):
        create_world(folder, **other)


def test_a_folder_with_files_of_unknown_origin_is_refused(tmp_path):
    (tmp_path / "dem.tif").write_bytes(b"mine")
    with pytest.raises(ConflictingOutput, match=r"no config\.json"):
        create_world(tmp_path, size_km=1)
    assert (tmp_path / "dem.tif").read_bytes() == b"mine"


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "notes").touch()
    with pytest.raises(FolderRefused, match="choose another folder"):
        create_world(tmp_path / "notes" / "world", size_km=1)


OUT_OF_RANGE = [
    ({"size_km": 0.4}, "from 1 to 40 km"),
    ({"size_km": 41}, "from 1 to 40 km"),
    ({"size_km": 1.2345}, "0.01 km"),
    ({"seed": -1}, "from 0"),
]


@pytest.mark.parametrize(("wrong", "hint"), OUT_OF_RANGE)
def test_a_size_or_seed_out_of_range_is_refused_and_nothing_is_written(tmp_path, wrong, hint):
    with pytest.raises(InvalidConfig, match=hint):
        create_world(tmp_path / "world", **wrong)
    assert not (tmp_path / "world").exists()


def test_a_disk_without_room_is_refused_before_the_folder_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**8, 9 * 10**7, 10**7))
    with pytest.raises(StoreFull, match="lower size_km"):
        create_world(tmp_path / "many" / "world", size_km=1)
    assert not list(tmp_path.iterdir())


def test_a_copy_that_cannot_be_read_to_its_end_is_told_with_the_first_cause(folder, tmp_path, monkeypatch):
    """A file cut short stands in for a disk that fills while GDAL closes the file, which it keeps to itself."""

    def copy_a_part(source, path, **options):
        copy(source, path, **options)
        os.truncate(path, path.stat().st_size - 1000)

    copy = rasterio.shutil.copy
    monkeypatch.setattr(rasterio.shutil, "copy", copy_a_part)
    with pytest.raises(StoreFull, match=r"made\.tif could not be written whole \(.*(?i:read|strip|tile)[^)]*\), the disk is full") as told:
        optimise(folder / "mosaic_2023Q1.tif", tmp_path / "made.tif", IMAGERY)
    assert "previous exception" not in str(told.value)


@pytest.mark.parametrize("size", [500_000, 2_500_000])
def test_a_disk_that_fills_while_the_world_is_drawn_is_told(tmp_path, size):
    with file_size_limit(size), pytest.raises(StoreFull, match="no room to make a world"):
        create_world(tmp_path, size_km=1)
    assert not (tmp_path / "world.json").exists()
    assert not list(tmp_path.glob("mosaic_*.tif"))


def test_the_manifest_can_be_read_back(folder):
    world = World.read(Folder(folder))
    assert (world.config.seed, world.config.size_km) == (3, SIZE_KM)
    assert {file.name: file.sha256 for file in world.files} == digests(folder)
