"""Training of a head on features that are already there."""

import copy
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from components.finetuner.config import FinetuneConfig
from components.finetuner.metrics import confusion, mean_iou, overall_accuracy
from components.finetuner.resources import Resources
from eartheye.errors import TrainingDiverged
from eartheye.telemetry import progress_of
from models.objectives.schedules import warmup_cosine
from models.tasks import SceneClassifier, Segmenter

METRIC = {"scenes": "oa", "segmentation": "miou"}
"""The figure that the epoch is chosen by."""


def fit_head(
    model: SceneClassifier | Segmenter,
    features: NDArray[np.float16],
    targets: NDArray[np.integer],
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    classes: int,
    config: FinetuneConfig,
    resources: Resources,
) -> pd.DataFrame:
    """Train a model's head; it keeps the weights of the epoch that was best on the validation part, or the last where there is none.

    Args:
        model: the head learns; the backbone is not run.
        features: (N, ...) of all windows.
        targets: (N,) or (N, H, W) class numbers from 1, 0 where the class is not known.
        train: windows to learn from.
        validation: windows to choose the epoch by.
        classes: K.
        config: epochs, batch, rates.
        resources: where to run.

    Returns:
        A row for each epoch: `loss`, and `validation`, the figure of `METRIC`.

    Raises:
        TrainingDiverged: the loss is no longer a number.
    """
    device = torch.device(resources.device)
    head = model.to(device).head
    if isinstance(model, Segmenter):
        model.head.to(memory_format=torch.channels_last)  # convolutions of few channels run half as long again otherwise
        targets = on_grid_of_head(targets, [model.head.finest * side for side in features.shape[-2:]])
    weights = class_weights(targets[train], classes, config.balance).to(device)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.0, weight_decay=config.weight_decay)
    per_epoch = max(1, len(train) // config.batch_size)
    best, kept = -math.inf, copy.deepcopy(head.state_dict())
    history = []
    torch.manual_seed(config.seed)
    with progress_of(f"training the head {config.title}", config.epochs) as advance:
        for epoch in range(config.epochs):
            order = np.random.default_rng([config.seed, epoch]).permutation(train)
            losses = []
            model.train()
            for number, rows in enumerate(np.array_split(order, per_epoch)):
                for group in optimizer.param_groups:
                    group["lr"] = warmup_cosine(
                        epoch * per_epoch + number, config.epochs * per_epoch, warmup_steps=0, peak=config.learning_rate, final=0.0
                    )
                scores = logits(model, features[rows], targets.shape[1:], device)
                known = truth(targets[rows], device)
                total = functional.cross_entropy(scores, known, weights, ignore_index=-1, reduction="sum")
                loss = total / (known >= 0).sum().clamp(min=1)  # a batch may hold no label at all
                if not math.isfinite(loss.item()):
                    raise TrainingDiverged(f"loss {loss.item()} of the head in epoch {epoch}: lower `learning_rate`")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            score = validate(model, features, targets, validation, classes, config, device) if len(validation) else float(epoch)
            if score > best:
                best, kept = score, copy.deepcopy(head.state_dict())
            history.append((float(np.mean(losses)), score if len(validation) else math.nan))
            advance(note=f"loss {history[-1][0]:.3f}" + (f" validation {score:.3f}" if len(validation) else ""))
    head.load_state_dict(kept)
    model.eval()
    return pd.DataFrame(history, columns=["loss", "validation"])


@torch.inference_mode()
def validate(
    model: SceneClassifier | Segmenter,
    features: NDArray[np.float16],
    targets: NDArray[np.integer],
    rows: NDArray[np.int64],
    classes: int,
    config: FinetuneConfig,
    device: torch.device,
) -> float:
    """Return overall accuracy or mean intersection over union on some windows."""
    model.eval()
    matrix = np.zeros((classes, classes), np.int64)
    for batch in np.array_split(rows, math.ceil(len(rows) / config.batch_size)):
        predicted = logits(model, features[batch], targets.shape[1:], device).argmax(dim=1)
        matrix += confusion(predicted, truth(targets[batch], device), classes)
    return float(overall_accuracy(matrix) if config.task == "scenes" else mean_iou(matrix))


def logits(model: SceneClassifier | Segmenter, features: NDArray[np.float16], size_px: tuple[int, ...], device: torch.device) -> Tensor:
    """(B, K) scores of scenes, or (B, K, H, W) of pixels; `size_px` is the (H, W) of the windows, of no account for scenes."""
    given = torch.from_numpy(features.astype(np.float32)).to(device)
    if isinstance(model, Segmenter):
        return model.from_features(given, (size_px[0], size_px[1]))
    return model.from_features(given)


def truth(targets: NDArray[np.integer], device: torch.device) -> Tensor:
    """Class numbers from 0, int64, -1 where the class is not known."""
    return torch.from_numpy(targets.astype(np.int64) - 1).to(device)


def on_grid_of_head(targets: NDArray[np.integer], cells: Sequence[int]) -> NDArray[np.integer]:
    """Pick the pixels of (N, H, W) targets at the middles of the head's own cells, so many down and across.

    The loss is taken there: drawing scores up to the pixels first costs as much as the head, and adds nothing that it could learn.
    """
    rows, columns = (((np.arange(n) + 0.5) * px / n).astype(np.int64) for n, px in zip(cells, targets.shape[1:], strict=True))
    return np.ascontiguousarray(targets[:, rows[:, None], columns])


def class_weights(targets: NDArray[np.integer], classes: int, balance: float) -> Tensor:
    """(K,) weight of each class in the loss, on average 1 over the labelled pixels: frequency to the power of -balance."""
    count = np.bincount(targets.ravel(), minlength=classes + 1)[1 : classes + 1].astype(np.float64)
    share = np.maximum(count, 1) / max(count.sum(), 1)
    weights = share**-balance
    return torch.from_numpy(weights / (weights * count).sum() * count.sum()).float()
