"""Reports on a backbone and on task models, from real packages and tiles."""

import json
from importlib import import_module

import numpy as np
import pytest
import torch

from components.evaluator.config import EvaluatorConfig
from components.evaluator.run import evaluate_backbone, evaluate_task, seen_in_pretraining, split_in_words
from components.evaluator.segmentation import TilePredictor, truth_of
from components.evaluator.tasks import Trial
from components.finetuner.config import FinetuneConfig, SamplesConfig
from components.finetuner.features import read_windows
from components.finetuner.resources import Resources
from components.finetuner.run import finetune
from components.finetuner.windows import choose_windows
from eartheye.contracts import ModelPackage, Report, Tiles
from eartheye.errors import ConflictingOutput, InvalidConfig, NewerManifest, NotEnoughTiles, WrongBackbone, WrongBands
from eartheye.store import Folder
from eartheye.tiles import SplitConfig, TileSet
from models.package import load_task_model
from models.vit import SIZES, VisionTransformer
from tests.components.tiny_tiles import draw_tile, write_backbone, write_tiles

SPLIT = SplitConfig(test_share=0.3, validation_share=0.2)
MASKS = SamplesConfig(label_set="cover", input_px=56, split=SPLIT)
HEADS = (
    FinetuneConfig(title="segmentation", task="segmentation", samples=MASKS, batch_size=8, head_width=16, epochs=4, learning_rate=5e-3),
    FinetuneConfig(title="scenes", task="scenes", samples=MASKS, batch_size=8, learning_rate=1e-2),
)
CONFIG = EvaluatorConfig(samples=MASKS, forest_pixels=2000, resamples=200, pictured_tiles=3)
HERE = Resources(device="cpu", loader_threads=2)
pytestmark = pytest.mark.usefixtures("mlflow")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory, mlflow, tiles):
    """A backbone, two heads, and a report on each."""
    root = Folder(tmp_path_factory.mktemp("run"))
    backbone = write_backbone(f"{root.root}/backbone", tiles)
    evaluate_backbone(tiles, backbone, CONFIG, root / "backbone-report", HERE)
    for config in HEADS:
        finetune(tiles, backbone, config, root / config.task, HERE)
        evaluate_task(tiles, root / config.task, CONFIG, root / f"{config.task}-report", HERE)
    return root


def scores(report):
    return {(score.model, score.protocol, score.metric): score for score in report.scores}


def test_a_backbone_stands_beside_its_baselines_under_both_protocols(root):
    report = Report.read(root / "backbone-report")
    found = scores(report)
    models = ("pretrained", "random backbone", "colour histogram")
    assert set(found) == {(model, protocol, "oa") for model in models for protocol in ("knn", "linear-probe")}
    for score in found.values():
        assert 0 <= score.low <= score.value <= score.high <= 1
    # this backbone has weights of chance itself, and says so by its score
    assert report.model_digest == ModelPackage.read(root / "backbone").digest


def test_a_segmenter_stands_beside_its_baselines(root, tiles):
    report = Report.read(root / "segmentation-report")
    found = scores(report)
    assert set(found) == {
        (model, protocol, metric)
        for model, protocol in (("pretrained", "frozen-head"), ("random backbone", "frozen-head"), ("colour histogram", "random-forest"))
        for metric in ("miou", "oa")
    }
    assert found["pretrained", "frozen-head", "miou"].value > 0.7
    assert found["colour histogram", "random-forest", "miou"].value > 0.7
    windows = choose_windows(TileSet(tiles), "segmentation", MASKS)
    labelled = sum((truth_of(TileSet(tiles), windows, "cover", tile) >= 0).sum() for tile in windows.tiles("test"))
    assert {score.count for score in report.scores} == {labelled}


def test_the_table_and_the_headline_agree(root):
    report = Report.read(root / "segmentation-report")
    matrix = np.array(report.confusion)
    assert list(report.per_class) == ["field", "lake", "wood"]
    for place, iou in enumerate(report.per_class.values()):
        assert iou == pytest.approx(matrix[place, place] / (matrix[place].sum() + matrix[:, place].sum() - matrix[place, place]))
    assert report.value("pretrained", "frozen-head", "miou") == pytest.approx(np.mean(list(report.per_class.values())))
    assert report.value("pretrained", "frozen-head", "oa") == pytest.approx(np.trace(matrix) / matrix.sum())


