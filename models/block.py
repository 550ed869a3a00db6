"""The transformer block of the vision transformer."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention import Attention
from models.packing import Packing, draw


class Mlp(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return self.fc2(functional.gelu(self.fc1(tokens)))


class LayerScale(nn.Module):
    """A learned factor for each channel of a branch. Source: CaiT (Touvron et al., 2021), section 2.1."""

    def __init__(self, dim: int, initial: float) -> None:
        super().__init__()
        self.initial = initial
        self.gamma = nn.Parameter(torch.full((dim,), initial))

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return tokens * self.gamma


class Block(nn.Module):
    """Attention and MLP, each behind a norm and added to what came in.

    Args:
        dim: width D of a token.
        mlp_dim: width of the MLP's hidden layer.
        heads: attention heads.
        layer_scale: initial factor of both branches; None leaves them unscaled.
        drop_path: share of images that skip a branch in training.
    """

    def __init__(self, dim: int, mlp_dim: int, heads: int, layer_scale: float | None, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.ls1 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, mlp_dim)
        self.ls2 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)

    def forward(self, tokens: Tensor, packing: Packing) -> Tensor:
        """(T, D) to (T, D)."""
        tokens = self.add(tokens, packing, lambda rows, of: self.ls1(self.attn(self.norm1(rows), of)))
        return self.add(tokens, packing, lambda rows, _: self.ls2(self.mlp(self.norm2(rows))))

    def add(self, tokens: Tensor, packing: Packing, branch: Callable[[Tensor, Packing], Tensor]) -> Tensor:
        """Add a branch to the tokens; in training only some images go through it.

        What is dropped is never computed: the branch runs on the rows of the images drawn, scaled up so that the expected sum
        stays.

        Source: DINOv2 (Oquab et al., 2023), section 5, "Efficient stochastic depth".
        """
        if not (self.training and self.drop_path):
            return tokens + branch(tokens, packing)
        kept = draw(packing, 1 - self.drop_path)
        change = branch(tokens[kept.rows], kept.packing) * kept.scale
        return tokens.index_add(0, kept.rows, change.to(tokens.dtype))
