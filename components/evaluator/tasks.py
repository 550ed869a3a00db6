"""A task model beside its baselines, all trained on the same windows and judged on the same test tiles."""

import numpy as np
import torch
from numpy.typing import NDArray

from components.evaluator import pictures
from components.evaluator.colour import ColourForest
from components.evaluator.config import EvaluatorConfig
from components.evaluator.features import colour_features, judge, judge_features, network_features, random_backbone
from components.evaluator.scoring import COLOUR, PRETRAINED, RANDOM, Judged, by_group
from components.evaluator.segmentation import Predict, TilePredictor, hold_against_truth, truth_of
from components.finetuner.config import FinetuneConfig
from components.finetuner.features import encode
from components.finetuner.fitting import logits
from components.finetuner.resources import Resources
from components.finetuner.run import fit
from components.finetuner.windows import Windows
from eartheye.contracts import ModelPackage
from eartheye.tiles import TileSet
from models.tasks import SceneClassifier, Segmenter

HEAD = "frozen-head"
"""Protocol: the task's own head, trained on frozen features; for the random backbone with the same configuration."""


def judge_segmentation(
    tiles: TileSet,
    windows: Windows,
    trained: SceneClassifier | Segmenter,
    package: ModelPackage,
    training: FinetuneConfig,
    config: EvaluatorConfig,
    resources: Resources,
) -> tuple[list[Judged], dict[str, bytes]]:
    """Judge the class maps of the test tiles; the model under test comes first.

    Returns:
        Confusion by group, and pictures by name.
    """
    label_set = training.samples.label_set
    assert isinstance(trained, Segmenter), "the package says segmentation"
    assert label_set is not None, "the configuration was checked"
    baseline = fit(random_backbone(package.architecture, config.seed), tiles, windows, package.image, training, resources).model
    assert isinstance(baseline, Segmenter), "the task is segmentation"
    forest = ColourForest(tiles, windows, label_set, package.image, config.forest_pixels, config.seed)
    ways: list[tuple[str, str, Predict]] = [
        (PRETRAINED, HEAD, TilePredictor(trained, tiles, windows, package.image, training.precision, resources).predict),
        (RANDOM, HEAD, TilePredictor(baseline, tiles, windows, package.image, training.precision, resources).predict),
        (COLOUR, "random-forest", forest.predict),
    ]
    judged = [
        Judged(name, protocol, by_group(hold_against_truth(predict, tiles, windows, label_set), len(windows.classes)))
        for name, protocol, predict in ways
    ]
    rows: list[list[NDArray[np.generic]]] = []
    for tile in pictures.pictured(windows, config.pictured_tiles):
        maps = [truth_of(tiles, windows, label_set, tile), *(predict(tile) for _, _, predict in ways)]
        rows.append([pictures.stretch(tiles.channels(tile)), *(pictures.paint(numbers, windows.classes) for numbers in maps)])
    titles = ("tile", "truth", *(name for name, _, _ in ways))
    return judged, {"predictions": pictures.side_by_side(rows, titles, windows.classes)}


def judge_scenes(
    tiles: TileSet,
    windows: Windows,
    trained: SceneClassifier | Segmenter,
    package: ModelPackage,
    training: FinetuneConfig,
    config: EvaluatorConfig,
    resources: Resources,
) -> tuple[list[Judged], dict[str, bytes]]:
    """Judge the classes of the test windows; the model under test comes first.

    Returns:
        Confusion by group, and pictures by name.
    """
    assert isinstance(trained, SceneClassifier), "the package says scenes"
    baseline = fit(random_backbone(package.architecture, config.seed), tiles, windows, package.image, training, resources).model
    judged, test = [], windows.rows("test")
    for name, model in ((PRETRAINED, trained), (RANDOM, baseline)):
        features = encode(model, tiles, windows, test, package.image, training.precision, resources)
        with torch.inference_mode():
            scores = logits(model, features[test], (), torch.device(resources.device))
        judged.append(judge(name, HEAD, scores.argmax(dim=1).cpu().numpy(), windows))
    frozen = network_features(trained.backbone, tiles, windows, package.image, training.precision, resources)
    judged += [found for found in judge_features(PRETRAINED, frozen, windows, config) if found.protocol == "knn"]
    judged += judge_features(COLOUR, colour_features(tiles, windows, package.image, resources), windows, config)
    return judged, {}
