"""Administrative regions with irregular borders."""

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from scipy import ndimage

from services.world.config import PROJECTION, WorldConfig
from services.world.noise import Block, fractal_noise

NAMES = ("Ashford", "Brenner Vale", "Corvane", "Dunmere")
MARGIN_M = 1200
"""How far the regions reach beyond the world, so that a cell of 1 km at its edge has one too."""
PIXELS = 400
"""Side of the grid that the borders are traced on."""


def make_regions(config: WorldConfig) -> gpd.GeoDataFrame:
    """Return four regions that cover the world without gap or overlap.

    Returns:
        Rows with `region_id` (from 1), `name` and the polygon.
    """
    rng = np.random.default_rng([config.seed, 5])
    size_m = config.size_m
    step_m = (size_m + 2 * MARGIN_M) / PIXELS
    block = Block(-MARGIN_M, -MARGIN_M, PIXELS, PIXELS, step_m)
    quarter = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])
    seat = (quarter + rng.uniform(-0.12, 0.12, (4, 2))) * size_m
    winding = [0.06 * size_m * fractal_noise(block, 0.15 * size_m, 4, config.salt + 31 + axis) for axis in (0, 1)]
    x, y = block.x[None, :] + winding[0], block.y[:, None] + winding[1]
    nearest = np.argmin([np.hypot(x - seat_x, y - seat_y) for seat_x, seat_y in seat], axis=0).astype(np.uint8)

    whole = _connected(nearest)
    parts: list[list[shapely.Geometry]] = [[] for _ in NAMES]
    for outline, region in shapes(whole, transform=block.transform):
        parts[int(region)].append(shapely.geometry.shape(outline))
    outlines = shapely.coverage_simplify([shapely.union_all(part) for part in parts], 3 * step_m)
    left, top = config.upper_left_m
    placed = shapely.transform(np.asarray(outlines), lambda xy: np.column_stack([left + xy[:, 0], top - xy[:, 1]]))
    return gpd.GeoDataFrame({"region_id": np.arange(1, len(NAMES) + 1), "name": NAMES}, geometry=placed, crs=PROJECTION)


def _connected(region: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the exclaves of each region to the neighbours."""
    exclave = np.zeros(region.shape, bool)
    for number in range(len(NAMES)):
        patch, _ = ndimage.label(region == number)
        size = np.bincount(patch.ravel())
        size[0] = 0
        exclave |= (patch > 0) & (patch != size.argmax())
    nearest = ndimage.distance_transform_edt(exclave, return_distances=False, return_indices=True)
    return region[tuple(nearest)]
