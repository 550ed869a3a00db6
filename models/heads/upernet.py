"""UPerNet on a plain vision transformer: what each pixel of an image shows.

A plain transformer has one resolution; four of its layers are up- or downsampled to 4, 2, 1 and 1/2 times its grid (or, where fewer
details are asked, to half of each) to make the pyramid that UPerNet expects. Everything runs at one small width, so that the head
costs no more than a small backbone does.
Letters: B images, D width of the backbone, W of the head, K classes, h and w patches down and across.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

BINS = (1, 2, 3, 6)
"""Bins a side of the pyramid pooling. Source: PSPNet (Zhao et al., 2017)."""


class ConvNormReLU(nn.Sequential):
    """Convolution, batch norm, ReLU.

    Batch norm, because with its running statistics an image's result does not depend on the others of its batch, and because it
    folds into the convolution when exported.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class Doubling(nn.Sequential):
    """Learned upsampling to twice the grid. Source: the pyramid of BEiT's UPerNet (Bao et al., 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.ConvTranspose2d(width, width, 2, stride=2, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class Shrinking(nn.Module):
    """Means over squares of the grid.

    Args:
        factor: side of a square.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self._factor = factor

    def forward(self, field: Tensor) -> Tensor:
        """(B, W, h, w) to (B, W, h / factor, w / factor), rounded up."""
        return pool(field, *(-(-side // self._factor) for side in field.shape[2:]))


class PyramidPooling(nn.Module):
    """The whole image's context, from bins of several sizes. Source: PSPNet (Zhao et al., 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(ConvNormReLU(width, width, 1) for _ in BINS)
        self.merge = ConvNormReLU(width * (1 + len(BINS)), width, 3)

    def forward(self, field: Tensor) -> Tensor:
        """(B, W, h, w) to (B, W, h, w)."""
        pooled = [branch(pool(field, bins, bins)) for branch, bins in zip(self.branches, BINS, strict=True)]
        return self.merge(torch.cat([field, *(resample(one, field) for one in pooled)], dim=1))


class UperNet(nn.Module):
    """Pyramid pooling and a feature pyramid network, merged at the finest level.

    Args:
        dim: width D of the backbone.
        classes: K.
        width: W; 512 in the paper, 64 is enough for a handful of classes on a CPU.
        finest: how many times finer than the backbone's grid the finest level is, 4 or 2; each step costs four times the work.

    Source: UPerNet (Xiao et al., 2018).
    """

    def __init__(self, dim: int, classes: int, width: int = 64, finest: int = 4) -> None:
        super().__init__()
        self.finest = finest
        self.laterals = nn.ModuleList(ConvNormReLU(dim, width, 1) for _ in range(4))
        self.scales = nn.ModuleList(scaling(width, finest, 2**level) for level in range(4))
        self.context = PyramidPooling(width)
        self.smooth = nn.ModuleList(ConvNormReLU(width, width, 3) for _ in range(3))
        self.merge = ConvNormReLU(4 * width, width, 3)
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Class scores at `finest` times the backbone's grid.

        Args:
            features: four maps (B, D, h, w), the shallowest layer first. In training B is at least 2 (batch norm of the one bin
                that covers the image).

        Returns:
            (B, K, finest * h, finest * w) logits.
        """
        *levels, last = (scale(lateral(field)) for scale, lateral, field in zip(self.scales, self.laterals, features, strict=True))
        above = self.context(last)
        merged = [above]
        for level, smooth in zip(reversed(levels), self.smooth, strict=True):
            above = level + resample(above, level)
            merged.append(smooth(above))
        finest = merged[-1]
        return self.classify(self.merge(torch.cat([resample(one, finest) for one in reversed(merged)], dim=1)))


def scaling(width: int, up: int, down: int) -> nn.Module:
    """Return what brings a map to `up / down` times its grid; both are powers of two."""
    if up < down:
        return Shrinking(down // up)
    return nn.Sequential(*(Doubling(width) for _ in range((up // down).bit_length() - 1)))


def resample(field: Tensor, like: Tensor) -> Tensor:
    """Bilinear resampling to the grid of another map."""
    if field.shape[2:] == like.shape[2:]:
        return field
    return functional.interpolate(field, like.shape[2:], mode="bilinear", align_corners=False)


def pool(field: Tensor, rows: int, columns: int) -> Tensor:
    """Adaptive average pooling of (B, W, h, w) to (B, W, rows, columns), as two matrix products.

    The mean over a bin is a mean over its rows of means over its columns; constant matrices export to ONNX for any pair of sizes,
    where adaptive pooling exports only if one divides the other.
    """
    down, across = (averaging(*sizes).to(field) for sizes in ((field.shape[2], rows), (field.shape[3], columns)))
    return down @ field @ across.T


def averaging(size: int, bins: int) -> Tensor:
    """(bins, size) matrix of means over bins from floor(i * size / bins) to ceil((i + 1) * size / bins): PyTorch's adaptive pooling."""
    matrix = torch.zeros(bins, size)
    for number in range(bins):
        start, end = number * size // bins, -(-(number + 1) * size // bins)
        matrix[number, start:end] = 1 / (end - start)
    return matrix
