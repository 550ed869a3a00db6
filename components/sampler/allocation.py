"""How many sites each stratum gets: equation (1) of the CG-EarthEye report."""

import numpy as np
from numpy.typing import NDArray


def allocate(cells: NDArray[np.int64], land_class: NDArray[np.uint8], ratio: NDArray[np.float64], target_sites: int) -> NDArray[np.int64]:
    """Share the sites among strata: alpha = max(1, M * A_p * k / N_p), rounded, and never more than the stratum has.

    A class of ratio 0 is left out: there the equation's "at least one" does not hold.

    Args:
        cells: (S,) cells of each stratum, k > 0.
        land_class: (S,) land-cover class p of each stratum.
        ratio: (P,) share A_p of the sites for each class number.
        target_sites: M.

    Returns:
        (S,) sites to draw from each stratum.

    Source: CG-EarthEye report, equation (1).
    """
    cells_of_class = np.bincount(land_class, weights=cells, minlength=len(ratio))
    alpha = target_sites * ratio[land_class] * cells / cells_of_class[land_class]
    return np.where(ratio[land_class] > 0, np.clip(np.rint(alpha).astype(np.int64), 1, cells), 0)
