"""EarthEye: from satellite imagery to a served map.

The verbs a Python user wants are here: `eartheye.pretrain(...)`, `eartheye.finetune(...)`,
`eartheye.load("models:/landcover@champion").predict("scene.tif").write("map.tif")`. Each lives in a room above this package and is opened
when it is first named, as is the predictor that needs PyTorch; nothing else in the kernel looks upward.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

VERBS = {
    "aggregate_cells": "components.sampler.run",
    "sample_sites": "components.sampler.run",
    "cut_tiles": "components.tiler.run",
    "curate": "components.curator.run",
    "pretrain": "components.pretrainer.run",
    "finetune": "components.finetuner.run",
    "evaluate_backbone": "components.evaluator.run",
    "evaluate_task": "components.evaluator.run",
    "export_model": "components.exporter.run",
    "deploy": "components.deployer.run",
    "load": "services.inference.here",
    "create_world": "services.world.create",
}
PARTS = {"TorchPredictor": "models.predictor"}
"""What the kernel itself opens in a room above, where it is chosen."""


def __getattr__(name: str) -> Any:
    if place := VERBS.get(name) or PARTS.get(name):
        return getattr(import_module(place), name)
    raise AttributeError(f"eartheye has no '{name}'; it has {', '.join(sorted(VERBS))}")


def __dir__() -> list[str]:
    return sorted([*globals(), *VERBS])
