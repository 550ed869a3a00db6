"""One process's training: student, teacher, optimizer, and what a step does to them."""

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from torch import nn

from components.pretrainer.config import PretrainConfig
from components.pretrainer.views import Views
from eartheye.errors import TrainingDiverged
from models.objectives.schedules import linear_warmup, warmup_cosine
from models.pretraining import SelfSupervised
from models.projection import ProjectionSpec
from models.vit import SIZES, VisionTransformer

REFERENCE_BATCH = 1024
"""Batch that the learning rate of the configuration is meant for. Source: DINOv2."""
FIGURES = ("loss", "class_loss", "patch_loss", "teacher_entropy", "feature_std", "gradient_norm", "learning_rate")
"""What a step reports, in this order."""
WAY_OUT = "lower `learning_rate`, or set `precision` to float32, and choose another checkpoint folder"


class Training:
    """A training run at some step. Its randomness belongs to the step's number, so that none has to be saved.

    Args:
        config: how to train.
        in_channels: of the images.
        device: where.
    """

    def __init__(self, config: PretrainConfig, in_channels: int, device: torch.device) -> None:
        self.config, self.device, self.step = config, device, 0
        torch.manual_seed(config.seed)
        spec = dataclasses.replace(SIZES[config.size], in_channels=in_channels)
        backbone = VisionTransformer(spec, config.views.global_px)
        head = ProjectionSpec(**config.head.model_dump())
        self.model = SelfSupervised(backbone, head, config.centring, global_to_global=config.global_to_global).to(device)
        self.optimizer = torch.optim.AdamW(parameter_groups(self.model.student), lr=0.0, fused=True)

    def advance(self, views: Views) -> dict[str, float]:
        """Do one step.

        Args:
            views: of a batch.

        Returns:
            A value for each of `FIGURES`.

        Raises:
            TrainingDiverged: loss or gradient are not finite; nothing was changed by this step.
        """
        config = self.config
        learning_rate, weight_decay, temperature = self.schedules()
        torch.manual_seed(int(np.random.SeedSequence([config.seed, self.step]).generate_state(1)[0]))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            global_views, masks, local_views = (part.to(self.device, non_blocking=True) for part in views[:3])
            losses = self.model(global_views, masks, local_views, temperature)
        self.optimizer.zero_grad()
        losses.total.backward()
        norm = nn.utils.clip_grad_norm_(self.model.student.parameters(), config.clip_gradient)
        if not (math.isfinite(losses.total.item()) and math.isfinite(norm.item())):
            raise TrainingDiverged(f"loss {losses.total.item()} and gradient norm {norm.item()} at step {self.step}: {WAY_OUT}")
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
            group["weight_decay"] = weight_decay if group["decays"] else 0.0
        self.optimizer.step()
        self.model.update_teacher(config.momentum)
        self.step += 1
        return dict(zip(FIGURES, (*(value.item() for value in losses), norm.item(), learning_rate), strict=True))

    def schedules(self) -> tuple[float, float, float]:
        """Return learning rate, weight decay and teacher temperature of the next step."""
        config, step, steps = self.config, self.step, self.config.steps
        scale = math.sqrt(config.batch_size / REFERENCE_BATCH)
        learning_rate = warmup_cosine(
            step,
            steps,
            warmup_steps=int(config.warmup * steps),
            peak=config.learning_rate * scale,
            final=config.learning_rate_final * scale,
        )
        weight_decay = warmup_cosine(step, steps, warmup_steps=0, peak=config.weight_decay, final=config.weight_decay_final)
        warm = int(config.teacher_temperature_warmup * steps)
        return (
            learning_rate,
            weight_decay,
            linear_warmup(step, warm, config.teacher_temperature_start, config.teacher_temperature),
        )

    def state(self) -> dict[str, Any]:
        """Return everything needed to go on, as tensors, numbers and text.

        Raises:
            TrainingDiverged: a weight is not finite, so that there is nothing to go on from.
        """
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            raise TrainingDiverged(f"weights are not finite after step {self.step}: {WAY_OUT}")
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "step": self.step}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def parameter_groups(student: nn.Module) -> list[dict[str, Any]]:
    """Matrices, which decay, apart from biases, norms, scales and tokens, which do not. Source: DINO, DINOv2."""
    named = [(name, parameter) for name, parameter in student.named_parameters() if parameter.requires_grad]
    matrix = {name: parameter.ndim >= 2 and not name.endswith(("_token", "pos_embed")) for name, parameter in named}
    return [{"params": [parameter for name, parameter in named if matrix[name] is decays], "decays": decays} for decays in (True, False)]
