"""The views of a sample: crops of one site, changed so that only what matters stays the same.

In this order, as the report has it: multi-scale crop, colour jitter, flips, masks. Two global crops and eight local ones come from
one acquisition of the site; each other acquisition (up to three: the other quarters) gives a local crop that takes the place of one
of the eight, cropped and flipped, its colours left as the season made them. Source: CG-EarthEye report, section 3.1.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from components.pretrainer.config import PATCH_PX, Share, ViewsConfig
from components.pretrainer.masks import draw_mask

GLOBAL_VIEWS = 2
OTHER_ACQUISITIONS = 3
"""Local crops that other acquisitions replace."""
ASPECTS = (3 / 4, 4 / 3)
"""Smallest and largest width of a crop over its height. Source: torchvision's RandomResizedCrop, as DINOv2 uses it."""
CROP_ATTEMPTS = 10


class Acquisition(NamedTuple):
    """A tile, and how to get from its normalised values back to what the sensor measured."""

    tile: int
    channels: Tensor
    """(C, H, W) float32, less the mean and over the standard deviation; 0 where there is no data."""
    mean: Tensor
    """(C,)"""
    std: Tensor
    """(C,)"""
    limits: tuple[float, float]
    """Smallest and largest value that the sensor's type can hold."""


class Views(NamedTuple):
    """The views of one site; of a batch with one more dimension, B, behind the first."""

    global_views: Tensor
    """(2, C, H, W)"""
    masks: Tensor
    """(2, N) bool, True where a patch is masked."""
    local_views: Tensor
    """(L, C, h, w)"""
    tiles: Tensor
    """(2 + L,) int64: the tile that each view shows."""


def generator(seed: int, epoch: int, site: int) -> np.random.Generator:
    """Return the randomness of a site in an epoch: whatever the order, the worker or the rank, its views are the same."""
    return np.random.default_rng([seed, epoch, site % 2**64])


def draw_views(main: Acquisition, others: Sequence[Acquisition], config: ViewsConfig, rng: np.random.Generator) -> Views:
    """Make the views of a site.

    Args:
        main: the acquisition that the global crops show.
        others: other acquisitions of the same site, three at most.
        config: sizes, scales and strengths.
        rng: of the site and epoch.
    """
    global_views = [
        flip(jitter(crop(main.channels, config.global_area, config.global_px, rng), main, config, rng), rng) for _ in range(GLOBAL_VIEWS)
    ]
    shown_by = dict(zip(rng.permutation(config.local_views).tolist(), others, strict=False))
    local_views = []
    for number in range(config.local_views):
        shown = shown_by.get(number, main)
        view = crop(shown.channels, config.local_area, config.local_px, rng)
        if number not in shown_by:
            view = jitter(view, main, config, rng)
        local_views.append(flip(view, rng))
    masks = [draw_mask(config.global_px // PATCH_PX, config.mask_share, rng) for _ in range(GLOBAL_VIEWS)]
    tiles = [main.tile] * GLOBAL_VIEWS + [shown_by.get(number, main).tile for number in range(config.local_views)]
    return Views(
        torch.stack(global_views), torch.from_numpy(np.stack(masks)), torch.stack(local_views), torch.tensor(tiles, dtype=torch.int64)
    )


def crop(channels: Tensor, area: Share, size_px: int, rng: np.random.Generator) -> Tensor:
    """Cut a random rectangle and bring it to a square.

    Args:
        channels: (C, H, W)
        area: smallest and largest share of the tile.
        size_px: side of the result.
        rng: of the site and epoch.

    Returns:
        (C, size_px, size_px), bicubic, antialiased.
    """
    height, width = channels.shape[1:]
    for _ in range(CROP_ATTEMPTS):
        pixels = rng.uniform(*area) * height * width
        aspect = math.exp(rng.uniform(math.log(ASPECTS[0]), math.log(ASPECTS[1])))
        across, down = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < across <= width and 0 < down <= height:
            break
    else:
        across = down = min(height, width)
    top, left = int(rng.integers(height - down + 1)), int(rng.integers(width - across + 1))
    cut = channels[None, :, top : top + down, left : left + across]
    return functional.interpolate(cut, (size_px, size_px), mode="bicubic", antialias=True)[0]


def jitter(view: Tensor, of: Acquisition, config: ViewsConfig, rng: np.random.Generator) -> Tensor:
    """Change brightness, contrast and saturation of a (C, H, W) view, on the scale that the sensor measured.

    Grey is the mean of the channels, whatever bands they are.
    """
    if rng.random() >= config.jitter_probability:
        return view
    brightness, contrast, saturation = (1 + rng.uniform(-by, by) for by in (config.brightness, config.contrast, config.saturation))
    mean, std = of.mean[:, None, None], of.std[:, None, None]
    values = (view * std + mean) * brightness
    values = torch.lerp(values.mean(), values, contrast)
    values = torch.lerp(values.mean(dim=0, keepdim=True), values, saturation)
    return (values.clamp(*of.limits) - mean) / std


def flip(view: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror a (C, H, W) view, left to right and top to bottom, each half of the time."""
    across, down = rng.random(2) < 0.5
    dims = [dim for dim, mirrored in ((2, across), (1, down)) if mirrored]
    return view.flip(dims) if dims else view
