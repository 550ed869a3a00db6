"""The class raster that a map is held against, and what the map is worth on ground that its model has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask
from rasterio.windows import Window
from rasterio.windows import transform as transform_of

from components.evaluator.scoring import PRETRAINED
from components.finetuner.metrics import class_iou, mean_iou
from components.tiler.sample import Grid
from components.tiler.truth import read_classes
from eartheye.contracts import Catalogue, ClassSpec, Report
from eartheye.contracts.catalogue import RasterLabels
from eartheye.raster import Scene
from eartheye.wording import counted
from services.demo.report.wording import M2_PER_HA, listed


@dataclass(frozen=True)
class Worth:
    """A class map counted against the truth on one piece of ground."""

    matrix: NDArray[np.int64]
    """(K, K) pixels, rows: truth, columns: map."""
    classes: tuple[ClassSpec, ...]
    """K."""
    pieces: int
    """Of the ground."""
    area_m2: float
    """Of the pixels that were counted."""

    @property
    def mean_iou(self) -> float:
        """Over the classes that are in the truth or in the map."""
        return float(mean_iou(self.matrix))

    @property
    def per_class(self) -> dict[str, float]:
        """Intersection over union of each class that is in the truth or in the map."""
        iou = class_iou(self.matrix)
        return {spec.name: float(value) for spec, value in zip(self.classes, iou, strict=True) if not np.isnan(value)}


def shows(labels: RasterLabels, scene: str) -> bool:
    """Say whether a class raster is the truth of a scene."""
    return labels.scenes is None or scene in labels.scenes


def raster_truth(catalogue: Catalogue, label_set: str | None, scene: str) -> RasterLabels | None:
    """Return the truth to show beside a map.

    Args:
        catalogue: of the data.
        label_set: that the model has learned from.
        scene: that was mapped.

    Returns:
        That label set where it is the truth of the scene; else one of the same classes that is; else that label set, of other scenes.
        None where it is no class raster.
    """
    learned = next((labels for labels in catalogue.labels if labels.name == label_set), None)
    if not isinstance(learned, RasterLabels):
        return None
    names = {spec.value: spec.name for spec in learned.classes}
    of_scene = (labels for labels in (learned, *catalogue.labels) if isinstance(labels, RasterLabels) and shows(labels, scene))
    return next((labels for labels in of_scene if {spec.value: spec.name for spec in labels.classes} == names), learned)


def truth_words(labels: RasterLabels, scene: str) -> str:
    """Say which scenes the truth beside a map is of."""
    if shows(labels, scene):
        return f"The truth beside it, {labels.path}, is that of this scene."
    return (
        f"The truth beside it, {labels.path}, is of other scenes ({listed(labels.scenes or ())}) and not of this one: where the ground "
        "has changed between the dates, a right map differs from it."
    )


def worth_of(class_map: Path, truth: Scene, classes: Sequence[ClassSpec], ground: shapely.Geometry) -> Worth:
    """Count a class map against a class raster on a piece of ground, at every pixel of the map that both know.

    Args:
        class_map: values of the classes, 0 where there is none.
        truth: likewise, on any grid.
        classes: of both.
        ground: in the reference system of the map.
    """
    number = np.full(256, len(classes))
    number[[spec.value for spec in classes]] = np.arange(len(classes))
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    parts = shapely.get_parts(ground)
    pieces = parts[shapely.area(parts) > 0]
    with rasterio.open(class_map) as mapped:
        whole = Window(0, 0, mapped.width, mapped.height)
        for piece in pieces:
            window = mapped.window(*piece.bounds).round_offsets(op="floor").round_lengths(op="ceil").intersection(whole)
            found = mapped.read(1, window=window)
            grid = Grid(mapped.crs, transform_of(window, mapped.transform), *found.shape)
            wanted, _ = read_classes(truth, classes, grid)
            inside = ~geometry_mask([piece], found.shape, grid.transform)
            pair = number[wanted[inside]], number[found[inside]]
            known = (pair[0] < len(classes)) & (pair[1] < len(classes))
            counts = np.bincount(pair[0][known] * len(classes) + pair[1][known], minlength=matrix.size)
            matrix += counts.reshape(matrix.shape)
        pixel_m2 = abs(mapped.transform.determinant)
    return Worth(matrix, tuple(classes), len(pieces), float(matrix.sum() * pixel_m2))


def worth_words(worth: Worth, report: Report, *, same_date: bool) -> str:
    """Say what a map is worth, beside what the evaluation says of its model.

    Args:
        worth: of the map.
        report: of the model's evaluation.
        same_date: whether the truth is that of the mapped scene.
    """
    judged = next(score.value for score in report.scores if (score.model, score.metric) == (PRETRAINED, "miou"))
    return (
        f"On ground of which no tile was in training or validation ({worth.area_m2 / M2_PER_HA:,.1f} ha in "
        f"{counted(worth.pieces, 'piece')}) the map has a mean intersection over union of {worth.mean_iou:.3f}"
        f"{'' if same_date else ' with that truth'}. The evaluation of its model on the test tiles says {judged:.3f}. The two need not "
        "agree: the map is of one scene at one date, the evaluation over the labelled scenes of all dates; and a pixel of the map is "
        "weighed from windows that overlap and reach beyond the tile, while the evaluation maps each tile by itself, its edges as well."
    )
