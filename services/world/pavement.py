"""Roads with the cars on them, and an airport's concrete, runway and markings."""

import numpy as np
import shapely
import shapely.ops
from numpy.typing import NDArray

from services.world.airport import Airport
from services.world.burning import burn, frame
from services.world.materials import Material
from services.world.noise import Block, nearest_point
from services.world.surfaces import Layers, Noise

CAR_SPACING_M = 6.0
CARS_PER_HUNDRED = 7
"""Of the places on a road that could hold a car, how many do."""
PAINTS = np.array([Material.ROOF_WHITE, Material.ROOF_DARK, Material.ROOF_GREY, Material.ROOF_RED], np.uint8)
DASH_M, DASH_EVERY_M = 30.0, 50.0


def draw_roads(on_road: NDArray[np.bool_], block: Block, layers: Layers, noise: Noise, salt: int) -> None:
    """Draw asphalt and cars into the layers of a block, in place.

    Args:
        on_road: (height, width) where the roads are.
        block: the window of the layers.
        layers: of the block.
        noise: of the block.
        salt: of the world.
    """
    layers.material[on_road] = Material.ASPHALT
    layers.tone[on_road] = (0.4 + 0.12 * noise.large + 0.06 * noise.small + 0.1 * noise.grain)[on_road]
    x = np.broadcast_to(block.x.astype(np.float32), on_road.shape)
    y = np.broadcast_to(block.y.astype(np.float32)[:, None], on_road.shape)
    car = nearest_point(x, y, CAR_SPACING_M, 0.3, salt + 81)
    crossways = (car.bits & np.uint32(1)).astype(bool)
    along, across = np.where(crossways, car.dx, car.dy), np.where(crossways, car.dy, car.dx)
    there = (car.bits >> np.uint32(8)) % np.uint32(100) < CARS_PER_HUNDRED
    parked = on_road & there & (np.abs(along) < 2.1) & (np.abs(across) < 1.1)
    layers.material[parked] = PAINTS[(car.bits[parked] >> np.uint32(4)) % np.uint32(len(PAINTS))]
    layers.tone[parked] = 0.75


def draw_airport(airport: Airport, block: Block, layers: Layers, noise: Noise) -> None:
    """Draw what is paved at an airport into the layers of a block, in place."""
    if not airport.field.intersects(frame(block)):
        return
    paved = burn(list(airport.paved.geoms), block)
    layers.material[paved] = Material.CONCRETE
    layers.tone[paved] = (0.45 + 0.06 * noise.small + 0.1 * noise.middle + 0.08 * noise.grain)[paved]
    runway = burn([airport.runway.buffer(airport.runway_width_m / 2, cap_style="flat")], block)
    layers.material[runway] = Material.ASPHALT
    layers.tone[runway] = (0.3 + 0.07 * noise.middle + 0.1 * noise.grain)[runway]
    marked = burn(_markings(airport), block)
    layers.material[marked] = Material.MARKING
    layers.tone[marked] = 0.8


def _markings(airport: Airport) -> list[shapely.Geometry]:
    """Return the dashes of the middle line, and the bars at both thresholds."""
    line, width_m = airport.runway, airport.runway_width_m
    dashes = [shapely.ops.substring(line, start, start + DASH_M) for start in np.arange(60, line.length - 60, DASH_EVERY_M)]
    ends = [shapely.ops.substring(line, start, start + 24) for start in (18, line.length - 42)]
    bars = [end.offset_curve(offset) for end in ends for offset in np.arange(4 - width_m / 2, width_m / 2 - 3, 4.5)]
    return [mark.buffer(0.9, cap_style="flat") for mark in dashes + bars]
