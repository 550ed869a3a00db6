"""A linear head: what kind of scene an image shows."""

import torch
from torch import Tensor, nn

from models.vit import Tokens


def scene_features(tokens: Tokens) -> Tensor:
    """Class token beside the mean of the patch tokens.

    Args:
        tokens: of B images, width D.

    Returns:
        (B, 2 D)

    Source: DINOv2 (Oquab et al., 2023), the linear evaluation with average-pooled patches.
    """
    return torch.cat([tokens.cls, tokens.patches.mean(dim=1)], dim=-1)


class LinearHead(nn.Linear):
    """One linear layer on `scene_features`.

    Args:
        dim: width D of the backbone's tokens.
        classes: K.
    """

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__(2 * dim, classes)
        nn.init.normal_(self.weight, std=0.01)
        nn.init.zeros_(self.bias)
