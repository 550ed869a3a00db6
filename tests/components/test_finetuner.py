"""Heads on a frozen backbone: what they learn from, what they leave, what they refuse."""

import json
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from components.finetuner.config import FinetuneConfig, SamplesConfig
from components.finetuner.features import encode, read_masks, read_windows, scratch_array, training_images
from components.finetuner.fitting import class_weights, fit_head, on_grid_of_head, truth
from components.finetuner.resources import Resources
from components.finetuner.run import finetune, targets_of
from components.finetuner.windows import Window, Windows, choose_windows, classes_of, starts
from eartheye.contracts import ModelPackage
from eartheye.errors import (
    ConflictingOutput,
    CorruptBulk,
    InvalidConfig,
    NewerManifest,
    NotEnoughTiles,
    StoreFull,
    TrainingDiverged,
    UnreadableManifest,
    WrongBackbone,
    WrongBands,
    WrongScale,
)
from eartheye.store import Folder
from eartheye.tiles import SplitConfig, TileSet
from models.package import load_backbone, load_task_model
from models.tasks import SceneClassifier, Segmenter
from tests.components.tiny_tiles import CLASSES, draw_tile, write_backbone, write_tiles
from tests.components.tracked import own_mlflow
from tests.limits import file_size_limit, filled

SPLIT = SplitConfig(test_share=0.3, validation_share=0.2)
MASKS = SamplesConfig(label_set="cover", input_px=56, split=SPLIT)
SEGMENTATION = FinetuneConfig(title="cover", task="segmentation", samples=MASKS, head_width=16, epochs=4, batch_size=8, learning_rate=5e-3)
SCENES = FinetuneConfig(title="kinds", task="scenes", samples=SamplesConfig(input_px=56, split=SPLIT), epochs=30, learning_rate=1e-2)
HERE = Resources(device="cpu", loader_threads=2)

pytestmark = pytest.mark.usefixtures("mlflow")


@pytest.fixture(scope="module")
def root(tmp_path_factory, mlflow, tiles):
    """A backbone and two heads."""
    root = Folder(tmp_path_factory.mktemp("run"))
    backbone = write_backbone(f"{root.root}/backbone", tiles)
    finetune(tiles, backbone, SEGMENTATION, root / "heads/cover", HERE)
    finetune(tiles, backbone, SCENES, root / "heads/kinds", HERE)
    return root


def test_windows_cover_a_side_evenly():
    assert starts(518, 280) == [0, 238]
    assert starts(84, 84) == [0]
    assert starts(100, 42) == [0, 29, 58]


def test_windows_of_masks_cover_each_tile_and_know_their_part(tiles):
    windows = choose_windows(TileSet(tiles), "segmentation", MASKS)
    assert {window.tile for window in windows.all} == set(range(32))
    assert [(w.top, w.left) for w in windows.all if w.tile == 3] == [(0, 0), (0, 28), (28, 0), (28, 28)]
    groups = [{w.group for w in windows.all if w.part == part} for part in ("train", "validation", "test")]
    assert all(groups)
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert dict(windows.tiles("test")).keys() == set(windows.parts.index[windows.parts == "test"])


def test_a_window_is_a_scene_where_one_class_has_the_share_asked_for(tiles):
    samples = MASKS.model_copy(update={"min_share": 0.9})
    for window in choose_windows(TileSet(tiles), "scenes", samples).all:
        mask = TileSet(tiles).mask(window.tile, "cover")[window.top : window.top + 56, window.left : window.left + 56]
        assert (mask == CLASSES[window.label].value).mean() >= 0.9


def test_labelled_tiles_give_their_middle(tiles):
    windows = choose_windows(TileSet(tiles), "scenes", SCENES.samples)
    assert [spec.name for spec in windows.classes] == ["field", "lake", "wood"]
    index = TileSet(tiles).index
    for window in windows.all:
        assert (window.top, window.left) == (14, 14)
        assert windows.classes[window.label].name == index["label"].iat[window.tile]


def test_acquisitions_limit_the_tiles_of_a_site(tiles):
    windows = choose_windows(TileSet(tiles), "segmentation", MASKS.model_copy(update={"acquisitions": 1}))
    sites = TileSet(tiles).index["site"].iloc[sorted({window.tile for window in windows.all})]
    assert sorted(sites) == list(range(16))


