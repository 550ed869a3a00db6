"""Nearest neighbours: what features are worth as they are, with nothing trained on them."""

import numpy as np
from numpy.typing import NDArray

CHUNK = 1024
"""Images that are compared with all training images at once."""


def classify(
    train: NDArray[np.floating],
    labels: NDArray[np.integer],
    test: NDArray[np.floating],
    classes: int,
    neighbours: int,
    temperature: float,
) -> NDArray[np.int64]:
    """Let the nearest training images vote, each with exp(cosine / temperature).

    Args:
        train: (N, D) features.
        labels: (N,) class numbers from 0.
        test: (M, D) features.
        classes: K.
        neighbours: k; fewer where there are fewer training images.
        temperature: of the votes.

    Returns:
        (M,) class numbers from 0.

    Source: DINO (Caron et al., 2021), appendix F.1, after Wu et al., 2018.
    """
    train, test = unit(train), unit(test)
    count = min(neighbours, len(train))
    predicted = []
    for start in range(0, len(test), CHUNK):
        cosine = test[start : start + CHUNK] @ train.T
        nearest = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
        votes = np.exp((np.take_along_axis(cosine, nearest, axis=1) - 1) / temperature)
        poll = np.zeros((len(cosine), classes))
        np.add.at(poll, (np.arange(len(cosine))[:, None], labels[nearest]), votes)
        predicted.append(poll.argmax(axis=1))
    return np.concatenate(predicted)


def unit(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """(N, D) features of unit length."""
    features = features.astype(np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-6)
