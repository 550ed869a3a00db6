"""What a step that runs networks may use; none of it changes the result."""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Resources:
    """Device and threads."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    loader_threads: int = min(8, os.cpu_count() or 1)
    """Threads that read and decode tiles."""
