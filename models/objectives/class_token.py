"""The loss over class tokens: L1, equation (2) of the CG-EarthEye report.

Equation (2) sums over the teacher's two global views and the student's local views, quarters included. Here it is the mean over
these pairs, as in DINO, so that the loss does not grow with the number of views: the sum up to a constant. DINO and DINOv2 also
compare each global view of the student with the *other* global view of the teacher, which `global_to_global=True` adds. A view is
never compared with itself.

Letters: G views of the teacher, V views of the student (its first G are the same ones), B images, K prototypes.
"""

import torch
from torch import Tensor


def view_pairs(global_views: int, local_views: int, *, global_to_global: bool) -> Tensor:
    """(G, V) bool: which views of the student are compared with which of the teacher.

    Args:
        global_views: G.
        local_views: V - G.
        global_to_global: compare a global view with the other global views, too.
    """
    between_globals = ~torch.eye(global_views, dtype=torch.bool) & global_to_global
    return torch.cat([between_globals, torch.ones(global_views, local_views, dtype=torch.bool)], dim=1)


def class_token_loss(student: Tensor, teacher: Tensor, pairs: Tensor, temperature: float = 0.1) -> Tensor:
    """Mean cross-entropy between the teacher's and the student's distributions over all pairs of views.

    Args:
        student: (V, B, K) outputs of the student's head.
        teacher: (G, B, K) distributions of the teacher, sharpened and centred.
        pairs: (G, V) bool, from `view_pairs`.
        temperature: of the student; 0.1 as in DINO.

    Returns:
        Scalar, nats.

    Source: CG-EarthEye report, equation (2); DINO (Caron et al., 2021), equation (3).
    """
    # float32 throughout, whatever the autocast around: the sums run over all prototypes.
    with torch.autocast(student.device.type, enabled=False):
        log_student = torch.log_softmax(student.float() / temperature, dim=-1)
        cross_entropy_GV = -(teacher.float().flatten(1) @ log_student.flatten(1).T) / student.shape[1]
        return cross_entropy_GV[pairs.to(student.device)].mean()
