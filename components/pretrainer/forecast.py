"""What a pretraining would come to: counted from its configuration and sites, memory and time from a few steps done on trial."""

import resource
import sys
import time
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from components.pretrainer import checkpoints
from components.pretrainer.config import PretrainConfig
from components.pretrainer.loader import ViewLoader
from components.pretrainer.run import Resources, identify, open_sites
from components.pretrainer.training import Training
from eartheye.contracts import Curated, ModelPackage, Tiles
from eartheye.store import Folder
from eartheye.telemetry import progress_of
from eartheye.tiles import TileSet

WARMING_STEPS, TIMED_STEPS = 1, 2
"""Steps on trial; the first ones make room and choose kernels."""


@dataclass(frozen=True)
class PretrainingForecast:
    """What is still to be trained, and what it takes."""

    sites: int
    """Sites to learn from."""
    tiles: int
    """Their acquisitions."""
    steps: int
    done: int
    """Steps that an earlier run has done, by its newest checkpoint."""
    images: int
    """Sites shown in all steps, each in its views."""
    epochs: float
    """How often each site is shown."""
    backbone_parameters: int
    trained_parameters: int
    """With the heads; the teacher follows without training."""
    package_bytes: int
    """Of the backbone's weights."""
    checkpoint_bytes: int
    """Of one checkpoint; two are kept."""
    memory_bytes: int
    """Most that the device gave at a time, or that this process took so far where the device is the processor."""
    seconds: float
    """For the steps still to do, on this machine, about."""


def forecast_pretraining(
    tiles: Folder,
    curated: Folder,
    config: PretrainConfig,
    checkpoint: Folder,
    backbone: Folder,
    resources: Resources = Resources(),
) -> PretrainingForecast | None:
    """Say what `pretrain` would still do; nothing is written. A few steps are done, on whole batches, and thrown away.

    Args:
        tiles: a finished folder of tiles.
        curated: what the curator keeps of them.
        config: how to train.
        checkpoint: where the training would save itself.
        backbone: where the package would go.
        resources: device and threads.

    Returns:
        The counts; None where the folder is finished.

    Raises:
        UserError: what `pretrain` would raise, but for a full store, a damaged checkpoint, and a loss that is no number only later.
    """
    given, selection = Tiles.read(tiles), Curated.read(curated)
    made_from = identify(given, selection, config)
    if ModelPackage.done(backbone, made_from):
        return None
    tile_set = TileSet(tiles)
    chosen = open_sites(tile_set, curated, config)
    newest = checkpoints.last(checkpoint, made_from)
    done = newest.step if newest else 0
    training = Training(config, len(chosen.image.bands), torch.device(resources.device))
    loader = ViewLoader(tile_set, chosen, config.views, batch_size=config.batch_size, seed=config.seed, threads=resources.loader_threads)
    seconds = try_steps(training, loader)
    student = training.model.student
    return PretrainingForecast(
        sites=len(chosen.sites),
        tiles=len(chosen.index),
        steps=config.steps,
        done=done,
        images=config.steps * config.batch_size,
        epochs=config.steps * config.batch_size / len(chosen.sites),
        backbone_parameters=parameters(student.backbone),
        trained_parameters=parameters(student),
        package_bytes=size_of(training.model.teacher.backbone.state_dict()),
        checkpoint_bytes=size_of(training.state()),
        memory_bytes=most_memory(training.device),
        seconds=seconds * (config.steps - done),
    )


def try_steps(training: Training, loader: ViewLoader) -> float:
    """Do the first steps of a training, and return the seconds of one, the reading of its batch included."""
    with progress_of("trying a few steps", WARMING_STEPS + TIMED_STEPS) as advance:
        for first, steps in ((0, WARMING_STEPS), (WARMING_STEPS, TIMED_STEPS)):
            begun = time.perf_counter()
            with closing(loader.batches(first, first + steps)) as batches:
                for views in batches:
                    training.advance(views)
                    advance()
    return (time.perf_counter() - begun) / TIMED_STEPS


def parameters(network: nn.Module) -> int:
    """Return the number of a network's parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def size_of(state: object) -> int:
    """Return the bytes of all tensors in dictionaries and lists."""
    match state:
        case Tensor():
            return state.nbytes
        case dict():
            return sum(map(size_of, state.values()))
        case list():
            return sum(map(size_of, state))
        case _:
            return 0


def most_memory(device: torch.device) -> int:
    """Return the most bytes that were in use at a time."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # kilobytes but for macOS