def test_a_classifier_stands_beside_its_baselines(root):
    found = scores(Report.read(root / "scenes-report"))
    assert {(model, protocol) for model, protocol, _ in found} == {
        ("pretrained", "frozen-head"),
        ("random backbone", "frozen-head"),
        ("pretrained", "knn"),
        ("colour histogram", "knn"),
        ("colour histogram", "linear-probe"),
    }


def test_reports_say_how_they_were_made_and_who_is_ahead(root):
    for name in ("backbone-report", "segmentation-report", "scenes-report"):
        report = Report.read(root / name)
        assert "no group and no piece of ground is on two sides" in report.split
        words = "; ".join(report.notes)
        assert "above random backbone" in words
        assert "tiles of the test groups, all acquisitions, the backbone saw" in words
        assert "with so few they are rough" in words


def test_of_images_without_georeference_only_groups_are_said_to_be_apart(tiles):
    tile_set = TileSet(tiles)
    windows = choose_windows(tile_set, "scenes", MASKS)
    assert split_in_words(tile_set, windows).endswith("; no group and no piece of ground is on two sides")
    tile_set.index.loc[tile_set.index["tile"] == windows.parts.index[0], "crs"] = None
    assert split_in_words(tile_set, windows).endswith("for test; no group is on two sides")


def test_an_acquisition_that_is_left_out_of_the_test_counts_among_what_the_backbone_saw(root, tiles):
    split = SplitConfig(test_share=0.3, validation_share=0.2, seed=3)
    windows = choose_windows(TileSet(tiles), "scenes", SamplesConfig(label_set="cover", input_px=56, acquisitions=1, split=split))
    assert set(windows.tiles("test")) == {1, 2, 24, 27}
    words = seen_in_pretraining(Tiles.read(tiles), root / "backbone", windows)  # its pretraining saw the tiles 0, 1 and 2
    assert words == "of 8 tiles of the test groups, all acquisitions, the backbone saw 3 in pretraining, without labels"


@pytest.mark.parametrize(
    ("name", "pictures"),
    [
        ("backbone-report", {"confusion", "patch-features", "training"}),
        ("segmentation-report", {"confusion", "predictions", "training"}),
        ("scenes-report", {"confusion", "training"}),
    ],
)
def test_pictures_are_there_under_their_digests(root, name, pictures):
    report = Report.read(root / name)
    assert set(report.pictures) == pictures
    for bulk in report.pictures.values():
        with (root / name).open(bulk) as file:
            assert file.read(8) == PNG


def test_a_finished_report_is_kept_and_another_configuration_refused(root, tiles):
    report = root / "scenes-report"
    written = report.local(report.bulk("confusion.png")).stat().st_mtime_ns
    assert evaluate_task(tiles, root / "scenes", CONFIG, report, HERE) == Report.read(report)
    assert report.local(report.bulk("confusion.png")).stat().st_mtime_ns == written
    with pytest.raises(ConflictingOutput):
        evaluate_task(tiles, root / "scenes", CONFIG.model_copy(update={"seed": 1}), report, HERE)


def test_progress_tells_the_training_of_the_baseline_from_that_of_the_model(root, tiles, monkeypatch, capsys):
    monkeypatch.setattr(import_module("eartheye.telemetry.progress"), "LINE_EVERY_S", 0.0)
    tile_set, model, package = TileSet(tiles), load_task_model(root / "scenes"), ModelPackage.read(root / "scenes")
    training = FinetuneConfig(title="scenes", task="scenes", samples=MASKS, batch_size=8, epochs=1)
    Trial(tile_set, choose_windows(tile_set, "scenes", MASKS), model, package, training, CONFIG, HERE).baseline()
    assert "training the head scenes on a random backbone: 1 of 1" in capsys.readouterr().err


def test_where_windows_overlap_their_probabilities_are_averaged(root, tiles):
    tile_set, model, package = TileSet(tiles), load_task_model(root / "segmentation"), ModelPackage.read(root / "segmentation")
    windows = choose_windows(tile_set, "segmentation", MASKS)
    tile = next(iter(windows.tiles("test")))
    sums = np.zeros((3, 84, 84))
    for row in windows.rows_of(tile):
        window = windows.all[row]
        image = torch.from_numpy(read_windows(tile_set, windows, np.array([row]), package.image))
        with torch.no_grad():
            sums[:, window.top : window.top + 56, window.left : window.left + 56] += model(image)[0].numpy()
    predicted = TilePredictor(model, tile_set, windows, package.image, "float32", HERE).predict(tile)
    assert (predicted == sums.argmax(axis=0)).mean() > 0.999  # features are kept in half precision


