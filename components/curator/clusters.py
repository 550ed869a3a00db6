"""Scene types, and the sites by which a type is too many."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

LEAST_SITES = 8
"""Sites of a type, on average, below which a type means nothing."""
STARTS = 4


def cluster(descriptors: NDArray[np.float32], blocks: tuple[int, ...], clusters: int, seed: int) -> NDArray[np.int32]:
    """Group sites by what they look like: k-means on standardised descriptors, each block of which counts the same.

    Args:
        descriptors: (N, D).
        blocks: lengths of the parts of a descriptor, D in all.
        clusters: k, or fewer where there would be less than eight sites to each.
        seed: of the starting points.

    Returns:
        (N,) clusters, numbered from 0 by their first site.
    """
    count = max(1, min(clusters, len(descriptors) // LEAST_SITES))
    spread = descriptors.std(axis=0, dtype=np.float64)
    standard = (descriptors - descriptors.mean(axis=0, dtype=np.float64)) / np.where(spread > 0, spread, 1)
    weighted = standard / np.sqrt(np.repeat(blocks, blocks))
    # sums over threads are added in the order in which they end, so that one thread alone gives the same clusters each time
    with threadpool_limits(1):
        found = KMeans(count, n_init=STARTS, random_state=seed).fit_predict(weighted)
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int32)


def redundant(
    cluster_of: NDArray[np.int32], site: NDArray[np.int64], entropy_bit: NDArray[np.float64], excess: float, seed: int
) -> NDArray[np.bool_]:
    """Say which sites are more of their type than wanted: in each cluster those whose hash of (seed, site) is largest.

    A type is wanted in proportion to what its images hold: to their mean perplexity 2^H, the number of grey levels that an image makes
    use of. So water and desert are thinned sooner than a town, which balances diversity between images with heterogeneity within them.
    The hash thins a cluster evenly; to drop by the distance from its middle would keep its oddest members.

    Args:
        cluster_of: (N,) cluster of each site.
        site: (N,).
        entropy_bit: (N,) entropy H of the brightness of each site's images, bits.
        excess: a cluster keeps at most so many times its share of the sites; 1 would be in exact proportion.
        seed: of the hash.
    """
    sizes = np.bincount(cluster_of)
    perplexity = np.bincount(cluster_of, weights=2.0**entropy_bit) / sizes
    allowed = np.ceil(excess * len(cluster_of) * perplexity / perplexity.sum()).astype(np.int64)
    hashes = np.array([_hash(int(number), seed) for number in site], np.uint64)
    order = np.lexsort((site, hashes, cluster_of))
    first_of_cluster = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - first_of_cluster[cluster_of[order]]
    return place >= allowed[cluster_of]


def _hash(site: int, seed: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{site}".encode(), digest_size=8).digest())
