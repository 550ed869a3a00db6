"""Self-attention over packed views, by the fastest kernel there is."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.packing import Packing

try:
    from flash_attn import flash_attn_varlen_qkvpacked_func
except ImportError:  # an extra of the installation, for GPUs
    flash_attn_varlen_qkvpacked_func = None


class Attention(nn.Module):
    """Multi-head self-attention; images attend within themselves.

    Args:
        dim: width D of a token.
        heads: H; D / H is the width E of a head.

    Source: Vaswani et al., 2017, section 3.2.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, packing: Packing) -> Tensor:
        """(T, D) to (T, D)."""
        return self.proj(attend(self.qkv(tokens).unflatten(-1, (3, self.heads, -1)), packing))


def attend(qkv: Tensor, packing: Packing) -> Tensor:
    """Softmax(q k / sqrt(E)) v for every image.

    With flash-attn installed, half-precision tokens of all resolutions go through one variable-length kernel; otherwise PyTorch
    chooses (its own flash kernel on a GPU), once for each view size.

    Args:
        qkv: (T, 3, H, E) queries, keys and values.
        packing: which rows are one image.

    Returns:
        (T, H * E)

    Source: FlashAttention-2 (Dao, 2023).
    """
    if flash_attn_varlen_qkvpacked_func is not None and qkv.is_cuda and qkv.dtype in (torch.float16, torch.bfloat16):
        return flash_attn_varlen_qkvpacked_func(qkv, packing.sequence_starts, packing.longest).flatten(1)
    return packing.pack([attend_one_size(view) for view in packing.unpack(qkv)])


def attend_one_size(qkv: Tensor) -> Tensor:
    """(B, N, 3, H, E) to (B, N, H * E)."""
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
