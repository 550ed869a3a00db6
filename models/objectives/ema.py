"""The teacher follows the student: equation (5) of the CG-EarthEye report."""

import torch
from torch import nn


@torch.no_grad()
def update_teacher(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """theta_t <- m * theta_t + (1 - m) * theta_s, in place, for all parameters in a few fused kernels.

    Args:
        teacher: has the same parameters as `student`, in the same order.
        student: stays as it is.
        momentum: m in [0, 1]; 0.992 in the report, and in DINOv2 for the start of its schedule.

    Source: CG-EarthEye report, equation (5).
    """
    torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 1 - momentum)
