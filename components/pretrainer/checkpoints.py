"""Everything needed to go on after an interruption, in a folder for each step that was kept."""

import re
import time
from collections.abc import Callable
from typing import Any, Literal

import torch

from eartheye.contracts import Manifest
from eartheye.errors import ConflictingOutput
from eartheye.store import Bulk, Folder

KEPT = 2
STATE = "state.pt"
FINISHED = re.compile(rf"(step-\d{{8}})/{re.escape(Manifest.name)}")


class Checkpoint(Manifest):
    """A state of training; without this manifest the state beside it may be half of one."""

    kind: Literal["checkpoint/1"] = "checkpoint/1"
    step: int
    """Steps done."""
    state: Bulk
    """What `torch.save` made of tensors, numbers and text alone: it is read without unpickling code."""


class Pace:
    """Says when the next checkpoint is due: what an interruption can cost, weighed against what writing one costs.

    Args:
        every_s: shortest time between two.
        share: of the time, that writing may take up. A checkpoint that took 2 s with a share of 0.02 is followed by one after 100 s.
        clock: says the time, s.
    """

    def __init__(self, every_s: float, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._share, self._clock = every_s, share, clock
        self._last_s, self._cost_s = clock(), 0.0

    def due(self) -> bool:
        """Say whether a checkpoint is to be written now."""
        return self._clock() - self._last_s >= max(self._every_s, self._cost_s / self._share)

    def keep(self, save: Callable[[], None]) -> None:
        """Have a checkpoint written, and note what that cost."""
        began_s = self._clock()
        save()
        self._last_s = self._clock()
        self._cost_s = self._last_s - began_s


def save(folder: Folder, made_from: str, step: int, state: dict[str, Any]) -> None:
    """Write a checkpoint whole, then remove all but the newest two.

    Args:
        folder: of all checkpoints of this training.
        made_from: digest of the training's configuration and inputs.
        step: steps done.
        state: tensors, numbers and text.
    """
    place = folder / name_of(step)
    with place.create(STATE) as file:
        torch.save(state, file)
    Checkpoint(made_from=made_from, step=step, state=place.bulk(STATE)).finish(place)
    for old in finished(folder)[:-KEPT]:
        folder.delete(f"{old}/{Manifest.name}")  # first, so that no manifest stands beside a state that is gone
        folder.delete(f"{old}/{STATE}")


def newest(folder: Folder, made_from: str, device: torch.device) -> dict[str, Any] | None:
    """Return the state of the newest checkpoint, None where there is none.

    Raises:
        ConflictingOutput: the folder belongs to another training.
        CorruptBulk: the state is not what was written.
    """
    if not (checkpoint := last(folder, made_from)):
        return None
    with (folder / name_of(checkpoint.step)).open(checkpoint.state) as file:
        return torch.load(file, map_location=device, weights_only=True)


def last(folder: Folder, made_from: str) -> Checkpoint | None:
    """Return the manifest of the newest checkpoint, None where there is none.

    Raises:
        ConflictingOutput: the folder belongs to another training.
    """
    if not (names := finished(folder)):
        return None
    checkpoint = Checkpoint.read(folder / names[-1])
    if checkpoint.made_from != made_from:
        raise ConflictingOutput(f"{folder.root} holds checkpoints of another training: choose another folder or remove it")
    return checkpoint


def name_of(step: int) -> str:
    """Return the folder of a checkpoint."""
    return f"step-{step:08d}"


def finished(folder: Folder) -> list[str]:
    """Names of the checkpoints that are whole, oldest first."""
    return [found[1] for name in folder.list() if (found := FINISHED.fullmatch(name))]
