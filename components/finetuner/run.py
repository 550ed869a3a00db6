"""The fine-tuning step: tiles with labels and a backbone in, a task model out."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from components.finetuner.config import FinetuneConfig
from components.finetuner.features import encode, read_masks, training_images
from components.finetuner.fitting import METRIC, fit_head
from components.finetuner.resources import Resources
from components.finetuner.windows import Windows, choose_windows
from eartheye import __version__
from eartheye.contracts import Architecture, BackboneReference, ImageSpec, ModelPackage, Provenance, Tiles, digest
from eartheye.store import Folder
from eartheye.store.room import scratch_folder
from eartheye.tiles import TileSet
from eartheye.tracking import run
from models.heads.linear import LinearHead
from models.heads.upernet import UperNet
from models.package import check_sensor, load_backbone
from models.references import refer
from models.tasks import SceneClassifier, Segmenter
from models.vit import VisionTransformer
from models.weights import save_weights

STEP = "finetuner/2"
WEIGHTS, SPLIT, HISTORY, CONFIG = "model.safetensors", "split.parquet", "history.parquet", "config.json"


class Fitted(NamedTuple):
    """A task model, and how its training went."""

    model: SceneClassifier | Segmenter
    history: pd.DataFrame


def finetune(tiles: Folder, backbone: Folder, config: FinetuneConfig, model: Folder, resources: Resources = Resources()) -> ModelPackage:
    """Train a head on a frozen backbone. A folder that is finished already is returned as it is.

    Args:
        tiles: a finished folder of tiles, some with labels.
        backbone: a finished backbone.
        config: task, samples, head.
        model: where the package goes: the head's weights, `split.parquet` (which tiles it has seen), `history.parquet` (a row for
            each epoch) and `config.json`.
        resources: device and threads.

    Raises:
        NotFinished: `tiles` or `backbone` is still to be made.
        NotEnoughTiles: too few labels, or windows too large for the tiles.
        WrongBands: the labelled tiles have other channels than the backbone.
        WrongScale: they have another ground sampling distance than the backbone was trained for.
        TrainingDiverged: the loss is no longer a number.
        StoreFull: there is no room for the features meanwhile, or for the model.
        ConflictingOutput: `model` holds what another input or configuration made.
    """
    given, base = Tiles.read(tiles), ModelPackage.read(backbone)
    made_from = identify(given, base, config)
    if done := ModelPackage.done(model, made_from):
        return done

    tile_set = TileSet(tiles)
    network = load_backbone(backbone)
    windows = open_windows(tile_set, base, config)
    image = training_images(tile_set, windows)
    with run(f"finetune-{config.title}", config, {"title": config.title, "tiles": given.digest, "backbone": base.digest}) as tracked:
        fitted = fit(network, tile_set, windows, image, config, resources)
        tracked.history(f"{config.title}/loss", dict(enumerate(fitted.history["loss"].tolist())))
        tracked.history(f"{config.title}/validation_{METRIC[config.task]}", dict(enumerate(fitted.history["validation"].dropna().tolist())))
        write(model, fitted, windows, config)
        seen = tile_set.index.loc[windows.parts.index[windows.parts != "test"]]
        return ModelPackage(
            made_from=made_from,
            title=config.title,
            task=config.task,
            architecture=Architecture(
                name=base.architecture.name,
                backbone=base.architecture.backbone,
                image_px=base.architecture.image_px,
                head=head_of(config),
            ),
            weights=model.bulk(WEIGHTS),
            backbone=BackboneReference(uri=refer(backbone, model), digest=base.digest),
            image=image,
            input_px=windows.input_px,
            classes=windows.classes,
            split=model.bulk(SPLIT),
            provenance=Provenance(
                trained_on=(given.digest, *base.provenance.trained_on),
                code=__version__,
                licence=tuple(sorted({*base.provenance.licence, *seen["licence"]})),
                attribution=tuple(sorted({*base.provenance.attribution, *seen["attribution"]})),
                run_id=tracked.id,
            ),
        ).finish(model)


def identify(given: Tiles, base: ModelPackage, config: FinetuneConfig) -> str:
    """Return the digest of what decides a task model."""
    return digest(STEP, config, given.digest, base.digest)


def open_windows(tiles: TileSet, base: ModelPackage, config: FinetuneConfig) -> Windows:
    """Return the windows to learn from, once their tiles fit the backbone."""
    windows = choose_windows(tiles, config.task, config.samples)
    check_sensor(tiles.sensors[windows.sensor], base.image)
    return windows


def fit(
    backbone: VisionTransformer,
    tiles: TileSet,
    windows: Windows,
    image: ImageSpec,
    config: FinetuneConfig,
    resources: Resources,
) -> Fitted:
    """Train a head on a backbone's features of the training windows.

    Args:
        backbone: frozen here.
        tiles: the tiles.
        windows: of these tiles, with their parts.
        image: how pixels are normalised.
        config: of the head.
        resources: device and threads.
    """
    classes = len(windows.classes)
    model = with_head(backbone, classes, config)
    train, validation = windows.rows("train"), windows.rows("validation")
    features = encode(model, tiles, windows, windows.rows("train", "validation"), image, config.precision, resources)
    targets = targets_of(tiles, windows, config)
    return Fitted(model, fit_head(model, features, targets, train, validation, classes, config, resources))


def with_head(backbone: VisionTransformer, classes: int, config: FinetuneConfig) -> SceneClassifier | Segmenter:
    """Return a backbone with an untrained head for so many classes."""
    torch.manual_seed(config.seed)
    if config.task == "scenes":
        return SceneClassifier(backbone, LinearHead(backbone.spec.dim, classes))
    return Segmenter(backbone, UperNet(backbone.spec.dim, classes, config.head_width, config.head_finest))


def targets_of(tiles: TileSet, windows: Windows, config: FinetuneConfig) -> NDArray[np.uint8 | np.int64]:
    """Class numbers from 1: (N,) of scenes, (N, H, W) of pixels, where 0 is not labelled."""
    if config.task == "segmentation":
        assert config.samples.label_set is not None, "the configuration was checked"
        return read_masks(tiles, windows, config.samples.label_set)
    return windows.labels + 1  # scenes may have more classes than a mask has values


def head_of(config: FinetuneConfig) -> dict[str, Any]:
    """Return the head as an architecture names it."""
    if config.task == "scenes":
        return {"kind": "linear"}
    return {"kind": "upernet", "width": config.head_width, "finest": config.head_finest}


def write(model: Folder, fitted: Fitted, windows: Windows, config: FinetuneConfig) -> None:
    """Write everything of a task model but its manifest."""
    with scratch_folder() as scratch:
        path = scratch / WEIGHTS
        save_weights(fitted.model.head, path)
        model.upload(WEIGHTS, path)
    parts = pa.table({"tile": pa.array(windows.parts.index, pa.int64()), "part": pa.array(windows.parts, pa.string())})
    for name, table in ((SPLIT, parts), (HISTORY, pa.Table.from_pandas(fitted.history))):
        with model.create(name) as file:
            pq.write_table(table, file)
    with model.create(CONFIG) as file:
        file.write(config.model_dump_json(indent=2).encode())
