"""The ground of a block: its classes and what it looks like, layer by layer, at either date."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from services.world.burning import burn, burn_values, frame
from services.world.cover import Cover
from services.world.materials import Material, key
from services.world.noise import Block, Float, nearest_point, refined
from services.world.pavement import draw_airport, draw_roads
from services.world.plan import Plan
from services.world.roofs import TALLEST_SHADOW_COT, draw_building
from services.world.surfaces import Layers, Noise, cover_ground
from services.world.trees import DENSITY, SPACING_M, Trees, grow_trees

MARGIN_PX = 8
"""Pixels computed beyond a block on each side, for the tree shadows and the blur that reach in."""
HEDGE_DENSITY = 0.7


@dataclass(frozen=True)
class Ground:
    """What every scene of a date shares; arrays are (height, width) of the block with its margin."""

    block: Block
    """With the margin."""
    classes: NDArray[np.uint8]
    key: NDArray[np.uint16]
    """Material, tone and tint, as `materials.palette` reads them."""
    shadow_cot: Float
    """Cotangent of the sun's elevation from which on the pixel lies in shadow."""
    light: Float
    """Of the slope: 1 on level ground."""
    elevation_m: Float
    noise: Noise


class GroundMaker:
    """Makes the ground of blocks at one date."""

    def __init__(self, plan: Plan, after: bool) -> None:
        """Prepare the search for what touches a block.

        Args:
            plan: of the world.
            after: whether the changes have happened.
        """
        self.plan = plan
        self.changes = plan.changes if after else []
        self.buildings = plan.buildings + [building for change in self.changes for building in change.buildings]
        self.building_tree = shapely.STRtree([building.outline for building in self.buildings])
        self.tallest_m = max((building.height_m for building in self.buildings), default=0.0)
        self.roads = [road.line.buffer(road.width_m / 2, cap_style="square") for road in plan.roads]
        self.road_tree = shapely.STRtree(self.roads)

    def differs_in(self, block: Block) -> bool:
        """Say whether a change can be seen in a block: itself, or the shadow of a new building."""
        near = frame(block).buffer(self.tallest_m * TALLEST_SHADOW_COT)
        return any(change.outline.intersects(near) for change in self.changes)

    def make(self, inner: Block) -> Ground:
        """Make the ground of a block."""
        plan, salt = self.plan, self.plan.config.salt
        block = inner.grown(MARGIN_PX)
        noise = Noise.of(block, salt)
        x = np.broadcast_to(block.x.astype(np.float32), (block.height, block.width))
        y = np.broadcast_to(block.y.astype(np.float32)[:, None], (block.height, block.width))
        classes = plan.cover.at(x + 1.5 * noise.small + 5 * noise.middle, y + 1.5 * noise.small_too + 5 * noise.middle_too)
        self._burn_classes(block, classes)

        terrain = plan.terrain
        fields = (terrain.elevation_m, terrain.into_water_m, terrain.shade)
        elevation_m, into_water_m, light = (refined(block, terrain.block, field) for field in fields)
        district_m = 560 * plan.config.relief_scale + 40
        layers = cover_ground(classes, x, y, noise, elevation_m, into_water_m, district_m, salt)
        sealed = burn([self.roads[number] for number in self.road_tree.query(frame(block), predicate="intersects")], block)
        if sealed.any():
            draw_roads(sealed, block, layers, noise, salt)
        draw_airport(plan.airport, block, layers, noise)
        sealed |= burn([plan.airport.field], block)

        roofed = np.zeros(classes.shape, bool)
        shadow_cot = np.full(classes.shape, np.inf, np.float32)
        near = frame(block).buffer(self.tallest_m * TALLEST_SHADOW_COT)
        for number in sorted(self.building_tree.query(near)):
            draw_building(self.buildings[number], block, layers.material, layers.tone, layers.tint, shadow_cot, roofed)
        place = nearest_point(
            x + 1.3 * noise.small + 3 * noise.middle, y + 1.3 * noise.small_too + 3 * noise.middle_too, SPACING_M, 0.36, salt + 91
        )
        trees = grow_trees(place, _tree_density(classes, layers, noise) * ~(sealed | roofed), 0.45 + 0.4 * noise.broad)
        _plant(trees, layers, noise)
        shadow_cot = np.where(roofed, shadow_cot, np.minimum(shadow_cot, trees.shadow_cot))
        return Ground(block, classes, key(layers.material, layers.tone, layers.tint), shadow_cot, light, elevation_m, noise)

    def _burn_classes(self, block: Block, classes: NDArray[np.uint8]) -> None:
        """Put what has exact borders over the winding classes, in place."""
        shapes = [(self.plan.airport.field, Cover.GRASSLAND), (self.plan.airport.paved, Cover.BUILT_UP)]
        shapes += [(change.outline, change.after) for change in self.changes]
        burn_values([(shape, int(cover)) for shape, cover in shapes if shape.intersects(frame(block))], classes, block)


def _tree_density(classes: NDArray[np.uint8], layers: Layers, noise: Noise) -> Float:
    """Return (height, width) the share of places that bear a tree: more in some meadows, and hedges along some fields."""
    density = DENSITY[classes]
    groves = density * (1 + np.clip(2 * noise.large, -0.8, 4))
    hedge = (classes == Cover.CROPLAND) & (layers.material == Material.TRACK) & (noise.large > 0.55)
    return np.where(hedge, np.float32(HEDGE_DENSITY), np.where(classes == Cover.GRASSLAND, groves, density))


def _plant(trees: Trees, layers: Layers, noise: Noise) -> None:
    """Draw crowns into the layers of a block, in place."""
    crown = trees.crown
    layers.material[crown] = np.where(trees.evergreen[crown], Material.EVERGREEN, Material.DECIDUOUS)
    layers.tone[crown] = (trees.tone + 0.07 * noise.fine + 0.06 * noise.middle)[crown]
    layers.tint[crown] = (trees.tint + 0.35 * noise.large)[crown]
