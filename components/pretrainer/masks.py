"""Which patches of a global crop the student does not see."""

import math

import numpy as np
from numpy.typing import NDArray

SMALLEST_BLOCK_PATCHES = 4
"""Source: iBOT, DINOv2 (`MaskingGenerator`), after BEiT (Bao et al., 2021), algorithm 1."""
LOWEST_ASPECT = 0.3
"""Height of a block over its width lies between this and its inverse. Source: the same."""
ATTEMPTS_PER_BLOCK = 10


def draw_mask(grid: int, share: tuple[float, float], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mask a random share of an image's patches, in blocks.

    Rectangles are drawn until the share is reached, as in iBOT and DINOv2; where no rectangle fits any more, single patches make up
    the rest, so that the share is always the one that was drawn.

    Args:
        grid: patches along a side.
        share: smallest and largest share of patches to mask, 0 to 1.
        rng: where the randomness comes from.

    Returns:
        (grid * grid,) True where a patch is masked, row by row; at least one is.
    """
    patches = grid * grid
    fewest, most = max(1, math.ceil(share[0] * patches)), max(1, math.floor(share[1] * patches))
    wanted = int(np.clip(round(rng.uniform(*share) * patches), fewest, most))
    mask = np.zeros((grid, grid), dtype=bool)
    while (missing := wanted - int(mask.sum())) >= SMALLEST_BLOCK_PATCHES and _add_block(mask, missing, rng):
        pass
    free = np.flatnonzero(~mask)
    mask.reshape(-1)[rng.permutation(free)[: wanted - int(mask.sum())]] = True
    return mask.reshape(-1)


def _add_block(mask: NDArray[np.bool_], most: int, rng: np.random.Generator) -> bool:
    """Mask one more rectangle that adds 1 to `most` patches; False where none was found."""
    grid = len(mask)
    for _ in range(ATTEMPTS_PER_BLOCK):
        area = rng.uniform(SMALLEST_BLOCK_PATCHES, most)
        aspect = math.exp(rng.uniform(math.log(LOWEST_ASPECT), -math.log(LOWEST_ASPECT)))
        height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if not (0 < height <= grid and 0 < width <= grid):
            continue
        top, left = rng.integers(grid - height + 1), rng.integers(grid - width + 1)
        block = mask[top : top + height, left : left + width]
        if 0 < block.size - int(block.sum()) <= most:
            block[:] = True
            return True
    return False
