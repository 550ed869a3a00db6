"""What `--dry-run` says: one line, parted by semicolons, of counts, sizes and, where it could be tried, time."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.filesize import decimal

if TYPE_CHECKING:
    from components.curator.forecast import CurationForecast
    from components.evaluator.forecast import EvaluationForecast
    from components.finetuner.forecast import HeadForecast
    from components.pretrainer.forecast import PretrainingForecast
    from components.sampler.forecast import CellsForecast
    from components.tiler.forecast import TilesForecast


def say(told: tuple[str, ...], folder: str) -> None:
    """Print what would be done to a folder."""
    print(f"{'; '.join(told)}; in {folder} nothing was written")


def of_cells(forecast: "CellsForecast | None") -> tuple[str, ...]:
    """Return the counts of cells to be described."""
    if forecast is None:
        return ("all cells are described",)
    return (
        f"cells of {forecast.cell_km} km to describe: {forecast.cells:,}",
        f"left out of {forecast.tried:,} tried: {listed(forecast.left_out)}",
        f"about {decimal(forecast.size_bytes)} and {clock(forecast.seconds)}",
    )


def of_tiles(forecast: "TilesForecast | None") -> tuple[str, ...]:
    """Return the counts of tiles to be cut."""
    from components.tiler.merge import in_short

    if forecast is None:
        return ("all tiles are cut",)
    rejected = (f"rejected of {forecast.tried} tried: {in_short(forecast.rejections)}",) if forecast.rejections else ()
    return (
        f"tiles at sites: {forecast.at_sites} (sites: {forecast.sites}, scenes: {forecast.scenes})",
        f"tiles over covered scenes: {forecast.over_scenes}",
        f"images to cut: {forecast.images}",
        f"parts: {forecast.parts} (done before: {forecast.done})",
        f"about {decimal(forecast.size_bytes)} and {clock(forecast.seconds)}",
        *rejected,
    )


def of_curation(forecast: "CurationForecast | None") -> tuple[str, ...]:
    """Return the counts of tiles to be looked at."""
    if forecast is None:
        return ("all tiles are decided about",)
    return (
        f"tiles: {forecast.tiles:,} (poor: {listed(forecast.poor)})",
        f"to look at: {forecast.looks:,}",
        f"shards: {forecast.parts:,} (done before: {forecast.done:,})",
        f"about {decimal(forecast.size_bytes)} and {clock(forecast.seconds)}, before sites are compared",
    )


def of_pretraining(forecast: "PretrainingForecast | None") -> tuple[str, ...]:
    """Return what a pretraining takes."""
    if forecast is None:
        return ("the backbone is trained",)
    return (
        f"sites: {forecast.sites:,} (tiles: {forecast.tiles:,})",
        f"steps: {forecast.steps:,} (done before: {forecast.done:,}), {forecast.images:,} images in {forecast.epochs:,.1f} epochs",
        f"parameters: {forecast.backbone_parameters:,} in the backbone, {forecast.trained_parameters:,} with its heads",
        f"backbone: {decimal(forecast.package_bytes)}, each checkpoint: {decimal(forecast.checkpoint_bytes)}",
        f"memory: {decimal(forecast.memory_bytes)}",
        f"about {clock(forecast.seconds)}",
    )


def of_head(forecast: "HeadForecast | None") -> tuple[str, ...]:
    """Return what the training of a head takes."""
    if forecast is None:
        return ("the head is trained",)
    return (
        f"windows: {forecast.train:,} to train on, {forecast.validation:,} to choose the epoch by, {forecast.test:,} kept for the test",
        f"classes: {forecast.classes:,}",
        f"epochs: {forecast.epochs:,}",
        f"parameters of the head: {forecast.parameters:,} ({decimal(forecast.package_bytes)})",
        f"features on this machine's disk meanwhile: {decimal(forecast.features_bytes)}",
        f"about {clock(forecast.seconds)}",
    )


def of_evaluation(forecast: "EvaluationForecast | None") -> tuple[str, ...]:
    """Return what an evaluation takes."""
    if forecast is None:
        return ("the report is there",)
    return (
        f"windows: {forecast.train:,} to train on, {forecast.validation:,} to choose by, {forecast.test:,} to test on",
        f"classes: {forecast.classes:,}",
        f"windows through a network: {forecast.encoded:,}",
        *((f"epochs of the head on a random backbone: {forecast.epochs:,}",) if forecast.epochs else ()),
        f"features on this machine's disk meanwhile: up to {decimal(forecast.features_bytes)}",
        f"about {clock(forecast.seconds)}, before other classifiers and pictures",
    )


def clock(seconds: float) -> str:
    """Return a duration as `0:01:30 (h:mm:ss)`."""
    return f"{dt.timedelta(seconds=round(seconds))} (h:mm:ss)"


def listed(counts: Mapping[str, int]) -> str:
    """Return counts by reason: `3 blurred, 1 cloudy`, or `none`."""
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items()) or "none"