def test_statistics_are_those_of_the_valid_pixels_of_the_training_tiles(tiles):
    tile_set = TileSet(tiles)
    windows = choose_windows(tile_set, "segmentation", MASKS)
    valid = np.concatenate([pixels[:, mask] for pixels, mask in map(tile_set.image, windows.tiles("train"))], axis=1)
    image = training_images(tile_set, windows)
    assert image.mean == pytest.approx(valid.mean(axis=1).tolist())
    assert image.std == pytest.approx(valid.std(axis=1).tolist())
    assert image.gsd_range_m == pytest.approx((1 / 1.1, 1.1))


def test_features_are_those_of_each_window_s_own_image(tiles, root):
    tile_set = TileSet(tiles)
    windows = choose_windows(tile_set, "segmentation", MASKS)
    image, model = training_images(tile_set, windows), load_task_model(root / "heads/cover")
    rows = windows.rows("test")
    features = encode(model, tile_set, windows, rows, image, "float32", HERE)
    assert features.shape == (len(windows.all), 4, 128, 4, 4)
    for row in rows[[0, 7, -1]]:
        window = windows.all[row]
        given = tile_set.image(window.tile)[0][:, window.top : window.top + 56, window.left : window.left + 56]
        images = read_windows(tile_set, windows, np.array([row]), image)
        valid = tile_set.image(window.tile)[1][window.top : window.top + 56, window.left : window.left + 56]
        wanted = (given - np.array(image.mean)[:, None, None]) / np.array(image.std)[:, None, None]
        assert np.allclose(images[0][:, valid], wanted[:, valid], atol=1e-4)
        assert (images[0][:, ~valid] == 0).all()
        assert np.allclose(features[row], model.features(torch.from_numpy(images))[0].numpy(), atol=2e-2)


def test_features_and_masks_take_their_room_before_they_are_written(small_disk):
    no_room = rf"no room in {small_disk}/cache/features for 5000000 bytes .*free space, or set EARTHEYE_CACHE_DIR to a larger disk"
    with own_mlflow(small_disk):
        with pytest.raises(StoreFull, match=no_room):
            scratch_array((8, 1_000_000), np.uint8, np.array([1, 2, 3, 6, 7]))
        with file_size_limit(7_000_000), pytest.raises(StoreFull, match="File too large"):
            scratch_array((8, 1_000_000), np.uint8, np.array([0]))
        array = scratch_array((8, 1_000_000), np.uint8, np.array([1, 2, 7]))
    with filled(small_disk):
        array[[1, 2, 7]] = 9
    assert array[:, ::999_999].tolist() == [[9, 9] if row in (1, 2, 7) else [0, 0] for row in range(8)]
    del array  # the disk cannot be taken away while it is mapped


def test_masks_leave_out_pixels_without_data(tiles):
    tile_set = TileSet(tiles)
    windows = choose_windows(tile_set, "segmentation", MASKS)
    masks = read_masks(tile_set, windows, "cover")
    row = next(row for row, window in enumerate(windows.all) if window.tile == 2 and (window.top, window.left) == (0, 0))
    truth = draw_tile(1, 0, 84)[1][:56, :56]
    assert (masks[row][:8, 0] == 0).all()
    assert (masks[row][8:] == np.array([0, 1, 2, 0, 3])[truth][8:]).all()


def test_the_segmenter_learns_what_tiles_show(root, tiles):
    model, package = load_task_model(root / "heads/cover"), ModelPackage.read(root / "heads/cover")
    assert isinstance(model, Segmenter)
    tile_set = TileSet(tiles)
    windows = choose_windows(tile_set, "segmentation", MASKS)
    rows = windows.rows("test")
    predicted = model(torch.from_numpy(read_windows(tile_set, windows, rows, package.image))).argmax(dim=1).numpy() + 1
    masks = read_masks(tile_set, windows, "cover")[rows]
    assert (predicted == masks)[masks > 0].mean() > 0.85


