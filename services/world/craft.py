"""Ships and aircraft seen from above."""

import numpy as np
from numpy.typing import NDArray

from services.world.noise import Block, Float
from services.world.roofs import TOWARDS_SHADOW
from services.world.traffic import Craft

HULLS = np.array([[122, 52, 44], [70, 78, 84], [58, 82, 104], [96, 104, 88], [150, 146, 138], [86, 60, 50]], np.float32)
CARGO = np.array([[168, 92, 52], [72, 98, 130], [150, 148, 140], [88, 116, 84], [190, 176, 140], [120, 112, 104]], np.float32)
LIVERIES = np.array([[232, 234, 236], [214, 216, 220], [226, 222, 212], [196, 204, 214]], np.float32)
TAILS = np.array([[196, 58, 50], [52, 84, 150], [60, 66, 76], [220, 160, 60]], np.float32)
WAKE = np.array([176, 188, 184], np.float32)


def draw_craft(craft: Craft, block: Block, rgb: Float, sun_cot: float) -> None:
    """Draw a ship or an aircraft into a block, in place.

    Args:
        craft: what to draw; it may lie outside.
        block: the window of `rgb`.
        rgb: (3, height, width) of 0 to 255.
        sun_cot: cotangent of the sun's elevation.
    """
    reach_m = (3.2 if craft.kind == "ship" else 0.75) * craft.length_m + 12
    rows, columns = block.part(craft.y - reach_m, craft.x - reach_m, craft.y + reach_m, craft.x + reach_m)
    part = rgb[:, rows, columns]
    x, y = (block.x[columns] - craft.x)[None, :], (block.y[rows] - craft.y)[:, None]
    if not part.size:
        return
    cos, sin = np.cos(craft.heading), np.sin(craft.heading)

    def own_frame(height_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return along and across the craft, of which a part so high casts its shadow on the pixel."""
        away = height_m * sun_cot
        dx, dy = x - TOWARDS_SHADOW[0] * away, y - TOWARDS_SHADOW[1] * away
        return dx * cos + dy * sin, dy * cos - dx * sin

    draw = _draw_ship if craft.kind == "ship" else _draw_aircraft
    draw(craft, part, own_frame(0.0), own_frame(3.5))


Frame = tuple[NDArray[np.float64], NDArray[np.float64]]


def _draw_ship(craft: Craft, part: Float, place: Frame, shaded: Frame) -> None:
    """Draw hull, cargo, bridge and, behind a moving one, the wake."""
    u, v = place
    a, b = craft.length_m / 2, craft.width_m / 2
    if craft.bits & 1:
        behind = -a - u
        far = behind / (4.5 * craft.length_m)
        arms = np.abs(np.abs(v) - 0.8 * b - 0.2 * (behind + a)) < 1.0 + 0.02 * (behind + a)
        churned = (np.abs(v) < 0.55 * b + 0.03 * behind) & (behind > -2)
        foam = np.where(churned, 0.65, np.where(arms & (behind > -1.4 * a), 0.34, 0)) * np.clip(1 - 1.6 * far, 0, 1)
        _blend(part, foam.astype(np.float32), WAKE)
    _blend(part, 0.5 * _hull(*shaded, a, b), np.array([10, 16, 20], np.float32))
    hull = _hull(u, v, a, b)
    _blend(part, hull, HULLS[craft.bits // 2 % len(HULLS)] * 1.1)
    deck = _hull(u, v, a - 1.2, b - 1.2)
    cargo = CARGO[craft.bits // 16 % len(CARGO)]
    _blend(part, deck, 0.55 * cargo + 60)
    if craft.length_m > 26:
        bay = np.floor((u + a) / 9)
        hatch = (np.abs((u + a) / 9 - bay - 0.5) < 0.38) & (np.abs(v) < 0.68 * b) & (u < 0.62 * a) & (u > -0.55 * a)
        hue = CARGO[((bay.astype(np.int64) * 7 + craft.bits // 256) % len(CARGO)).ravel()].reshape(*u.shape, 3) if craft.bits % 3 else cargo
        _blend(part, hatch.astype(np.float32), hue)
    bridge = (np.abs(u + 0.74 * a) < max(1.6, 0.11 * a)) & (np.abs(v) < 0.8 * b)
    _blend(part, bridge.astype(np.float32), np.array([228, 230, 228], np.float32))


def _hull(u: NDArray[np.float64], v: NDArray[np.float64], a: float, b: float) -> Float:
    """Return 1 inside a hull with a pointed bow at +a, 0 outside."""
    taper = np.clip((u - 0.45 * a) / (0.55 * a), 0, 1)
    return ((np.abs(u) <= a) & (np.abs(v) <= b * (1 - taper * taper))).astype(np.float32)


def _draw_aircraft(craft: Craft, part: Float, place: Frame, shaded: Frame) -> None:
    """Draw fuselage, swept wings, tail and engines, and their shadow."""
    _blend(part, 0.6 * _airframe(*shaded, craft).astype(np.float32), np.array([28, 30, 36], np.float32))
    u, v = place
    paint = LIVERIES[craft.bits % len(LIVERIES)]
    _blend(part, _airframe(u, v, craft).astype(np.float32), 0.86 * paint)
    a, b = craft.length_m / 2, craft.width_m / 2
    body = (np.abs(v) <= 0.055 * craft.length_m) & (np.abs(u) <= a)
    _blend(part, body.astype(np.float32), paint + 14)
    engines = (np.abs(np.abs(v) - 0.36 * b) < 0.9) & (np.abs(u - 0.14 * a) < 1.8)
    _blend(part, engines.astype(np.float32), np.array([92, 96, 104], np.float32))
    tail = (np.abs(v) < 0.7) & (u < -0.66 * a) & (u > -a)
    _blend(part, tail.astype(np.float32), TAILS[craft.bits // 8 % len(TAILS)])


def _airframe(u: NDArray[np.float64], v: NDArray[np.float64], craft: Craft) -> NDArray[np.bool_]:
    """Return where an aircraft with its nose at +u is."""
    a, b, across = craft.length_m / 2, craft.width_m / 2, np.abs(v)
    nose = np.clip((np.abs(u) - 0.7 * a) / (0.3 * a), 0, 1)
    fuselage = (np.abs(u) <= a) & (across <= 0.06 * craft.length_m * (1 - 0.6 * nose * nose))
    leading, trailing = 0.3 * a - 0.55 * across, -0.08 * a - 0.32 * across
    wings = (u <= leading) & (u >= trailing) & (across <= b)
    stabiliser = (u <= -0.68 * a - 0.5 * across) & (u >= -0.94 * a - 0.25 * across) & (across <= 0.38 * b) & (u >= -a)
    return fuselage | wings | stabiliser


def _blend(part: Float, opacity: Float, colour: NDArray[np.float32]) -> None:
    """Lay a colour, one or (rows, columns, 3), over a window of (3, rows, columns)."""
    for band in range(3):
        part[band] += opacity * (colour[..., band] - part[band])
