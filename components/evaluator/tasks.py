"""A task model beside its baselines, all trained on the same windows and judged on the same test tiles."""

from dataclasses import dataclass

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
from eartheye.raster import select_bands
from eartheye.tiles import TileSet
from models.tasks import SceneClassifier, Segmenter

HEAD = "frozen-head"
"""Protocol: the task's own head, trained on frozen features; for the random backbone with the same configuration."""


@dataclass(frozen=True)
class Trial:
    """A task model under test, what it was trained on, and how it is judged."""

    tiles: TileSet
    windows: Windows
    model: SceneClassifier | Segmenter
    package: ModelPackage
    training: FinetuneConfig
    config: EvaluatorConfig
    resources: Resources

    def baseline(self) -> SceneClassifier | Segmenter:
        """Train the same head in the same way on a backbone with weights of chance."""
        backbone = random_backbone(self.package.architecture, self.config.seed)
        training = self.training.model_copy(update={"title": f"{self.training.title} on a random backbone"})  # as progress tells of it
        return fit(backbone, self.tiles, self.windows, self.package.image, training, self.resources).model


def judge_segmentation(trial: Trial) -> tuple[list[Judged], dict[str, bytes]]:
    """Judge the class maps of the test tiles; the model under test comes first.

    Returns:
        Confusion by group, and pictures by name.
    """
    tiles, windows, image, config = trial.tiles, trial.windows, trial.package.image, trial.config
    label_set = trial.training.samples.label_set
    assert isinstance(trial.model, Segmenter), "the package says segmentation"
    assert label_set is not None, "the configuration was checked"
    baseline = trial.baseline()
    assert isinstance(baseline, Segmenter), "the task is segmentation"
    forest = ColourForest(tiles, windows, label_set, image, config.forest_pixels, config.seed)
    ways: list[tuple[str, str, Predict]] = [
        (PRETRAINED, HEAD, TilePredictor(trial.model, tiles, windows, image, trial.training.precision, trial.resources).predict),
        (RANDOM, HEAD, TilePredictor(baseline, tiles, windows, image, trial.training.precision, trial.resources).predict),
        (COLOUR, "random-forest", forest.predict),
    ]
    judged = [
        Judged(name, protocol, by_group(hold_against_truth(predict, tiles, windows, label_set), len(windows.classes)))
        for name, protocol, predict in ways
    ]
    rows: list[list[NDArray[np.generic]]] = []
    for tile in pictures.pictured(windows, config.pictured_tiles):
        maps = [truth_of(tiles, windows, label_set, tile), *(predict(tile) for _, _, predict in ways)]
        pixels, valid = tiles.image(tile)
        shown = pictures.stretch(pixels[select_bands(tiles.sensor(tile).bands, image.bands)], valid)
        rows.append([shown, *(pictures.paint(numbers, windows.classes) for numbers in maps)])
    titles = ("tile", "truth", *(name for name, _, _ in ways))
    return judged, {"predictions": pictures.side_by_side(rows, titles, windows.classes)}


def judge_scenes(trial: Trial) -> tuple[list[Judged], dict[str, bytes]]:
    """Judge the classes of the test windows; the model under test comes first.

    Returns:
        Confusion by group, and pictures by name.
    """
    tiles, windows, image, config, resources = trial.tiles, trial.windows, trial.package.image, trial.config, trial.resources
    assert isinstance(trial.model, SceneClassifier), "the package says scenes"
    judged, test = [], windows.rows("test")
    for name, model in ((PRETRAINED, trial.model), (RANDOM, trial.baseline())):
        features = encode(model, tiles, windows, test, image, trial.training.precision, resources)
        with torch.inference_mode():
            scores = logits(model, features[test], (), torch.device(resources.device))
        judged.append(judge(name, HEAD, scores.argmax(dim=1).cpu().numpy(), windows))
    frozen = network_features(trial.model.backbone, tiles, windows, image, trial.training.precision, resources)
    judged += [found for found in judge_features(PRETRAINED, frozen, windows, config) if found.protocol == "knn"]
    judged += judge_features(COLOUR, colour_features(tiles, windows, image, resources), windows, config)
    return judged, {}
