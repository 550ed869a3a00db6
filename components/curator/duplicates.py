"""Which sites are copies of others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BANDS = 8
"""Parts of 16 bits that a thumbnail's 128 bits are compared by. Of pairs that correlate by 0.98, in whose 128 bits 8 differ, 29 of 30
agree in a part."""
LARGEST_BLOCK = 4096
"""Thumbnails correlated with others at a time."""


def find_copies(thumbnails: NDArray[np.uint8], site: NDArray[np.int64], least: float) -> set[int]:
    """Return the sites that are to go for there is another of the same look; of such the first stays.

    Args:
        thumbnails: (N, 1024) brightness of tiles.
        site: (N,) site of each tile; tiles of one site are no copies of each other.
        least: correlation from which two tiles count as copies.
    """
    vectors = thumbnails.astype(np.float32) - thumbnails.mean(axis=1, dtype=np.float32, keepdims=True)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    pairs = {pair for bucket in _buckets(thumbnails) for pair in _alike(vectors, bucket, site, least)}
    copies: set[int] = set()
    for first, second in sorted(pairs):
        if site[first] not in copies:
            copies.add(int(site[second]))
    return copies


def _buckets(thumbnails: NDArray[np.uint8]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows, ascending, that agree in 16 of the 128 bits that say which cells of 2 x 4 pixels are brighter than their median."""
    cells = thumbnails.reshape(-1, 16, 2, 8, 4).mean(axis=(2, 4)).reshape(len(thumbnails), -1)
    bits = np.packbits(cells > np.median(cells, axis=1, keepdims=True), axis=1)
    for band in bits.reshape(len(bits), BANDS, 2).transpose(1, 0, 2):
        code = band[:, 0].astype(np.int64) << 8 | band[:, 1]
        order = np.argsort(code, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(code[order])) + 1):
            if len(bucket) > 1:
                yield bucket


def _alike(vectors: NDArray[np.float32], rows: NDArray[np.int64], site: NDArray[np.int64], least: float) -> Iterator[tuple[int, int]]:
    """Yield pairs of rows of different sites whose vectors correlate, the smaller first."""
    for start in range(0, len(rows), LARGEST_BLOCK):
        some = rows[start : start + LARGEST_BLOCK]
        first, second = np.nonzero(vectors[some] @ vectors[rows].T >= least)
        first, second = some[first], rows[second]
        chosen = (first < second) & (site[first] != site[second])
        yield from zip(first[chosen].tolist(), second[chosen].tolist(), strict=True)
