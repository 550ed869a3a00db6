"""Figures of merit, all from one confusion matrix. Letters: K classes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_confusion_matrix


def confusion(predicted: torch.Tensor, truth: torch.Tensor, classes: int) -> NDArray[np.int64]:
    """Count pixels or images by what they are and what they were taken for.

    Args:
        predicted: class numbers from 0, of any shape.
        truth: likewise, -1 where it is not known.
        classes: K.

    Returns:
        (K, K), rows: truth, columns: predicted.
    """
    if not (truth >= 0).any():
        return np.zeros((classes, classes), np.int64)
    return multiclass_confusion_matrix(predicted, truth, classes, ignore_index=-1, validate_args=False).cpu().numpy().astype(np.int64)


def class_iou(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class; nan for a class that is neither there nor predicted.

    Args:
        matrix: (..., K, K) confusion matrices.

    Returns:
        (..., K)
    """
    hits = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)
    union = matrix.sum(axis=-1) + matrix.sum(axis=-2) - hits
    return np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)


def mean_iou(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """(...) mean of `class_iou` over the classes that are there or predicted; one that is predicted and nowhere counts as 0."""
    iou = class_iou(matrix)
    present = ~np.isnan(iou)
    return np.where(present, iou, 0).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)


def overall_accuracy(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """(...) share of pixels or images that are right."""
    return np.trace(matrix, axis1=-2, axis2=-1) / np.maximum(matrix.sum(axis=(-2, -1)), 1)
