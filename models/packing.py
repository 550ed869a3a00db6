"""Tokens of several view sizes in one matrix.

Linear layers, norms and MLPs do not care where a token comes from, so the tokens of all views go through them as one matrix;
only attention has to know which rows belong together. Letters: T tokens of all views, B images, N tokens of an image, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Which rows of a packed (T, D) matrix belong to which image: for each view its (B, N), one view after the other."""

    shapes: tuple[tuple[int, int], ...]
    device: torch.device

    @classmethod
    def of(cls, views: Sequence[Tensor]) -> "Packing":
        """The packing of these views, each (B, N, D)."""
        return cls(tuple((view.shape[0], view.shape[1]) for view in views), views[0].device)

    def pack(self, views: Sequence[Tensor]) -> Tensor:
        """(B, N, D) of each view to (T, D)."""
        rows = [view.flatten(0, 1) for view in views]
        return rows[0] if len(rows) == 1 else torch.cat(rows)

    def unpack(self, packed: Tensor) -> list[Tensor]:
        """(T, ...) to (B, N, ...) of each view, without a copy."""
        # A single view is not split, so that an exported graph has a plain reshape there.
        parts = (packed,) if len(self.shapes) == 1 else packed.split([images * length for images, length in self.shapes])
        return [part.unflatten(0, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    @cached_property
    def sequence_starts(self) -> Tensor:
        """(images of all views + 1,) int32: the row each image starts at, and T, as variable-length attention kernels take it."""
        lengths = [length for images, length in self.shapes for _ in range(images)]
        starts = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
        return starts.to(self.device)

    @property
    def longest(self) -> int:
        """Tokens of the largest image."""
        return max(length for _, length in self.shapes)


@dataclass(frozen=True)
class Subset:
    """Some images of every view, drawn at random."""

    rows: Tensor
    """(t,) rows of the packed matrix that belong to the drawn images."""
    packing: Packing
    """How these rows lie when taken alone."""
    scale: Tensor
    """(t, 1) images of the view / images drawn from it: keeps the expected sum of what is added back."""


def draw(packing: Packing, rate: float) -> Subset:
    """Draw about `rate` of the images of each view, at least one.

    Args:
        packing: of all images.
        rate: share of images to draw, in (0, 1].
    """
    rows, scales, shapes, start = [], [], [], 0
    for images, length in packing.shapes:
        drawn = max(1, int(images * rate))
        chosen = torch.randperm(images, device=packing.device)[:drawn]
        rows.append((start + chosen[:, None] * length + torch.arange(length, device=packing.device)).flatten())
        scales.append(torch.full((drawn * length, 1), images / drawn, device=packing.device))
        shapes.append((drawn, length))
        start += images * length
    return Subset(torch.cat(rows), Packing(tuple(shapes), packing.device), torch.cat(scales))
