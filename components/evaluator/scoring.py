"""From predictions to scores with intervals. Letters: G test groups, K classes."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from components.evaluator.bootstrap import Metric, interval
from components.evaluator.config import EvaluatorConfig
from components.finetuner.metrics import class_iou, confusion, mean_iou, overall_accuracy
from eartheye.contracts import ClassSpec, Score
from eartheye.wording import counted

PRETRAINED, RANDOM, COLOUR = "pretrained", "random backbone", "colour histogram"
METRICS: dict[str, Metric] = {"oa": overall_accuracy, "miou": mean_iou}


class Judged(NamedTuple):
    """One model under one protocol."""

    model: str
    protocol: str
    matrices: NDArray[np.int64]
    """(G, K, K) confusion of each test group."""


def by_group(predictions: Iterable[tuple[str, NDArray[np.integer], NDArray[np.integer]]], classes: int) -> NDArray[np.int64]:
    """(G, K, K) confusion of each group, in the order of their names.

    Args:
        predictions: group, predicted and true class numbers from 0 (true: -1 where not known).
        classes: K.
    """
    matrices: dict[str, NDArray[np.int64]] = {}
    for group, predicted, truth in predictions:
        found = confusion(torch.from_numpy(predicted.astype(np.int64)), torch.from_numpy(truth.astype(np.int64)), classes)
        matrices[group] = matrices.get(group, 0) + found
    return np.stack([matrices[group] for group in sorted(matrices)])


def scores_of(judged: Sequence[Judged], metrics: Sequence[str], config: EvaluatorConfig) -> tuple[Score, ...]:
    """Return a score for each model, protocol and metric."""
    scores = []
    for model, protocol, matrices in judged:
        total = matrices.sum(axis=0)
        for name in metrics:
            ends = interval(matrices, METRICS[name], config.resamples, config.seed) or (None, None)
            value, count = float(METRICS[name](total)), int(total.sum())
            scores.append(Score(model=model, protocol=protocol, metric=name, value=value, low=ends[0], high=ends[1], count=count))
    return tuple(scores)


def by_class(matrix: NDArray[np.int64], classes: Sequence[ClassSpec], metric: str) -> tuple[dict[str, float], tuple[tuple[int, ...], ...]]:
    """Return the metric of each class, and the confusion matrix in the same order.

    A class that is neither in the truth nor predicted is in neither.

    Args:
        matrix: (K, K) confusion.
        classes: K.
        metric: `miou` gives the intersection over union, `oa` the share of the class that is right.
    """
    iou = class_iou(matrix)
    there = np.flatnonzero(~np.isnan(iou)).tolist()
    right = np.diagonal(matrix) / np.maximum(matrix.sum(axis=1), 1)
    values = iou if metric == "miou" else right
    figures = {classes[number].name: float(values[number]) for number in there}
    return figures, tuple(tuple(row) for row in matrix[np.ix_(there, there)].tolist())


def comparisons(scores: Sequence[Score], groups: int) -> tuple[str, ...]:
    """Say in words how the pretrained model stands beside each baseline, and how far the intervals can be trusted."""
    words = []
    for score in scores:
        if score.model != PRETRAINED:
            continue
        for other in scores:
            if other.model != PRETRAINED and (other.protocol, other.metric) == (score.protocol, score.metric):
                place = "above" if score.value > other.value else "not above"
                words.append(f"{score.protocol}, {score.metric}: {PRETRAINED} {score.value:.3f} is {place} {other.model} {other.value:.3f}")
    words.append(f"intervals are over {counted(groups, 'test group')}" + ("; with so few they are rough" if groups < 10 else ""))
    return tuple(words)
