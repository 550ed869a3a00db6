"""The head between the backbone and the self-supervised losses."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class ProjectionSpec:
    """The size of a projection head; the defaults are those of DINOv2 (`ssl_default_config.yaml`), the report prints none."""

    hidden: int = 2048
    """Width of the two hidden layers."""
    bottleneck: int = 256
    """Width of the unit vectors that are compared with the prototypes."""
    prototypes: int = 65536
    """Outputs K."""


class ProjectionHead(nn.Module):
    """A 3-layer MLP, an L2 norm, and prototypes of unit length: the outputs are cosines, in [-1, 1].

    Args:
        dim: width D of a token.
        spec: sizes.

    Source: DINO (Caron et al., 2021), appendix C, its weight-normalised last layer with the gain held at 1; iBOT uses the same.
    """

    def __init__(self, dim: int, spec: ProjectionSpec) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(dim, spec.hidden),
            nn.GELU(),
            nn.Linear(spec.hidden, spec.hidden),
            nn.GELU(),
            nn.Linear(spec.hidden, spec.bottleneck),
        )
        self.prototypes = nn.Parameter(torch.empty(spec.prototypes, spec.bottleneck))
        self.init_weights()

    def init_weights(self) -> None:
        """Set every parameter anew. Source: DINO."""
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.prototypes)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., D) tokens to (..., K) cosines with the prototypes."""
        # A norm below 1e-6 is noise in half precision.
        unit = functional.normalize(self.mlp(tokens), dim=-1, eps=1e-6)
        return functional.linear(unit, functional.normalize(self.prototypes, dim=-1).to(unit.dtype))