def test_the_classifier_learns_what_scenes_show(root, tiles):
    model, package = load_task_model(root / "heads/kinds"), ModelPackage.read(root / "heads/kinds")
    assert isinstance(model, SceneClassifier)
    tile_set = TileSet(tiles)
    windows = choose_windows(tile_set, "scenes", SCENES.samples)
    rows = windows.rows("test")
    probabilities = model(torch.from_numpy(read_windows(tile_set, windows, rows, package.image)))
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(len(rows)), atol=1e-5)
    assert (probabilities.argmax(dim=1).numpy() == windows.labels[rows]).mean() > 0.7


def test_the_package_says_everything_needed_to_use_it(root, tiles):
    package = ModelPackage.read(root / "heads/cover")
    assert (package.title, package.task, package.input_px) == ("cover", "segmentation", 56)
    assert package.classes == CLASSES
    assert package.architecture.head == {"kind": "upernet", "width": 16, "finest": 4}
    assert package.backbone.uri == "../../backbone"
    assert package.provenance.trained_on[0] == TileSet(tiles).manifest.digest
    with (root / "heads/cover").open(package.split) as file:
        parts = pq.read_table(file).to_pandas()
    windows = choose_windows(TileSet(tiles), "segmentation", MASKS)
    assert dict(zip(parts["tile"], parts["part"], strict=True)) == windows.parts.to_dict()
    history = pq.read_table(Path(root.root) / "heads/cover/history.parquet").to_pandas()
    assert len(history) == 4
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_the_same_training_gives_the_same_head_and_a_finished_one_is_kept(root, tiles, tmp_path):
    again = finetune(tiles, root / "backbone", SCENES, Folder(tmp_path), HERE)
    assert again.weights.sha256 == ModelPackage.read(root / "heads/kinds").weights.sha256
    written = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert finetune(tiles, root / "backbone", SCENES, Folder(tmp_path), HERE) == again
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == written
    with pytest.raises(ConflictingOutput):
        finetune(tiles, root / "backbone", SCENES.model_copy(update={"seed": 1}), Folder(tmp_path), HERE)


def test_packages_moved_together_still_load(root, tmp_path):
    shutil.copytree(root.root, tmp_path / "moved")
    moved = load_task_model(Folder(tmp_path / "moved/heads/cover")).state_dict()
    there = load_task_model(root / "heads/cover").state_dict()
    assert moved.keys() == there.keys()
    assert all(torch.equal(moved[name], there[name]) for name in there)


