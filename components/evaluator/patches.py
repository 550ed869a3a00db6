"""What patch features tell apart, as colours: their first three principal components."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from components.evaluator.pictures import side_by_side, stretch
from eartheye.contracts import ImageSpec
from eartheye.raster import normalise, select_bands
from eartheye.tiles import TileSet
from models.vit import VisionTransformer

PERCENTILES = (2, 98)


@torch.inference_mode()
def patch_picture(backbone: VisionTransformer, tiles: TileSet, chosen: Sequence[int], image: ImageSpec) -> bytes:
    """Draw tiles beside the principal components of their patches, which are found over all of these tiles together.

    Args:
        backbone: runs on the processor here.
        tiles: the tiles.
        chosen: tiles of one sensor, at least one patch wide.
        image: how pixels are normalised.

    Returns:
        A PNG.

    Source: DINOv2 (Oquab et al., 2023), figure 1.
    """
    size, shapes = backbone.spec.patch_size, []
    rows: list[list[NDArray[np.generic]]] = []
    tokens: list[NDArray[np.float32]] = []
    for tile in chosen:
        pixels, valid = tiles.image(tile)
        bands = select_bands(tiles.sensors[str(tiles.index["sensor"].iat[tile])].bands, image.bands)
        down, across = (side // size for side in valid.shape)
        whole = np.s_[..., : down * size, : across * size]
        cut = normalise(pixels[bands], valid, image)[whole]
        tokens.append(backbone.cpu().eval()(torch.from_numpy(cut[None])).patches[0].numpy())
        shapes.append((down, across))
        rows.append([stretch(pixels[bands][whole], valid[whole])])
    colours = principal_colours(np.concatenate(tokens))
    starts = np.cumsum([0, *(down * across for down, across in shapes)])
    for row, (down, across), start in zip(rows, shapes, starts, strict=False):
        row.append(colours[start : start + down * across].reshape(down, across, 3))
    return side_by_side(rows, ("tile", "patch features"))


def principal_colours(tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 3) first three principal components of (N, D) tokens, each brought to 0 to 1."""
    centred = tokens - tokens.mean(axis=0)
    axes = np.linalg.svd(centred.T @ centred)[0][:, :3]
    components = centred @ axes
    low, high = np.percentile(components, PERCENTILES, axis=0)
    return np.clip((components - low) / np.maximum(high - low, 1e-6), 0, 1).astype(np.float32)
