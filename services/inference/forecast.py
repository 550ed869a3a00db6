"""What a planned map would take: its tiles by the planner's blocks, its time from a few tiles predicted on trial."""

import math
import time
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eartheye.blocks import Lattice, Window, map_window
from eartheye.errors import PredictorUnavailable
from eartheye.predictor import open_predictor
from eartheye.raster import open_scene
from eartheye.settings import Settings
from eartheye.store import Folder
from services.inference.outcomes import ended_blocks
from services.inference.planning import PlannedJob
from services.inference.worker import read_images


@dataclass(frozen=True)
class MapForecast:
    """What is still to be predicted."""

    done: int
    """Blocks that another job, or an earlier attempt, has mapped already."""
    tiles: int
    """Images for the model in the other blocks; those without data are passed over."""
    seconds: float | None
    """For one worker with the predictor of these settings, at most about; None where that cannot be tried."""
    untried: str = ""
    """Why not."""


def forecast_map(planned: PlannedJob, settings: Settings) -> MapForecast:
    """Say how long the blocks of a map would take; nothing is written. A batch from the middle of the area is predicted and thrown away.

    Args:
        planned: what the request comes to.
        settings: which predictor.

    Raises:
        UnreadableRaster: the middle of the scene cannot be read.
        UserError: the model's package is damaged.
    """
    area, package = planned.admitted.area, planned.admitted.package
    lattice = Lattice.of(package.input_px, package.overlap)
    ended = ended_blocks(Folder(planned.plan.work))
    rest = [block.window for block in planned.blocks if block.name not in ended]
    done, tiles = len(planned.blocks) - len(rest), sum(tiles_of(window, area, lattice) for window in rest)
    try:
        tried, seconds = try_middle(planned, lattice, settings)
    except PredictorUnavailable as error:
        return MapForecast(done, tiles, None, str(error))
    return (
        MapForecast(done, tiles, seconds / tried * tiles) if tried else MapForecast(done, tiles, None, "the middle of the area has no data")
    )


def tiles_of(window: Window, area: Window, lattice: Lattice) -> int:
    """Return how many tiles a window of an area needs, those that reach over its borders included."""
    rows, columns = lattice.touching(window.row - area.row, window.height), lattice.touching(window.column - area.column, window.width)
    return len(rows) * len(columns)


def try_middle(planned: PlannedJob, lattice: Lattice, settings: Settings) -> tuple[int, float]:
    """Map a square of tiles, a batch at most, in the middle of the area; returns how many held data, and the seconds that they took."""
    admitted, area, plan = planned.admitted, planned.admitted.area, planned.plan
    tiles, tried = math.isqrt(admitted.package.batch_size), 0
    column, width = middle_of(area.width, lattice, tiles)
    row, height = middle_of(area.height, lattice, tiles)
    middle = Window(area.column + column, area.row + row, width, height)

    def counted(images: NDArray[np.float32]) -> NDArray[np.uint8]:
        nonlocal tried
        tried += len(images)
        return predict(images)

    predictor = open_predictor(Folder(plan.serving), admitted.package, plan.model, plan.model_version, settings)
    with closing(predictor) as predict, open_scene(admitted.scene, **plan.reading) as scene:
        read, origin = read_images(scene, admitted.package), (area.column, area.row)
        map_window(read, predict, admitted.package, middle, origin)  # the first makes room
        begun = time.perf_counter()
        map_window(read, counted, admitted.package, middle, origin)
    return tried, time.perf_counter() - begun


def middle_of(length_px: int, lattice: Lattice, tiles: int) -> tuple[int, int]:
    """Return start and length of a stretch in the middle of an axis that touches so many tiles, or all that there are."""
    first = max(length_px // lattice.stride_px - tiles, 0) // 2
    start = first * lattice.stride_px + (lattice.overlap_px if first else 0)  # behind the tile before
    return start, min((first + tiles) * lattice.stride_px, length_px) - start
