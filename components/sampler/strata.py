"""Which stratum a cell belongs to: region, land-cover class and elevation interval."""

import numpy as np
from numpy.typing import NDArray

from eartheye.contracts import LAND_CLASSES

CLASS_NUMBERS = len(LAND_CLASSES) + 1


def stratify(
    region: NDArray[np.int32], land_class: NDArray[np.uint8], elevation_m: NDArray[np.float32], interval_m: float
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Number the strata, by region, then class, then interval.

    Intervals count from the lowest cell of a region and class; there are floor(span / h) of them, at least one, and the last takes in
    what the floor leaves over.

    Args:
        region: (N,) region of each cell, a small number from 0.
        land_class: (N,) class, 1 to 7.
        elevation_m: (N,) elevation.
        interval_m: width h of an interval.

    Returns:
        (N,) stratum of each cell; (S,) land-cover class of each stratum.

    Source: CG-EarthEye report, section 2.1, the intervals D_i of equation (1).
    """
    group = region.astype(np.int64) * CLASS_NUMBERS + land_class
    groups = int(group.max()) + 1
    elevation = elevation_m.astype(np.float64)
    lowest, highest = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(lowest, group, elevation)
    np.maximum.at(highest, group, elevation)
    met = np.isfinite(lowest)
    intervals = np.zeros(groups, np.int64)
    intervals[met] = np.maximum((highest[met] - lowest[met]) // interval_m, 1)

    first = np.cumsum(intervals) - intervals
    interval = np.minimum((elevation - lowest[group]) // interval_m, intervals[group] - 1).astype(np.int64)
    slot = first[group] + interval
    taken = np.bincount(slot, minlength=int(intervals.sum())) > 0  # an interval without a cell is no stratum
    number = np.cumsum(taken) - 1
    return number[slot], (np.repeat(np.arange(groups), intervals)[taken] % CLASS_NUMBERS).astype(np.uint8)