def test_a_window_that_is_sure_of_itself_does_not_outvote_three(root, tiles, monkeypatch):
    tile_set, model, package = TileSet(tiles), load_task_model(root / "segmentation"), ModelPackage.read(root / "segmentation")
    windows = choose_windows(tile_set, "segmentation", MASKS)
    tile = next(iter(windows.tiles("test")))
    assert [windows.all[row][1:3] for row in windows.rows_of(tile)] == [(0, 0), (0, 28), (28, 0), (28, 28)]
    predictor = TilePredictor(model, tile_set, windows, package.image, "float32", HERE)
    sure, unsure = torch.tensor([10.0, 0.0]), torch.tensor([0.0, 2.0])  # probabilities 1.00, 0.00 and 0.12, 0.88
    scores = torch.stack([sure, unsure, unsure, unsure])[:, :, None, None].expand(-1, -1, 56, 56)
    monkeypatch.setattr(model, "from_features", lambda features, size_px: scores)
    wanted = np.ones((84, 84), int)
    wanted[:56, :56] = 0
    wanted[28:56, 28:56] = 1
    np.testing.assert_array_equal(predictor.predict(tile), wanted)


def test_what_has_no_data_has_no_truth(tiles):
    tile_set = TileSet(tiles)
    windows = choose_windows(tile_set, "segmentation", MASKS)
    wanted = np.array([-1, 0, 1, -1, 2])[draw_tile(2, 1, 84)[1]]
    wanted[:8, :2] = -1
    np.testing.assert_array_equal(truth_of(tile_set, windows, "cover", tile=5), wanted)


def test_baselines_see_what_a_blind_backbone_does_not(tiles, tmp_path):
    """Its features are the same for every image, so that a baseline which took them for its own would do no better."""
    blind = VisionTransformer(SIZES["nano"], 56)
    torch.nn.init.zeros_(blind.norm.weight)
    torch.nn.init.ones_(blind.norm.bias)
    root = Folder(tmp_path)
    backbone = write_backbone(f"{root.root}/backbone", tiles, network=blind)
    reports = [evaluate_backbone(tiles, backbone, CONFIG, root / "backbone-report", HERE)]
    for config in HEADS:
        finetune(tiles, backbone, config, root / config.task, HERE)
        reports.append(evaluate_task(tiles, root / config.task, CONFIG, root / f"{config.task}-report", HERE))
    for report in reports:
        for (model, protocol, metric), score in scores(report).items():
            if model == "random backbone":
                assert score.value > report.value("pretrained", protocol, metric) + 0.2


def test_tiles_that_the_split_says_nothing_of_are_refused(root, tmp_path):
    other = write_tiles(tmp_path / "tiles", sites=8, quarters=1)
    with pytest.raises(InvalidConfig, match="give those"):
        evaluate_task(other, root / "segmentation", CONFIG, Folder(tmp_path / "report"), HERE)


def test_a_split_without_a_test_part_is_refused(root, tiles, tmp_path):
    untested = CONFIG.model_copy(update={"samples": MASKS.model_copy(update={"split": SplitConfig(test_share=0)})})
    with pytest.raises(NotEnoughTiles, match="larger test_share"):
        evaluate_backbone(tiles, root / "backbone", untested, Folder(tmp_path), HERE)


def test_a_backbone_of_other_bands_or_of_a_newer_release_is_refused(tiles, tmp_path):
    backbone = write_backbone(tmp_path / "backbone", tiles, bands=("nir", "red", "green"))
    with pytest.raises(WrongBands):
        evaluate_backbone(tiles, backbone, CONFIG, Folder(tmp_path / "report"), HERE)
    path = tmp_path / "backbone" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"kind": "model/2"}))
    with pytest.raises(NewerManifest):
        evaluate_backbone(tiles, backbone, CONFIG, Folder(tmp_path / "report"), HERE)
    assert not (tmp_path / "report").exists()


def test_a_head_on_another_backbone_is_refused(root, tiles, tmp_path):
    path = tmp_path / "scenes" / "model.json"
    path.parent.mkdir()
    for name in ("model.safetensors", "split.parquet", "config.json", "model.json"):
        (tmp_path / "scenes" / name).write_bytes((root / "scenes").read(name))
    write_backbone(tmp_path / "backbone", tiles, seed=9)
    with pytest.raises(WrongBackbone, match="train the head again"):
        evaluate_task(tiles, Folder(tmp_path / "scenes"), CONFIG, Folder(tmp_path / "report"), HERE)
