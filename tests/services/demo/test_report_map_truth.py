"""The class raster that a map is held against, and the figure of the map on unseen ground."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.crs import CRS
from rasterio.transform import from_origin
from rasterio.warp import reproject

from eartheye.contracts import Catalogue, ClassSpec, Report, Score
from eartheye.contracts.catalogue import RasterLabels
from eartheye.raster import open_scene
from services.demo.report.map_figures import MappedScene, read_truth
from services.demo.report.map_truth import raster_truth, truth_words, worth_of, worth_words
from services.world.catalogue import make_catalogue
from services.world.config import WorldConfig

CLASSES = (ClassSpec(value=1, name="land", colour="#aa0000"), ClassSpec(value=4, name="water", colour="#0000aa"))
WEST, NORTH = 500_000, 3_300_000


def labels(name: str, scenes: tuple[str, ...] | None, classes: tuple[ClassSpec, ...] = CLASSES) -> RasterLabels:
    return RasterLabels(name=name, path=f"{name}.tif", classes=classes, scenes=scenes)


def catalogue(*sets: RasterLabels) -> Catalogue:
    return Catalogue(title="t", licence="l", attribution="a", labels=sets)


def chosen(wanted: str, scene: str, *sets: RasterLabels) -> str:
    truth = raster_truth(catalogue(*sets), wanted, scene)
    assert truth is not None
    return truth.name


def write(path: Path, values: np.ndarray, west: float = WEST) -> Path:
    spec = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": "uint8", "crs": "EPSG:32650"}
    with rasterio.open(path, "w", driver="GTiff", transform=from_origin(west, NORTH, 1, 1), **spec) as file:
        file.write(values, 1)
    return path


@pytest.mark.parametrize("scene", ["mosaic_2023Q1.tif", "mosaic_2024Q3.tif"])
def test_a_map_of_the_world_is_shown_beside_the_truth_of_its_own_date(scene):
    world = make_catalogue(WorldConfig(seed=1, size_km=1))
    truth = raster_truth(world, "landcover", scene)
    assert truth is not None
    assert truth.path == {"mosaic_2023Q1.tif": "classes_1m.tif", "mosaic_2024Q3.tif": "classes_1m_2024.tif"}[scene]
    assert "is that of this scene" in truth_words(truth, scene)


def test_the_truth_is_that_of_the_scene_and_of_the_same_classes():
    learned, later = labels("learned", ("a.tif",)), labels("later", ("b.tif",))
    other = labels("other", ("b.tif",), (ClassSpec(value=1, name="roof", colour="#aa0000"),))
    assert chosen("learned", "b.tif", other, learned, later) == "later"
    assert chosen("learned", "a.tif", labels("all", None), learned) == "learned"
    assert chosen("learned", "b.tif", other, labels("learned", None), later) == "learned"
    assert raster_truth(catalogue(), "learned", "a.tif") is None


def test_a_truth_of_other_scenes_is_called_so():
    learned = labels("learned", ("a.tif", "c.tif"))
    assert chosen("learned", "b.tif", learned) == "learned"
    words = truth_words(learned, "b.tif")
    assert "is of other scenes (a.tif and c.tif) and not of this one" in words


def test_a_map_is_counted_on_the_ground_asked_for_where_both_know_a_class(tmp_path):
    random = np.random.default_rng(4)
    found, true = (random.choice(np.array([0, 1, 4], np.uint8), size=(40, 60), p=[0.1, 0.4, 0.5]) for _ in range(2))
    wider = np.pad(true, ((0, 3), (7, 2)))  # the truth begins farther west than the map, and ends farther east
    pieces = [shapely.box(WEST + 5, NORTH - 20, WEST + 25, NORTH - 4), shapely.box(WEST + 40, NORTH - 40, WEST + 60, NORTH - 30)]
    with open_scene(write(tmp_path / "truth.tif", wider, WEST - 7)) as truth:
        worth = worth_of(write(tmp_path / "map.tif", found), truth, CLASSES, shapely.union_all(pieces))

    there = np.zeros(found.shape, bool)
    there[4:20, 5:25] = there[30:40, 40:60] = True
    there &= (found > 0) & (true > 0)
    iou = [((found == v) & (true == v) & there).sum() / (((found == v) | (true == v)) & there).sum() for v in (1, 4)]
    assert worth.matrix.sum() == there.sum() == worth.area_m2
    assert worth.pieces == 2
    assert list(worth.per_class.values()) == pytest.approx(iou)
    assert worth.mean_iou == pytest.approx(np.mean(iou))


def test_a_truth_in_another_reference_system_is_carried_to_the_grid_of_the_map(tmp_path):
    random = np.random.default_rng(5)
    found, true = (random.choice(np.array([0, 1, 4], np.uint8), size=(90, 60)) for _ in range(2))
    in_degrees = np.zeros((950, 800), np.uint8)
    fine = from_origin(116.9999, 29.8305, 1e-6, 1e-6)  # a tenth of a pixel of the map, so that the nearest one is the same
    corner = from_origin(WEST, NORTH, 1, 1)
    reproject(true, in_degrees, src_transform=corner, src_crs="EPSG:32650", dst_transform=fine, dst_crs="EPSG:4326")
    spec = {"height": 950, "width": 800, "count": 1, "dtype": "uint8", "driver": "GTiff"}
    with rasterio.open(tmp_path / "degrees.tif", "w", transform=fine, **spec) as file:  # as a catalogue's `crs` says
        file.write(in_degrees, 1)

    class_map, ground = write(tmp_path / "map.tif", found), shapely.box(WEST, NORTH - 90, WEST + 60, NORTH)
    overview = MappedScene(np.zeros((90, 60, 3), np.uint8), found, corner, CRS.from_epsg(32650), 1.0)
    with open_scene(tmp_path / "degrees.tif", crs="EPSG:4326") as truth:
        worth = worth_of(class_map, truth, CLASSES, ground)
        shown = read_truth(truth, CLASSES, overview)
    with open_scene(write(tmp_path / "metres.tif", true)) as truth:
        same = worth_of(class_map, truth, CLASSES, ground)
    assert np.array_equal(shown, true)
    assert np.array_equal(worth.matrix, same.matrix)


def test_the_figure_of_the_map_stands_beside_that_of_the_evaluation(tmp_path):
    values = np.repeat(np.array([[1, 1, 4, 4]], np.uint8), 4, axis=0)
    path = write(tmp_path / "map.tif", values)
    with open_scene(path) as truth:
        worth = worth_of(path, truth, CLASSES, shapely.box(WEST, NORTH - 4, WEST + 4, NORTH))
    score = Score(model="pretrained", protocol="frozen-upernet", metric="miou", value=0.654, count=9)
    report = Report(made_from="", task="segmentation", model_digest="", scores=(score,), per_class={}, split="", pictures={})
    assert "intersection over union of 1.000." in worth_words(worth, report, same_date=True)
    assert "says 0.654" in worth_words(worth, report, same_date=True)
    assert "1.000 with that truth" in worth_words(worth, report, same_date=False)
