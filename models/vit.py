"""The vision transformer: the backbone of every model here.

Weights carry the names of timm's `VisionTransformer`, so that they load both ways; only `mask_token` is unknown to timm.
Letters in names and docstrings: B images, C bands, N patches, D width, h and w patches down and across.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from eartheye.errors import InvalidConfig
from models.block import Block, LayerScale
from models.packing import Packing


@dataclass(frozen=True)
class VitSpec:
    """The size of a vision transformer."""

    layers: int
    dim: int
    """Width D of a token."""
    mlp_dim: int
    """Width of the hidden layer of each MLP."""
    heads: int
    patch_size: int = 14
    """Side of a patch, px."""
    in_channels: int = 3
    """Bands of an image."""
    registers: int = 0
    """Extra tokens for global scratch space (Darcet et al., 2023)."""
    layer_scale: float | None = 1e-5
    """Initial factor of each branch (DINOv2); None: no such factor."""
    drop_path: float = 0.0
    """Share of images that skip a branch in training, the same in all layers (DINOv2)."""

    @property
    def pyramid_layers(self) -> tuple[int, int, int, int]:
        """Four blocks, evenly spaced, the last among them: 12 layers give 2, 5, 8 and 11."""
        first, second, third, last = (-(-quarter * self.layers // 4) - 1 for quarter in (1, 2, 3, 4))
        return first, second, third, last


SIZES: dict[str, VitSpec] = {
    # For a demonstration on two cores; no model of the report. In a run of a minute or two, branches that start near zero
    # (layer scale) have no time to open.
    "nano": VitSpec(layers=4, dim=128, mlp_dim=512, heads=2, layer_scale=None),
    # Table 1 of the CG-EarthEye report. Stochastic depth: iBOT for the first two, DINOv2 (vitl14, vitg14) for the others.
    "small": VitSpec(layers=12, dim=384, mlp_dim=1536, heads=6, drop_path=0.1),
    "base": VitSpec(layers=12, dim=768, mlp_dim=3072, heads=12, drop_path=0.1),
    "large": VitSpec(layers=24, dim=1024, mlp_dim=4096, heads=16, drop_path=0.4),
    "huge": VitSpec(layers=32, dim=1280, mlp_dim=5120, heads=16, drop_path=0.4),
    "giant": VitSpec(layers=40, dim=1536, mlp_dim=6144, heads=24, drop_path=0.4),
}


class Tokens(NamedTuple):
    """What the backbone says about images, after the last norm."""

    cls: Tensor
    """(B, D) class token: the whole image."""
    patches: Tensor
    """(B, N, D) patch tokens, row by row."""


class PatchEmbed(nn.Module):
    """Each patch of an image to a token."""

    def __init__(self, spec: VitSpec) -> None:
        super().__init__()
        self.proj = nn.Conv2d(spec.in_channels, spec.dim, spec.patch_size, stride=spec.patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, N, D)."""
        return self.proj(images).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """A vision transformer for square or oblong images of any size in whole patches.

    Args:
        spec: its size.
        image_size: side of the images that the learned positions are made for, px; other sizes interpolate them.

    Source: Dosovitskiy et al., 2020; layer scale, stochastic depth and mask token as in DINOv2 (Oquab et al., 2023).
    """

    def __init__(self, spec: VitSpec, image_size: int) -> None:
        super().__init__()
        self.spec = spec
        self.grid = grid_of(image_size, image_size, spec.patch_size)[0]
        # timm's convention: with registers only patches have positions, without them the class token has one as well.
        positions = self.grid**2 + (0 if spec.registers else 1)
        self.cls_token = nn.Parameter(torch.empty(1, 1, spec.dim))
        self.pos_embed = nn.Parameter(torch.empty(1, positions, spec.dim))
        self.mask_token = nn.Parameter(torch.empty(1, 1, spec.dim))
        if spec.registers:
            self.reg_token = nn.Parameter(torch.empty(1, spec.registers, spec.dim))
        self.patch_embed = PatchEmbed(spec)
        self.blocks = nn.ModuleList(Block(spec.dim, spec.mlp_dim, spec.heads, spec.layer_scale, spec.drop_path) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.dim, eps=1e-6)
        self.init_weights()

    def init_weights(self) -> None:
        """Set every parameter anew (after `to_empty` of a network made on the meta device, too). Source: DINOv2."""
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        nn.init.zeros_(self.mask_token)
        if self.spec.registers:
            nn.init.normal_(self.reg_token, std=1e-6)
        self.patch_embed.proj.reset_parameters()
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()
            elif isinstance(module, LayerScale):
                nn.init.constant_(module.gamma, module.initial)

    def forward(self, images: Tensor, masks: Tensor | None = None) -> Tokens:
        """Encode images of one size.

        Args:
            images: (B, C, H, W) normalised; H and W are multiples of the patch size.
            masks: (B, N) bool, True where the mask token stands for the patch.

        Raises:
            InvalidConfig: the images do not divide into patches.
        """
        return self.forward_views([images], [masks])[0]

    def forward_views(self, views: Sequence[Tensor], masks: Sequence[Tensor | None] | None = None) -> list[Tokens]:
        """Encode image batches of several sizes at once; equal to `forward` of each, with larger matrix products.

        Args:
            views: (B, C, H, W) each, B and the size may differ.
            masks: as in `forward`, one for each view.

        Raises:
            InvalidConfig: images of a view do not divide into patches.
        """
        masks = [None] * len(views) if masks is None else masks
        embedded = [self.embed(images, mask) for images, mask in zip(views, masks, strict=True)]
        packing = Packing.of(embedded)
        tokens = packing.pack(embedded)
        for block in self.blocks:
            tokens = block(tokens, packing)
        return [Tokens(view[:, 0], view[:, 1 + self.spec.registers :]) for view in packing.unpack(self.norm(tokens))]

    def intermediate(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Feature maps after some blocks, through the last norm.

        Args:
            images: (B, C, H, W) normalised.
            layers: numbers of the blocks, ascending, the first is 0; blocks after the last one asked for do not run.

        Returns:
            (B, D, h, w) for each layer.

        Raises:
            InvalidConfig: the images do not divide into patches.
        """
        rows, columns = grid_of(images.shape[2], images.shape[3], self.spec.patch_size)
        embedded = self.embed(images, None)
        packing = Packing.of([embedded])
        tokens = packing.pack([embedded])
        maps = []
        for number in range(layers[-1] + 1):
            tokens = self.blocks[number](tokens, packing)
            if number in layers:
                patches = packing.unpack(self.norm(tokens))[0][:, 1 + self.spec.registers :]
                maps.append(patches.transpose(1, 2).unflatten(2, (rows, columns)))
        return maps

    def embed(self, images: Tensor, masks: Tensor | None) -> Tensor:
        """(B, C, H, W) to (B, 1 + registers + N, D), positions added."""
        rows, columns = grid_of(images.shape[2], images.shape[3], self.spec.patch_size)
        patches = self.patch_embed(images)
        if masks is not None:
            patches = torch.where(masks[:, :, None], self.mask_token.to(patches.dtype), patches)
        patches = patches + self.positions(rows, columns)
        first = self.cls_token if self.spec.registers else self.cls_token + self.pos_embed[:, :1]
        prefix = [first, self.reg_token] if self.spec.registers else [first]
        return torch.cat([*(token.expand(images.shape[0], -1, -1) for token in prefix), patches], dim=1)

    def positions(self, rows: int, columns: int) -> Tensor:
        """(1, rows * columns, D) positions of the patches, bicubic where the grid is not the learned one (timm's convention)."""
        learned = self.pos_embed[:, -(self.grid**2) :]
        if (rows, columns) == (self.grid, self.grid):
            return learned
        field = learned.float().transpose(1, 2).unflatten(2, (self.grid, self.grid))
        field = functional.interpolate(field, (rows, columns), mode="bicubic", antialias=True)
        return field.flatten(2).transpose(1, 2).to(learned.dtype)

    def resized(self, image_size: int) -> "VisionTransformer":
        """A copy whose learned positions are those of another image size: the same results at that size, no interpolation.

        Args:
            image_size: px, a multiple of the patch size.

        Raises:
            InvalidConfig: it is not.
        """
        grid = grid_of(image_size, image_size, self.spec.patch_size)[0]
        other = copy.deepcopy(self)
        prefix = self.pos_embed[:, : -(self.grid**2)]
        other.pos_embed = nn.Parameter(
            torch.cat([prefix, self.positions(grid, grid)], dim=1).detach(), requires_grad=self.pos_embed.requires_grad
        )
        other.grid = grid
        return other


def grid_of(height_px: int, width_px: int, patch_size: int) -> tuple[int, int]:
    """Patches down and across.

    Raises:
        InvalidConfig: the image does not divide into patches.
    """
    if height_px % patch_size or width_px % patch_size:
        raise InvalidConfig(f"{height_px} x {width_px} px do not divide into patches of {patch_size} px: choose multiples of it")
    return height_px // patch_size, width_px // patch_size
