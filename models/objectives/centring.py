"""How the teacher's outputs become targets: sharpened, and kept from collapsing onto few prototypes.

Letters: S samples (class tokens or patches of this process), K prototypes.
"""

import torch
from torch import Tensor, nn
from torch import distributed as dist


@torch.no_grad()
def sinkhorn_knopp(outputs: Tensor, temperature: float, iterations: int = 3) -> Tensor:
    """Distributions in which, over all samples of all processes, every prototype is used about equally.

    exp(outputs / temperature) is scaled by prototype and by sample in turn. Only the two scaling vectors are iterated, so that
    the matrix itself is read and never rewritten; DINOv2's loop gives the same result.

    Args:
        outputs: (S, K) outputs of the teacher's head, cosines, S > 0.
        temperature: of the teacher; below 0.03 the smallest weights round to 0.
        iterations: 3 as in DINOv2 and SwAV; more makes the use of prototypes more equal.

    Returns:
        (S, K) float32; each row sums to 1.

    Source: SwAV (Caron et al., 2020), section 3.1; DINOv2 (Oquab et al., 2023), section 4, "Sinkhorn-Knopp centering".
    """
    with torch.autocast(outputs.device.type, enabled=False):
        scores = outputs.float() / temperature
        # A sample's factor starts as exp(its highest score), less the highest of all: no row and no sum can overflow or vanish.
        highest_S = scores.max(dim=1).values
        highest = highest_S.max()
        if dist.is_initialized():
            dist.all_reduce(highest, dist.ReduceOp.MAX)
        weights_SK = torch.exp(scores - highest_S[:, None])
        of_sample_S = torch.exp(highest_S - highest)
        for _ in range(iterations):
            use_K = of_sample_S @ weights_SK
            if dist.is_initialized():
                dist.all_reduce(use_K)
            # The smallest positive number stands for a prototype so far from every sample that its use rounds to 0.
            of_prototype_K = use_K.mean() / use_K.clamp(min=torch.finfo(torch.float32).tiny)
            of_sample_S = 1 / (weights_SK @ of_prototype_K)
        return weights_SK * of_prototype_K * of_sample_S[:, None]


class MovingAverageCentre(nn.Module):
    """Softmax of the outputs less their running mean.

    Args:
        prototypes: K.
        momentum: share of the old mean that stays in an update; 0.9 as in DINO.

    Source: DINO (Caron et al., 2021), equation (4).
    """

    centre: Tensor

    def __init__(self, prototypes: int, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("centre", torch.zeros(prototypes))

    @torch.no_grad()
    def forward(self, outputs: Tensor, temperature: float) -> Tensor:
        """Centre by the mean of the batches before this one, then let this one into the mean.

        Args:
            outputs: (S, K) outputs of the teacher's head, S > 0.
            temperature: of the teacher, > 0.

        Returns:
            (S, K) float32; each row sums to 1.
        """
        targets = torch.softmax((outputs.float() - self.centre) / temperature, dim=-1)
        total_K = outputs.float().sum(dim=0)
        samples = torch.tensor(float(len(outputs)), device=outputs.device)
        if dist.is_initialized():
            dist.all_reduce(total_K)
            dist.all_reduce(samples)
        self.centre.lerp_(total_K / samples, 1 - self.momentum)
        return targets
