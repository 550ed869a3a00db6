"""What the training of a head would come to: counted from its windows, sizes and time from a few of them tried."""

import dataclasses
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.finetuner.config import FinetuneConfig
from components.finetuner.features import encode, training_images
from components.finetuner.fitting import fit_head
from components.finetuner.resources import Resources
from components.finetuner.run import identify, open_windows, targets_of, with_head
from components.finetuner.windows import Windows
from eartheye.contracts import ModelPackage, Tiles
from eartheye.store import Folder
from eartheye.tiles import TileSet
from models.package import load_backbone
from models.tasks import SceneClassifier, Segmenter

TRIED = 32
"""Windows, about, that are encoded and learned from on trial."""


@dataclass(frozen=True)
class HeadForecast:
    """What is to be trained, and what it takes."""

    train: int
    """Windows to learn from."""
    validation: int
    """Windows to choose the epoch by."""
    test: int
    """Windows kept for the evaluation."""
    classes: int
    epochs: int
    parameters: int
    """Of the head; the backbone's are frozen."""
    package_bytes: int
    """Of the head's weights."""
    features_bytes: int
    """Of the features that are kept on this machine's disk meanwhile."""
    seconds: float
    """On this machine, about."""


def forecast_head(
    tiles: Folder, backbone: Folder, config: FinetuneConfig, model: Folder, resources: Resources = Resources()
) -> HeadForecast | None:
    """Say what `finetune` would train; nothing is written.

    Args:
        tiles: a finished folder of tiles, some with labels.
        backbone: a finished backbone.
        config: task, samples, head.
        model: where the package would go.
        resources: device and threads.

    Returns:
        The counts; None where the folder is finished.

    Raises:
        UserError: what `finetune` would raise, but for a full store, and a loss that is no number only later.
    """
    given, base = Tiles.read(tiles), ModelPackage.read(backbone)
    if ModelPackage.done(model, identify(given, base, config)):
        return None
    tile_set, network = TileSet(tiles), load_backbone(backbone)
    windows = open_windows(tile_set, base, config)
    trained = with_head(network, len(windows.classes), config)
    few = thin(windows)
    features, encoding_s = try_encoding(trained, tile_set, few, config.precision, resources)
    epoch_s = try_epoch(trained, tile_set, few, features, config, resources)
    train, validation, test = (len(windows.rows(part)) for part in ("train", "validation", "test"))
    return HeadForecast(
        train=train,
        validation=validation,
        test=test,
        classes=len(windows.classes),
        epochs=config.epochs,
        parameters=sum(parameter.numel() for parameter in trained.head.parameters()),
        package_bytes=sum(tensor.nbytes for tensor in trained.head.state_dict().values()),
        features_bytes=(train + validation) * features[0].nbytes,
        seconds=(train + validation) * (encoding_s + config.epochs * epoch_s),
    )


def try_encoding(
    model: SceneClassifier | Segmenter, tiles: TileSet, few: Windows, precision: str, resources: Resources
) -> tuple[NDArray[np.float16], float]:
    """Return the features of a few windows, and the seconds that one took, the reading of its tile included.

    Args:
        model: its head is not used.
        tiles: the tiles.
        few: windows of these tiles.
        precision: of the backbone's matrix products.
        resources: device and threads.
    """
    every, image = np.arange(len(few.all)), tiles.image_spec(few.sensor)
    encode(model, tiles, few, every[:1], image, precision, resources)  # the first makes room and chooses kernels
    begun = time.perf_counter()
    image = training_images(tiles, few)
    features = encode(model, tiles, few, every, image, precision, resources)
    return features, (time.perf_counter() - begun) / len(every)


def try_epoch(
    model: SceneClassifier | Segmenter,
    tiles: TileSet,
    few: Windows,
    features: NDArray[np.float16],
    config: FinetuneConfig,
    resources: Resources,
) -> float:
    """Train a head on a few windows, and return the seconds that a window took in an epoch.

    Args:
        model: its head is spoilt.
        tiles: the tiles.
        few: windows of these tiles.
        features: of these windows.
        config: of the head.
        resources: device and threads.
    """
    targets, classes = targets_of(tiles, few, config), len(few.classes)
    once = config.model_copy(update={"epochs": 1, "title": f"{config.title} on trial"})  # as progress tells of it
    for _ in range(2):  # the first makes room and chooses kernels
        begun = time.perf_counter()
        fit_head(model, features, targets, few.rows("train"), few.rows("validation"), classes, once, resources)
    return (time.perf_counter() - begun) / len(few.all)


def thin(windows: Windows) -> Windows:
    """Return the windows of a few tiles to learn from and to choose the epoch by, in the proportion of all.

    They are all windows of these tiles: a tile is read once for its windows, so that lone ones would seem to take longer.
    """
    step = max(len(windows.rows("train", "validation")) // TRIED, 1)
    tiles = {tile for part in ("train", "validation") for tile in list(windows.tiles(part))[::step]}
    return dataclasses.replace(windows, all=tuple(window for window in windows.all if window.tile in tiles))
