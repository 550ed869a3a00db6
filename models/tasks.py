"""Task models: a frozen backbone and the head that was trained on it.

Features can be computed once and kept: `features` gives them, `from_features` trains the head on them. Letters: B images, C bands,
D width of the backbone, K classes.
"""

import copy
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.heads.linear import LinearHead, scene_features
from models.heads.upernet import UperNet
from models.vit import VisionTransformer


class FrozenBackbone(nn.Module):
    """Holds a backbone that neither learns nor drops paths."""

    def __init__(self, backbone: VisionTransformer) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the head; the backbone stays in evaluation."""
        super().train(mode)
        self.backbone.eval()
        return self


class SceneClassifier(FrozenBackbone):
    """What kind of scene an image shows.

    Args:
        backbone: frozen here.
        head: learns.
    """

    def __init__(self, backbone: VisionTransformer, head: LinearHead) -> None:
        super().__init__(backbone)
        self.head = head
        self.train()

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalised images to the (B, 2 D) features that the head takes."""
        return scene_features(self.backbone(images))

    def from_features(self, features: Tensor) -> Tensor:
        """(B, 2 D) features to (B, K) logits."""
        return self.head(features)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalised images to (B, K) probabilities."""
        return torch.softmax(self.from_features(self.features(images)), dim=1)


class Segmenter(FrozenBackbone):
    """What each pixel of an image shows.

    Args:
        backbone: frozen here.
        head: learns.
    """

    def __init__(self, backbone: VisionTransformer, head: UperNet) -> None:
        super().__init__(backbone)
        self.head = head
        self.train()

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalised images to the (B, 4, D, h, w) features that the head takes."""
        return torch.stack(self.backbone.intermediate(images, self.backbone.spec.pyramid_layers), dim=1)

    def from_features(self, features: Tensor, size_px: tuple[int, int]) -> Tensor:
        """Logits for images whose features are known.

        Args:
            features: (B, 4, D, h, w)
            size_px: height and width of the images.

        Returns:
            (B, K, *size_px)
        """
        logits = self.head(features.unbind(dim=1))
        return functional.interpolate(logits, size_px, mode="bilinear", align_corners=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalised images to (B, K, H, W) probabilities."""
        height, width = images.shape[2:]
        return torch.softmax(self.from_features(self.features(images), (height, width)), dim=1)


class QuantisedSegmenter(nn.Module):
    """What is served of a segmenter: probabilities in 256 steps, so that blending tiles is exact integer arithmetic.

    Args:
        segmenter: trained; its weights are copied.
        image_size: side of the images that will come, px; positions are resampled to it here, once.

    Raises:
        InvalidConfig: `image_size` does not divide into patches.
    """

    def __init__(self, segmenter: Segmenter, image_size: int) -> None:
        super().__init__()
        self.segmenter = Segmenter(segmenter.backbone.resized(image_size), copy.deepcopy(segmenter.head))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) normalised images to (B, K, H, W) uint8, round(255 * probability)."""
        return torch.round(self.segmenter(images) * 255).to(torch.uint8)


def served(model: SceneClassifier | Segmenter, image_size: int) -> nn.Module:
    """Return the network that predictors run: what is exported of a task model, and gives the same where PyTorch runs it.

    Args:
        model: trained.
        image_size: side of the images that will come, px.

    Raises:
        InvalidConfig: `image_size` does not divide into patches.
    """
    return QuantisedSegmenter(model, image_size) if isinstance(model, Segmenter) else model
