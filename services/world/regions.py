"""Administrative regions with irregular borders."""

import geopandas as gpd
import numpy as np
import shapely
from rasterio.features import shapes

from services.world.config import CRS, WorldConfig
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

    parts: list[list[shapely.Geometry]] = [[] for _ in NAMES]
    for outline, region in shapes(nearest, transform=block.transform):
        parts[int(region)].append(shapely.geometry.shape(outline))
    polygons = shapely.coverage_simplify([shapely.union_all(part) for part in parts], 3 * step_m)
    left, top = config.upper_left_m
    placed = shapely.transform(np.asarray(polygons), lambda xy: np.column_stack([left + xy[:, 0], top - xy[:, 1]]))
    whole = [shapely.MultiPolygon(list(shapely.get_parts(region))) for region in placed]
    return gpd.GeoDataFrame({"region_id": np.arange(1, len(NAMES) + 1), "name": NAMES}, geometry=whole, crs=CRS)
