"""How sure a figure is: what it would be on other test ground."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Metric = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""(..., K, K) confusion matrices to (...) figures."""
LEAST_GROUPS = 2
ENDS = (0.025, 0.975)


def interval(matrices: NDArray[np.int64], metric: Metric, resamples: int, seed: int) -> tuple[float, float] | None:
    """95 % percentile interval of a metric over the test groups, drawn with replacement.

    Groups are drawn and not pixels or tiles, for those of one place resemble each other.

    Args:
        matrices: (G, K, K) confusion matrix of each group.
        metric: of the sum of the groups' matrices.
        resamples: how often G groups are drawn.
        seed: of the drawing.

    Returns:
        Lower and upper end; None for a single group.

    Source: Efron and Tibshirani, 1993, the percentile interval of a cluster bootstrap.
    """
    groups = len(matrices)
    if groups < LEAST_GROUPS:
        return None
    times = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=resamples)
    sums = np.tensordot(times, matrices, axes=1)
    low, high = np.quantile(metric(sums), ENDS)
    return float(low), float(high)
