"""The pretraining step: tiles in, a backbone out."""

import json
import os
from contextlib import closing
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from components.pretrainer import checkpoints
from components.pretrainer.config import PretrainConfig, ViewsConfig
from components.pretrainer.loader import ViewLoader
from components.pretrainer.sites import PretrainingSites, choose_sites
from components.pretrainer.training import FIGURES, Training
from eartheye import __version__
from eartheye.contracts import Architecture, Curated, ModelPackage, Provenance, Tiles, digest
from eartheye.store import Folder
from eartheye.store.room import scratch_folder
from eartheye.telemetry import get_logger, progress_of
from eartheye.tiles import TileSet
from eartheye.tracking import Run, run
from models.vit import SIZES
from models.weights import save_weights

STEP = "pretrainer/3"
WEIGHTS, HISTORY, SPLIT = "model.safetensors", "history.parquet", "split.parquet"
COLLAPSED_STD = 0.05
"""Spread of the class tokens, of 1, below which the backbone tells hardly anything apart."""


@dataclass(frozen=True)
class Resources:
    """What a training may use; none of it changes the result."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    loader_threads: int = min(8, os.cpu_count() or 1)
    """Threads that decode tiles and cut views."""
    checkpoint_every_s: float = 30.0
    """Shortest time between checkpoints: what an interruption can cost, at least."""
    checkpoint_share: float = 0.02
    """Of the time, that writing checkpoints may take up; those of a large training come less often."""


def pretrain(
    tiles: Folder,
    curated: Folder,
    config: PretrainConfig,
    checkpoint: Folder,
    backbone: Folder,
    resources: Resources = Resources(),
) -> ModelPackage:
    """Pretrain a backbone on tiles. A folder that is finished already is returned as it is.

    A training that was interrupted, however rudely, goes on from its newest checkpoint and ends with the weights that it would have
    had without the interruption (on the same machine).

    Args:
        tiles: a finished folder of tiles.
        curated: what the curator keeps of them.
        config: how to train.
        checkpoint: where the training saves itself; of no use once the backbone is there.
        backbone: where the package goes: the teacher's weights, `split.parquet` with the
            tiles it has seen, and `history.parquet` with a row of figures for each step.
        resources: device, threads, how often it saves itself.

    Raises:
        NotFinished: `tiles` or `curated` is still to be made.
        NotEnoughTiles: no tile is left to learn from.
        WrongBands: one network cannot take the channels of all sensors.
        TrainingDiverged: the loss is no longer a number; the last checkpoint was made before that.
        StoreFull: there is no room for a checkpoint, or for the weights.
        ConflictingOutput: `checkpoint` or `backbone` belongs to another input or configuration.
    """
    given, selection = Tiles.read(tiles), Curated.read(curated)
    made_from = identify(given, selection, config)
    if done := ModelPackage.done(backbone, made_from):
        return done

    tile_set = TileSet(tiles)
    chosen = open_sites(tile_set, curated, config)
    with run("pretrain", config, {"tiles": given.digest, "curated": selection.digest}) as tracked:
        training, history = train(tile_set, chosen, config, checkpoint, made_from, resources, tracked)
        if (spread := history["feature_std"].iloc[-1]) < COLLAPSED_STD:
            get_logger(__name__).warning("the backbone tells hardly anything apart", feature_std=spread)

        with scratch_folder() as scratch:
            path = scratch / WEIGHTS
            save_weights(training.model.teacher.backbone, path)
            backbone.upload(WEIGHTS, path)
        seen = pa.table({"tile": chosen.index["tile"].to_numpy(np.int64), "part": ["train"] * len(chosen.index)})
        for name, table in ((HISTORY, pa.Table.from_pandas(history)), (SPLIT, seen)):
            with backbone.create(name) as file:
                pq.write_table(table, file)
        spec = training.model.teacher.backbone.spec
        return ModelPackage(
            made_from=made_from,
            title=f"backbone-{config.size}",
            task="backbone",
            architecture=Architecture(name=f"vit-{config.size}/{spec.patch_size}", backbone=asdict(spec), image_px=config.views.global_px),
            weights=backbone.bulk(WEIGHTS),
            image=chosen.image.model_copy(update={"gsd_range_m": scales_seen(chosen, config.views)}),
            input_px=config.views.global_px,
            split=backbone.bulk(SPLIT),
            provenance=Provenance(
                trained_on=(given.digest, selection.digest),
                code=__version__,
                licence=tuple(sorted(chosen.index["licence"].unique())),
                attribution=tuple(sorted(chosen.index["attribution"].unique())),
                run_id=tracked.id,
            ),
        ).finish(backbone)


def identify(given: Tiles, selection: Curated, config: PretrainConfig) -> str:
    """Return the digest of what decides a training."""
    network = json.dumps(asdict(SIZES[config.size]), sort_keys=True)  # the configuration has only the size's name
    return digest(STEP, config, network, given.digest, selection.digest)


def open_sites(tiles: TileSet, curated: Folder, config: PretrainConfig) -> PretrainingSites:
    """Return the sites to learn from."""
    with curated.open(Curated.read(curated).table) as file:
        return choose_sites(tiles, pq.read_table(file).to_pandas(), config.holdout)


def train(
    tiles: TileSet, chosen: PretrainingSites, config: PretrainConfig, checkpoint: Folder, made_from: str, resources: Resources, tracked: Run
) -> tuple[Training, pd.DataFrame]:
    """Run all steps, from the newest checkpoint on.

    Args:
        tiles: the tiles.
        chosen: the sites to learn from.
        config: how to train.
        checkpoint: where the training saves itself.
        made_from: digest of configuration and inputs.
        resources: device, threads, how often it saves itself.
        tracked: gets the figures with each checkpoint.

    Returns:
        The training at its end, and a row of `FIGURES` for each step.
    """
    device = torch.device(resources.device)
    training = Training(config, len(chosen.image.bands), device)
    rows: list[list[float]] = []
    if found := checkpoints.newest(checkpoint, made_from, device):
        training.restore(found)
        rows = found["history"].tolist()
    reported = 0  # a run begins with the process, and is told what earlier ones did too

    def report() -> None:
        nonlocal reported
        for place, figure in enumerate(FIGURES):
            tracked.history(f"pretrain/{figure}", {step: rows[step][place] for step in range(reported, len(rows))})
        reported = len(rows)

    def keep() -> None:
        history = torch.tensor(rows, dtype=torch.float64)
        checkpoints.save(checkpoint, made_from, training.step, training.state() | {"history": history})
        report()

    loader = ViewLoader(tiles, chosen, config.views, batch_size=config.batch_size, seed=config.seed, threads=resources.loader_threads)
    pace = checkpoints.Pace(resources.checkpoint_every_s, resources.checkpoint_share)
    with (
        progress_of("pretraining", config.steps, training.step) as advance,
        closing(loader.batches(training.step, config.steps)) as batches,
    ):
        for views in batches:
            figures = training.advance(views)
            rows.append(list(figures.values()))
            advance(note=f"loss {figures['loss']:.3f}")
            if training.step == config.steps or pace.due():
                pace.keep(keep)
    report()
    return training, pd.DataFrame(rows, columns=list(FIGURES))


def scales_seen(chosen: PretrainingSites, views: ViewsConfig) -> tuple[float, float] | None:
    """Smallest and largest ground sampling distance, m, of what the network saw: the tiles' own, and that of the resized crops.

    None where the tiles that the package describes have no known scale.

    A crop of a share a of a tile of P px, resized to S px, has sqrt(a) P / S times the tile's distance.
    """
    if chosen.image.gsd_m is None:
        return None
    known = chosen.index.dropna(subset="gsd_m")
    side_m = known["gsd_m"] * known[["height", "width"]].min(axis=1)
    sizes = ((views.global_area, views.global_px), (views.local_area, views.local_px))
    finest = min(known["gsd_m"].min(), *(side_m.min() * area[0] ** 0.5 / px for area, px in sizes))
    coarsest = max(known["gsd_m"].max(), *(side_m.max() * area[1] ** 0.5 / px for area, px in sizes))
    return float(finest), float(coarsest)
