"""The evaluation step: a model and tiles in, a report out."""

import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from components.evaluator import pictures
from components.evaluator.config import EvaluatorConfig
from components.evaluator.features import colour_features, judge_features, network_features, random_backbone
from components.evaluator.patches import patch_picture
from components.evaluator.scoring import COLOUR, PRETRAINED, RANDOM, by_class, comparisons, scores_of
from components.evaluator.tasks import Trial, judge_scenes, judge_segmentation
from components.finetuner.config import FinetuneConfig
from components.finetuner.features import training_images
from components.finetuner.resources import Resources
from components.finetuner.run import CONFIG
from components.finetuner.windows import Windows, choose_windows
from eartheye.contracts import ModelPackage, Report, Tiles, digest
from eartheye.errors import InvalidConfig, NotEnoughTiles, UnreadableManifest
from eartheye.store import Bulk, Folder
from eartheye.tiles import TileSet
from eartheye.tracking import run
from eartheye.wording import counted
from models.package import backbone_folder, check_sensor, load_backbone, load_task_model

STEP = "evaluator/3"
HISTORY = "history.parquet"


def evaluate_backbone(
    tiles: Folder, backbone: Folder, config: EvaluatorConfig, report: Folder, resources: Resources = Resources()
) -> Report:
    """Judge a backbone's frozen features on labelled scenes, beside a random backbone and colour histograms.

    A folder that is finished already is returned as it is.

    Args:
        tiles: a finished folder of tiles, some with labels.
        backbone: a finished backbone.
        config: scenes and protocols.
        report: where the report goes.
        resources: device and threads.

    Raises:
        NotFinished: `tiles` or `backbone` is still to be made.
        NotEnoughTiles: too few labelled scenes.
        WrongBands: the labelled tiles have other channels than the backbone.
        WrongScale: they have another ground sampling distance than the backbone was trained for.
        StoreFull: there is no room for the features meanwhile, or for the report.
        ConflictingOutput: `report` holds what another input or configuration made.
    """
    given, package = Tiles.read(tiles), ModelPackage.read(backbone)
    made_from = identify(given, package, config)
    if done := Report.done(report, made_from):
        return done

    tile_set, network = TileSet(tiles), load_backbone(backbone)
    windows = open_scenes(tile_set, package, config)
    image = training_images(tile_set, windows)
    with run(f"evaluate-{package.title}", config, {"tiles": given.digest, "model": package.digest}) as tracked:
        judged = [
            *judge_features(PRETRAINED, network_features(network, tile_set, windows, image, "float32", resources), windows, config),
            *judge_features(
                RANDOM,
                network_features(random_backbone(package.architecture, config.seed), tile_set, windows, image, "float32", resources),
                windows,
                config,
            ),
            *judge_features(COLOUR, colour_features(tile_set, windows, image, resources), windows, config),
        ]
        scores = scores_of(judged, ["oa"], config)
        for score in scores:
            tracked.metric(f"{package.title}/{score.model}/{score.protocol}/{score.metric}", score.value)
        matrix = judged[1].matrices.sum(axis=0)
        per_class, confusion = by_class(matrix, windows.classes, "oa")
        drawn = {
            "confusion": pictures.confusion_matrix(matrix, windows.classes),
            "patch-features": patch_picture(network, tile_set, pictures.pictured(windows, config.pictured_tiles), image),
            "training": pictures.curves(history_of(backbone), ("loss", "teacher_entropy", "feature_std"), "step"),
        }
        return Report(
            made_from=made_from,
            task="backbone",
            model_digest=package.digest,
            scores=scores,
            per_class=per_class,
            confusion=confusion,
            split=split_in_words(tile_set, windows),
            notes=(*comparisons(scores, len(judged[0].matrices)), seen_in_pretraining(given, backbone, windows)),
            pictures=keep(report, drawn),
        ).finish(report)