def test_another_backbone_than_the_head_s_is_refused(root, tiles, tmp_path):
    shutil.copytree(root.root, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/backbone")
    with pytest.raises(WrongBackbone, match="is not there"):
        load_task_model(Folder(tmp_path / "run/heads/cover"))
    write_backbone(tmp_path / "run/backbone", tiles, seed=1)
    with pytest.raises(WrongBackbone, match="was trained on"):
        load_task_model(Folder(tmp_path / "run/heads/cover"))


def test_weights_that_are_not_the_package_s_are_refused(root, tmp_path):
    shutil.copytree(root.root, tmp_path / "run")
    path = tmp_path / "run/backbone/model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(CorruptBulk):
        load_task_model(Folder(tmp_path / "run/heads/cover"))


def test_a_package_of_a_newer_release_or_another_kind_is_refused(root, tmp_path):
    shutil.copytree(root.root, tmp_path / "run")
    with pytest.raises(UnreadableManifest, match="give the folder of a task model"):
        load_task_model(Folder(tmp_path / "run/backbone"))
    with pytest.raises(UnreadableManifest, match="give the folder of a backbone"):
        load_backbone(Folder(tmp_path / "run/heads/cover"))
    path = tmp_path / "run/heads/cover/model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"kind": "model/2"}))
    with pytest.raises(NewerManifest, match="upgrade"):
        load_task_model(Folder(tmp_path / "run/heads/cover"))


def test_tiles_of_other_bands_or_another_scale_are_refused(root, tmp_path):
    other = write_tiles(tmp_path / "bgr", sites=8, quarters=1, channels=("blue", "green", "red"))
    with pytest.raises(WrongBands, match="set `channels`"):
        finetune(other, root / "backbone", SEGMENTATION, Folder(tmp_path / "m"), HERE)
    coarse = write_tiles(tmp_path / "coarse", sites=8, quarters=1, gsd_m=10.0)
    with pytest.raises(WrongScale, match="is 10 m wide"):
        finetune(coarse, root / "backbone", SEGMENTATION, Folder(tmp_path / "m"), HERE)


@pytest.mark.parametrize(
    ("task", "fields", "word"),
    [
        ("segmentation", {"label_set": "roads"}, "label sets are \\['cover'\\]"),
        ("segmentation", {"input_px": 98}, "smaller input_px"),
        ("scenes", {"sensor": "radar"}, "add labels"),
        ("scenes", {"min_share": 1.0, "input_px": 84}, "smaller input_px or min_share"),
        ("segmentation", {"input_px": 84, "split": SplitConfig(test_share=0.5, validation_share=0.25)}, "two of each are the least"),
    ],
)
def test_too_few_labels_say_what_to_change(task, fields, word, tmp_path):
    tiles = write_tiles(tmp_path, sites=4, quarters=1, sites_of_group=1)
    with pytest.raises(NotEnoughTiles, match=word):
        choose_windows(TileSet(tiles), task, MASKS.model_copy(update=fields))


def test_a_head_that_diverges_stops_and_leaves_no_package(root, tiles, tmp_path):
    wild = SCENES.model_copy(update={"learning_rate": 1e37})
    with pytest.raises(TrainingDiverged, match="lower `learning_rate`"):
        finetune(tiles, root / "backbone", wild, Folder(tmp_path / "m"), HERE)
    assert not (tmp_path / "m").exists()


def test_a_head_learns_from_the_training_windows_and_is_chosen_on_the_validation_windows(root, tiles, tmp_path, monkeypatch):
    given = []
    run = import_module("components.finetuner.run")
    monkeypatch.setattr(run, "fit_head", lambda *args: given.extend(args) or fit_head(*args))
    finetune(tiles, root / "backbone", SCENES.model_copy(update={"epochs": 1}), Folder(tmp_path), HERE)
    windows = choose_windows(TileSet(tiles), "scenes", SCENES.samples)
    _, features, targets, train, validation, *_ = given
    assert train.tolist() == windows.rows("train").tolist()
    assert validation.tolist() == windows.rows("validation").tolist()
    assert targets.tolist() == (windows.labels + 1).tolist()
    assert features[windows.rows("train", "validation")].any(axis=1).all()
    assert not features[windows.rows("test")].any()


def test_segmentation_without_masks_is_refused():
    with pytest.raises(InvalidConfig, match="label_set"):
        FinetuneConfig(title="x", task="segmentation")


def test_class_weights_are_one_on_average_and_grow_for_rare_classes():
    targets = np.array([0, 1, 1, 1, 1, 1, 1, 1, 1, 2], np.uint8)
    assert class_weights(targets, 2, 0.0).tolist() == [1, 1]
    weights = class_weights(targets, 2, 1.0)
    assert weights[1] / weights[0] == pytest.approx(8)
    assert (8 * weights[0] + weights[1]) / 9 == pytest.approx(1)


def test_the_loss_is_taken_at_the_middles_of_the_head_s_cells():
    targets = np.arange(56 * 28).reshape(1, 56, 28).astype(np.uint8)
    picked = on_grid_of_head(targets, (16, 8))
    assert picked.shape == (1, 16, 8)
    assert picked[0, 3, 5] == targets[0, 12, 19]  # 3.5 and 5.5 cells of 3.5 px each
    assert (on_grid_of_head(np.repeat(np.repeat([[[1, 2]]], 28, axis=1), 14, axis=2), (8, 8))[0, 0] == [1, 1, 1, 1, 2, 2, 2, 2]).all()


def test_scenes_of_more_classes_than_a_byte_holds_are_each_taught_their_own():
    classes = classes_of([f"class {number:03d}" for number in range(300)])
    scenes = tuple(Window(tile=label, top=0, left=0, label=label, part="train", group="") for label in range(300))
    windows = Windows(scenes, pd.Series("train", range(300)), classes, "web", 56)
    targets = targets_of(None, windows, SCENES)
    assert truth(targets, torch.device("cpu")).tolist() == list(range(300))
    assert class_weights(targets, 300, 1.0).tolist() == [1] * 300


def test_classes_without_colours_are_given_different_ones():
    classes = classes_of([f"class {number}" for number in range(30)])
    assert len({spec.colour for spec in classes}) == 30
    assert [spec.value for spec in classes] == list(range(1, 31))
