"""The loss over masked patch tokens: L2, equation (3) of the CG-EarthEye report.

Equation (3) sums over the masked patches i of an image; the mean is taken here, first over the masked patches of an image, then
over the images, as in iBOT, so that an image counts the same however much of it is masked.

Letters: B images, N patches of an image, M masked patches of all images, K prototypes.
"""

import torch
from torch import Tensor


def masked_patch_loss(student: Tensor, teacher: Tensor, masks: Tensor, temperature: float = 0.1) -> Tensor:
    """Mean cross-entropy between the teacher's and the student's distributions at masked patches.

    Args:
        student: (M, K) outputs of the student's head, which saw the masks, in the order of `masks.nonzero()`.
        teacher: (M, K) distributions of the teacher, which saw the patches, in the same order, sharpened and centred.
        masks: (B, N) bool, with M masked patches; an image without any counts as 0.
        temperature: of the student; 0.1 as in iBOT.

    Returns:
        Scalar, nats.

    Source: CG-EarthEye report, equation (3); iBOT (Zhou et al., 2021), equation (2).
    """
    with torch.autocast(student.device.type, enabled=False):
        log_student = torch.log_softmax(student.float() / temperature, dim=-1)
        cross_entropy_M = -(teacher.float() * log_student).sum(dim=-1)
    image_of_patch = masks.nonzero()[:, 0]
    weight_M = 1 / masks.sum(dim=1)[image_of_patch]
    return (cross_entropy_M * weight_M).sum() / len(masks)
