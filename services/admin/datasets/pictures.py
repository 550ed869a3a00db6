"""A tile as a picture."""

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eartheye.contracts import Tiles
from eartheye.store import Folder
from eartheye.tiles import TileSet

VISIBLE = ("red", "green", "blue")
STRETCH = (2, 98)
"""Percentiles of the valid pixels that become black and white, for data that is not 8 bit."""


@lru_cache(maxsize=8)
def _tile_set(root: str, _digest: str) -> TileSet:
    return TileSet(Folder(root))


def open_tiles(folder: Folder) -> TileSet:
    """Return the tiles of a folder; those of the last few folders stay open, as long as their manifest is the same.

    Raises:
        UnreadableManifest: the folder holds something else.
    """
    return _tile_set(folder.root, Tiles.read(folder).digest)


def picture(tiles: TileSet, tile: int) -> bytes:
    """Return a tile as PNG: red, green and blue where the sensor has them, its first bands otherwise; clear without data.

    Args:
        tiles: of a finished folder.
        tile: its number.

    Raises:
        NotEnoughTiles: there is no such tile, or it was rejected.
        CorruptTile: its bytes do not decode to what the index says.
    """
    pixels, valid = tiles.image(tile)
    bands = tiles.sensor(tile).bands
    shown = [bands.index(band) for band in VISIBLE] if set(VISIBLE) <= set(bands) else list(range(len(bands)))[:3]
    chosen = pixels[shown if len(shown) == 3 else [shown[0]] * 3]
    colours = chosen if chosen.dtype == np.uint8 else _stretched(chosen, valid)
    opaque = np.where(valid, 255, 0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.moveaxis(np.concatenate([colours, opaque[None]]), 0, -1), "RGBA").save(buffer, "PNG")
    return buffer.getvalue()


def _stretched(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return (3, H, W) pixels as 8 bit, each band between its percentiles."""
    values = pixels.astype(np.float32)
    if not valid.any():
        return np.zeros(pixels.shape, np.uint8)
    low, high = np.percentile(values[:, valid], STRETCH, axis=1)[:, :, None, None]
    return (np.clip((values - low) / np.maximum(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
