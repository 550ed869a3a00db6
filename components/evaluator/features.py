"""What is judged on scenes: the features of a backbone, of a random one, and of colours."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from components.evaluator.colour import histograms
from components.evaluator.config import EvaluatorConfig
from components.evaluator.neighbours import classify
from components.evaluator.probe import probe
from components.evaluator.scoring import COLOUR, Judged, by_group
from components.finetuner.features import batches, encode
from components.finetuner.resources import Resources
from components.finetuner.windows import Windows
from eartheye.contracts import Architecture, ImageSpec
from eartheye.tiles import TileSet
from models.heads.linear import LinearHead
from models.package import build_backbone
from models.tasks import SceneClassifier
from models.vit import VisionTransformer


def random_backbone(architecture: Architecture, seed: int) -> VisionTransformer:
    """Return the same network with weights of chance: what the architecture is worth without pretraining."""
    torch.manual_seed(seed)
    return build_backbone(architecture)


def network_features(
    backbone: VisionTransformer, tiles: TileSet, windows: Windows, image: ImageSpec, precision: str, resources: Resources
) -> NDArray[np.float16]:
    """(N, 2 D) class token and mean patch token of every window."""
    model = SceneClassifier(backbone, LinearHead(backbone.spec.dim, len(windows.classes)))
    return encode(model, tiles, windows, np.arange(len(windows.all)), image, precision, resources)


def colour_features(tiles: TileSet, windows: Windows, image: ImageSpec, resources: Resources) -> NDArray[np.float32]:
    """(N, bins) colour histogram of every window."""
    every = batches(tiles, windows, np.arange(len(windows.all)), image, resources.loader_threads)
    return np.concatenate([histograms(images) for _, images in every])


def judge_features(name: str, features: NDArray[np.floating], windows: Windows, config: EvaluatorConfig) -> Iterator[Judged]:
    """Judge features by nearest neighbours and by a linear probe, on the test windows.

    Args:
        name: of the model.
        features: (N, 2 D) of a network, (N, bins) of colours.
        windows: the N windows, with labels and parts.
        config: of the protocols.
    """
    labels, classes = windows.labels, len(windows.classes)
    train, validation, test = (windows.rows(part) for part in ("train", "validation", "test"))
    # the protocol takes a network's class token alone, the first half
    near = features if name == COLOUR else features[:, : features.shape[1] // 2]
    voted = classify(near[train], labels[train], near[test], classes, config.neighbours, config.neighbour_temperature)
    yield judge(name, "knn", voted, windows)
    yield judge(name, "linear-probe", probe(features, labels, train, validation, test), windows)


def judge(name: str, protocol: str, predicted: NDArray[np.int64], windows: Windows) -> Judged:
    """Hold the predictions of the test windows against their labels."""
    test = windows.rows("test")
    labels, groups = windows.labels[test], np.array([windows.all[row].group for row in test])
    chosen = [(group, predicted[groups == group], labels[groups == group]) for group in sorted(set(groups.tolist()))]
    return Judged(name, protocol, by_group(chosen, len(windows.classes)))
