"""Linear probe: what a linear classifier makes of features."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse regularisation that is tried. Source: CLIP (Radford et al., 2021) sweeps it likewise."""
ITERATIONS = 300


def probe(
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    test: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Train multinomial logistic regressions on standardised features, and use the one that is best on the validation part.

    Args:
        features: (N, D) of all images.
        labels: (N,) class numbers from 0.
        train: rows to learn from.
        validation: rows to choose the regularisation by; where there are none the middle one is taken.
        test: rows to classify.

    Returns:
        Class numbers of the test rows, from 0.
    """
    features = features.astype(np.float32)
    strengths = STRENGTHS if len(validation) else STRENGTHS[len(STRENGTHS) // 2 :][:1]
    fitted = []
    for strength in strengths:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=ITERATIONS))
        # thousands of products of matrices too small to share: threads would spend the time on waiting for each other
        with threadpool_limits(1), warnings.catch_warnings():
            # weakly regularised ones are still on their way after the iterations, and judged as they are
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(features[train], labels[train])
        score = float((classifier.predict(features[validation]) == labels[validation]).mean()) if len(validation) else 0.0
        fitted.append((score, classifier))
    best = max(fitted, key=lambda entry: entry[0])[1]
    return best.predict(features[test]).astype(np.int64)
