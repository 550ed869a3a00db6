"""Student, teacher and their heads: what one step of self-supervised pretraining computes.

The loop around it (data, optimizer, schedules, checkpoints) is the pretrainer's. Letters: G = 2 global views, L local views,
B sites, C bands, N patches of a global view, M masked patches, D width of a token, K prototypes.
"""

import copy
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.objectives import ema
from models.objectives.centring import MovingAverageCentre, sinkhorn_knopp
from models.objectives.class_token import class_token_loss, view_pairs
from models.objectives.masked_patch import masked_patch_loss
from models.projection import ProjectionHead, ProjectionSpec
from models.vit import VisionTransformer

Centring = Literal["sinkhorn_knopp", "moving_average"]


class Losses(NamedTuple):
    """What a step minimises, and two numbers that show a collapse."""

    total: Tensor
    """L = L1 + L2, equation (4); the one with a gradient."""
    cls: Tensor
    """L1 over class tokens, nats."""
    patch: Tensor
    """L2 over masked patches, nats."""
    teacher_entropy: Tensor
    """Mean entropy of the teacher's class token distributions, nats: near log K the teacher tells nothing apart."""
    feature_std: Tensor
    """Spread of the teacher's class tokens over the batch: 1 where unit vectors fill all directions, 0 where all are the same."""


class Network(nn.Module):
    """A backbone with a head for class tokens and one for patch tokens, apart as in DINOv2."""

    def __init__(self, backbone: VisionTransformer, head: ProjectionSpec) -> None:
        super().__init__()
        self.backbone = backbone
        self.class_head = ProjectionHead(backbone.spec.dim, head)
        self.patch_head = ProjectionHead(backbone.spec.dim, head)


class SelfSupervised(nn.Module):
    """Self-distillation with masked patches: the student learns to say of its views what the teacher says of the whole.

    Args:
        backbone: of the student; the teacher starts as its copy.
        head: size of the heads.
        centring: how the teacher's outputs become targets: "sinkhorn_knopp" (DINOv2's large models) or "moving_average" (DINO).
        global_to_global: also compare the student's global views with the teacher's other global view: DINO's, not the report's.

    Source: CG-EarthEye report, equations (2) to (5); DINO, iBOT and DINOv2 for what it does not print.
    """

    def __init__(
        self,
        backbone: VisionTransformer,
        head: ProjectionSpec,
        centring: Centring = "sinkhorn_knopp",
        *,
        global_to_global: bool = False,
    ) -> None:
        super().__init__()
        self.student = Network(backbone, head)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.global_to_global = global_to_global
        self.class_centre, self.patch_centre = (
            MovingAverageCentre(head.prototypes) if centring == "moving_average" else None for _ in range(2)
        )
        self.train()

    def train(self, mode: bool = True) -> "SelfSupervised":
        """Set the mode of the student; the teacher never drops a path."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, global_views: Tensor, masks: Tensor, local_views: Tensor, teacher_temperature: float) -> Losses:
        """The same as `losses`: wrappers for several devices act on this call."""
        return self.losses(global_views, masks, local_views, teacher_temperature)

    def losses(self, global_views: Tensor, masks: Tensor, local_views: Tensor, teacher_temperature: float) -> Losses:
        """The losses of one batch.

        Args:
            global_views: (G, B, C, H, W) normalised; the teacher sees them whole, the student masked.
            masks: (G, B, N) bool, True where a patch is masked; at least one is.
            local_views: (L, B, C, h, w) normalised, other acquisitions of the site among them; the student alone sees them.
            teacher_temperature: 0.04 to 0.07 in DINOv2.
        """
        views, sites = global_views.shape[:2]
        images, flat_masks = global_views.flatten(0, 1), masks.flatten(0, 1)
        class_targets, patch_targets, class_tokens = self.targets(images, flat_masks, teacher_temperature)

        global_tokens, local_tokens = self.student.backbone.forward_views([images, local_views.flatten(0, 1)], [flat_masks, None])
        class_outputs = self.student.class_head(torch.cat([global_tokens.cls, local_tokens.cls]))
        patch_outputs = self.student.patch_head(global_tokens.patches[flat_masks])

        pairs = view_pairs(views, len(local_views), global_to_global=self.global_to_global)
        cls = class_token_loss(class_outputs.unflatten(0, (-1, sites)), class_targets.unflatten(0, (views, sites)), pairs)
        patch = masked_patch_loss(patch_outputs, patch_targets, flat_masks)
        return Losses(cls + patch, cls.detach(), patch.detach(), entropy(class_targets), feature_std(class_tokens))

    @torch.no_grad()
    def targets(self, images: Tensor, masks: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
        """What the teacher says.

        Args:
            images: (G * B, C, H, W)
            masks: (G * B, N) bool.
            temperature: of the teacher.

        Returns:
            (G * B, K) distributions of class tokens, (M, K) distributions of masked patches, (G * B, D) class tokens.
        """
        tokens = self.teacher.backbone(images)
        class_outputs = self.teacher.class_head(tokens.cls)
        # Only masked patches go through the head: for a token it costs about as much as a block of the backbone.
        patch_outputs = self.teacher.patch_head(tokens.patches[masks])
        centre_class = self.class_centre or sinkhorn_knopp
        centre_patch = self.patch_centre or sinkhorn_knopp
        return centre_class(class_outputs, temperature), centre_patch(patch_outputs, temperature), tokens.cls

    def update_teacher(self, momentum: float) -> None:
        """Equation (5); call it after the optimizer's step.

        Args:
            momentum: m in [0, 1]; 0.992 in the report.
        """
        ema.update_teacher(self.teacher, self.student, momentum)


@torch.no_grad()
def entropy(distributions: Tensor) -> Tensor:
    """Mean entropy of (S, K) distributions, nats."""
    return torch.special.entr(distributions).sum(dim=-1).mean()


@torch.no_grad()
def feature_std(features: Tensor) -> Tensor:
    """Standard deviation over (S, D) features of unit length, mean over D, times sqrt(D). Source: SimSiam (Chen, He, 2020)."""
    unit = functional.normalize(features.float(), dim=-1)
    return unit.std(dim=0).mean() * features.shape[-1] ** 0.5