def evaluate_task(tiles: Folder, model: Folder, config: EvaluatorConfig, report: Folder, resources: Resources = Resources()) -> Report:
    """Judge a task model on the test part of its tiles, beside the same head on a random backbone and a classifier of colours.

    A folder that is finished already is returned as it is.

    Args:
        tiles: the tiles that the model was trained on; it has not seen their test part.
        model: a finished task model.
        config: of the protocols.
        report: where the report goes.
        resources: device and threads.

    Raises:
        NotFinished: `tiles` or `model` is still to be made.
        InvalidConfig: these are not the tiles of the model's split.
        NotEnoughTiles: the split has no test part.
        WrongBackbone: the model's backbone is not there, or another one.
        StoreFull: there is no room for the features meanwhile, or for the report.
        ConflictingOutput: `report` holds what another input or configuration made.
    """
    given, package = Tiles.read(tiles), ModelPackage.read(model)
    made_from = identify(given, package, config)
    if done := Report.done(report, made_from):
        return done

    trial = open_trial(tiles, model, config, resources)
    tile_set, windows, training = trial.tiles, trial.windows, trial.training
    judge = judge_segmentation if training.task == "segmentation" else judge_scenes
    metrics = ("miou", "oa") if training.task == "segmentation" else ("oa",)
    with run(f"evaluate-{package.title}", config, {"tiles": given.digest, "model": package.digest}) as tracked:
        judged, drawn = judge(trial)
        scores = scores_of(judged, metrics, config)
        for score in scores:
            tracked.metric(f"{package.title}/{score.model}/{score.protocol}/{score.metric}", score.value)
        matrix = judged[0].matrices.sum(axis=0)
        per_class, confusion = by_class(matrix, windows.classes, metrics[0])
        drawn |= {
            "confusion": pictures.confusion_matrix(matrix, windows.classes),
            "training": pictures.curves(history_of(model), ("loss", "validation"), "epoch"),
        }
        assert package.backbone is not None, "the model was loaded"
        notes = (
            *comparisons(scores, len(judged[0].matrices)),
            seen_in_pretraining(given, backbone_folder(package.backbone, model), windows),
        )
        return Report(
            made_from=made_from,
            task=training.task,
            model_digest=package.digest,
            scores=scores,
            per_class=per_class,
            confusion=confusion,
            split=split_in_words(tile_set, windows),
            notes=notes,
            pictures=keep(report, drawn),
        ).finish(report)


def identify(given: Tiles, package: ModelPackage, config: EvaluatorConfig) -> str:
    """Return the digest of what decides a report."""
    return digest(STEP, config, given.digest, package.digest)


def open_scenes(tiles: TileSet, package: ModelPackage, config: EvaluatorConfig) -> Windows:
    """Return the labelled scenes that a backbone is judged on, once they fit it."""
    windows = choose_windows(tiles, "scenes", config.samples)
    check_sensor(tiles.sensors[windows.sensor], package.image)
    check_test(windows)
    return windows


def open_trial(tiles: Folder, model: Folder, config: EvaluatorConfig, resources: Resources) -> Trial:
    """Return a task model and the windows that it is judged on, once these are those of its split."""
    tile_set, package = TileSet(tiles), ModelPackage.read(model)
    if tile_set.manifest.digest != package.provenance.trained_on[0]:
        raise InvalidConfig(
            f"{tiles.root} are not the tiles that {model.root} was trained on, so that its split says nothing of them: give those"
        )
    trained, training = load_task_model(model), training_of(model)
    windows = choose_windows(tile_set, training.task, training.samples)
    check_test(windows)
    return Trial(tile_set, windows, trained, package, training, config, resources)


def training_of(model: Folder) -> FinetuneConfig:
    """Return the configuration that a task model was trained with."""
    if (data := model.read(CONFIG)) is None:
        raise UnreadableManifest(f"{model.root}/{CONFIG} is not there: train the head again")
    return FinetuneConfig.model_validate_json(data)


def history_of(model: Folder) -> pd.DataFrame:
    """Return the figures of each step or epoch of a training."""
    if (data := model.read(HISTORY)) is None:
        raise UnreadableManifest(f"{model.root}/{HISTORY} is not there: train the model again")
    return pq.read_table(io.BytesIO(data)).to_pandas()


def check_test(windows: Windows) -> None:
    """Refuse a split that keeps nothing for the test."""
    if not len(windows.rows("test")):
        raise NotEnoughTiles("no window is left for the test: set a larger test_share, or label more tiles")


def split_in_words(tiles: TileSet, windows: Windows) -> str:
    """Say how training and test were kept apart; whether images without georeference share ground cannot be known."""
    counts = (
        f"{counted(len(windows.rows(part)), 'window')} of {counted(len(set(windows.tiles(part).values())), 'group')} for {part}"
        for part in ("train", "validation", "test")
    )
    placed = tiles.index.loc[windows.parts.index, "crs"].notna().all()
    return f"{', '.join(counts)}; no group {'and no piece of ground ' if placed else ''}is on two sides"


def seen_in_pretraining(given: Tiles, backbone: Folder, windows: Windows) -> str:
    """Say how much of the test ground the backbone saw, without labels, when it was pretrained.

    Every acquisition of that ground counts, those that are left out of the test as well: each of them shows the ground.
    """
    package = ModelPackage.read(backbone)
    if package.split is None or given.digest not in package.provenance.trained_on:
        return "the backbone was pretrained on other tiles"
    with backbone.open(package.split) as file:
        seen = pq.read_table(file).to_pandas()
    test = windows.parts.index[windows.parts == "test"]
    count = int(np.isin(test, seen.loc[seen["part"] == "train", "tile"]).sum())
    return f"of {counted(len(test), 'tile')} of the test groups, all acquisitions, the backbone saw {count} in pretraining, without labels"


def keep(report: Folder, drawn: dict[str, bytes]) -> dict[str, Bulk]:
    """Write the pictures of a report."""
    kept = {}
    for name, data in drawn.items():
        with report.create(f"{name}.png") as file:
            file.write(data)
        kept[name] = report.bulk(f"{name}.png")
    return kept
