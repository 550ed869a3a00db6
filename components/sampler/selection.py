"""Which cells of a stratum become sites."""

import numpy as np
from numpy.typing import NDArray

SPREAD = 6.0
"""How many standard deviations more than wanted are looked at: the number of hashes below a threshold varies with its root."""

WORTH_SORTING = 0.5
"""A stratum of which more than this share is looked at is sorted whole."""


def select(cell: NDArray[np.int64], stratum: NDArray[np.int64], quota: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Rows of the chosen cells, ascending: in each stratum those whose hash of (seed, cell) is smallest.

    A cell's hash depends on nothing else, so the choice does not change with the order or the partitioning of the cells, and fewer sites
    are a subset of more. Only the cells below a threshold, somewhat above the quota, are sorted.

    Args:
        cell: (N,) cell numbers.
        stratum: (N,) stratum of each.
        quota: (S,) sites to draw from each stratum, no more than it has cells.
        seed: another seed chooses others.

    Returns:
        (M,) rows.
    """
    hashes = hash_cells(cell, seed)
    cells = np.maximum(np.bincount(stratum, minlength=len(quota)), 1)
    share = np.where(quota > 0, (quota + SPREAD * np.sqrt(quota) + SPREAD**2) / cells, 0.0)
    most = share >= WORTH_SORTING
    threshold = np.where(most, np.iinfo(np.uint64).max, (np.where(most, 0.0, share) * 2.0**64).astype(np.uint64))
    low = hashes < threshold[stratum]
    short = np.bincount(stratum[low], minlength=len(quota)) < quota
    if short.any():  # too few hashes below the threshold, or one of the largest possible hash
        low |= short[stratum]
    row = np.flatnonzero(low)
    by_hash = row[np.lexsort((hashes[row], stratum[row]))]
    ordered = stratum[by_hash]
    first_of_stratum = np.searchsorted(ordered, np.arange(len(quota)))
    place = np.arange(len(by_hash)) - first_of_stratum[ordered]
    return np.sort(by_hash[place < quota[ordered]])


def hash_cells(cell: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """(N,) hash of each cell number, uniform over 64 bits. Source: SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = cell.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
