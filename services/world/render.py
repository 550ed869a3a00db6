"""From the ground of a block to the pixels of a scene."""

import numpy as np
from numpy.typing import NDArray

from services.world.config import WorldConfig
from services.world.craft import draw_craft
from services.world.ground import MARGIN_PX, Ground
from services.world.materials import palette
from services.world.noise import Float, grain, ramp
from services.world.scenes import Scene
from services.world.traffic import Craft
from services.world.weather import acquired, cloud_cover

SHADE = (0.44, 0.49, 0.58)
"""Light of red, green and blue left in a shadow: the sky's."""
BLUR = 0.17
"""Weight of each neighbour under the sensor's point spread, in one direction."""
SNOW_SETS_IN_M = 45.0
"""Height over which snow grows from nothing to a full cover."""
NOISE = 5.0
"""Range of the sensor's noise."""
CLOUD = (232.0, 235.0, 240.0)


class Renderer:
    """Renders the blocks of one scene."""

    def __init__(self, config: WorldConfig, scene: Scene, traffic: list[Craft], summit_m: float) -> None:
        """Prepare the colours.

        Args:
            config: of the world.
            scene: when, and in which light.
            traffic: ships and aircraft of this scene.
            summit_m: the highest place of the world.
        """
        self.config, self.scene, self.traffic = config, scene, traffic
        self.colours = palette(scene.quarter)
        self.snowy = palette(scene.quarter, snow=True)
        self.snow_line_m = None if scene.snow_line is None else scene.snow_line * summit_m

    def render(self, ground: Ground) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """Return (3, height, width) pixels of the block without its margin, and where they are valid (None: everywhere)."""
        rgb = self._surface(ground)
        for craft in self.traffic:
            draw_craft(craft, ground.block, rgb, self.scene.sun_cot)
        sharp = slice(MARGIN_PX - 1, 1 - MARGIN_PX)
        rgb = _blurred(rgb[:, sharp, sharp])
        rgb *= np.float32(self.scene.gain)
        block = ground.block.grown(-MARGIN_PX)
        sky = cloud_cover(self.config, block) if self.scene.cloudy else None
        noise = grain(block, self.config.salt + 111 + self.scene.acquired.toordinal())
        for band in range(3):
            rgb[band] += np.float32(self.scene.haze[band])
            if sky is not None:
                cloud, shadow = sky
                rgb[band] *= 1 - 0.5 * shadow
                rgb[band] += cloud * (CLOUD[band] - rgb[band])
            eight_bits = (noise >> np.uint32(8 * band)) & np.uint32(255)
            rgb[band] += eight_bits.astype(np.float32) * np.float32(NOISE / 255) - np.float32(NOISE / 2)
        pixels = np.clip(rgb + np.float32(0.5), 0, 255).astype(np.uint8)
        if not self.scene.cut:
            return pixels, None
        valid = acquired(self.config, block)
        pixels[:, ~valid] = 0
        return pixels, valid

    def _surface(self, ground: Ground) -> Float:
        """Return (3, height, width) the ground in this season's colours and light."""
        scene = self.scene
        shaded = ground.shadow_cot <= scene.sun_cot
        light = 1 + (ground.light - 1) * np.float32(0.35 + 0.45 * scene.sun_cot)
        snow = None
        if self.snow_line_m is not None:
            noise = ground.noise
            drift = 20 * noise.large + 14 * noise.middle + 7 * noise.small - 80 * (ground.light - 1)
            snow = ramp(ground.elevation_m + drift, self.snow_line_m, self.snow_line_m + SNOW_SETS_IN_M)
            snow = snow if snow.any() else None
        rgb = np.empty((3, *ground.key.shape), np.float32)
        for band in range(3):
            colour = np.take(self.colours[band], ground.key)
            if snow is not None:
                colour += snow * (np.take(self.snowy[band], ground.key) - colour)
            np.multiply(colour, np.where(shaded, light * np.float32(SHADE[band]), light), out=rgb[band])
        return rgb


def _blurred(rgb: Float) -> Float:
    """Return the image under the point spread, a pixel less on each side."""
    middle = np.float32(1 - 2 * BLUR)
    rows = rgb[:, :-2] + rgb[:, 2:]
    rows *= np.float32(BLUR)
    rows += middle * rgb[:, 1:-1]
    columns = rows[:, :, :-2] + rows[:, :, 2:]
    columns *= np.float32(BLUR)
    columns += middle * rows[:, :, 1:-1]
    return columns
