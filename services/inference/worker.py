"""The worker: maps one block at a time, and puts down how it ended."""

import threading
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from eartheye.blocks import Predict, ReadImage, Window, map_window
from eartheye.bus import Bus, Delivery
from eartheye.contracts import ServingPackage
from eartheye.contracts.messages import JOB_BLOCKS, JOB_OUTCOMES, BlockOutcome, BlockTask
from eartheye.errors import (
    CorruptBulk,
    FolderRefused,
    MissingBulk,
    MissingCrs,
    NewerManifest,
    NotFinished,
    UnreadableManifest,
    UnreadableRaster,
    UserError,
    WrongBackbone,
    WrongBands,
)
from eartheye.raster import Scene, normalise, open_scene
from eartheye.settings import Settings
from eartheye.store import Folder
from eartheye.telemetry import get_logger
from services.inference.metrics import BLOCK_SECONDS, PIXELS_MAPPED
from services.inference.outcomes import begin_attempt, forget_attempt, is_held, put_outcome, put_raster, read_outcome
from services.inference.patience import Patience
from services.inference.roots import inside_roots

log = get_logger(__name__)
GROUP = "eartheye.worker"
LASTING = (
    UnreadableRaster,
    WrongBands,
    MissingCrs,
    NotFinished,
    UnreadableManifest,
    NewerManifest,
    MissingBulk,
    CorruptBulk,
    FolderRefused,
    WrongBackbone,
)
"""What another attempt would not change: the block has failed. Any other `UserError` is about a server or a disk: the block is tried again,
and as long as an `Outage` lasts; for a model that the inference server does not run, as long as `Patience` says."""
MOST_ATTEMPTS = 5
"""How often a block may end its worker, or fail by a fault, before it is put down as failed: it must not go round for ever."""
DELIVERY = Delivery(session_s=10.0, longest_pause_s=10.0)
"""A worker that died should not hold its blocks for long, nor should one sleep long after an outage has passed. Source of the session
timeout: Kafka's clients before 3.0."""
MODELS_KEPT = 2

OpenPredictor = Callable[[Folder, ServingPackage, str, int], Predict]
"""Returns the predictor of a serving package, registered under a name and version."""


class Worker:
    """Maps blocks; what it does not finish another worker does.

    Args:
        bus: where blocks come from, and outcomes go.
        settings: allowed folders, folder of the work.
        open_predictor: asked once for each model, while it is among the last `MODELS_KEPT`.
    """

    def __init__(self, bus: Bus, settings: Settings, open_predictor: OpenPredictor) -> None:
        self._bus, self._settings, self._open_predictor = bus, settings, open_predictor
        self._model = lru_cache(MODELS_KEPT)(self._load_model)
        self._patience = Patience()

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            BusUnavailable: the broker does not answer at the start.
        """
        self._bus.consume([JOB_BLOCKS], GROUP, (BlockTask,), self.handle, stop=stop, delivery=DELIVERY)

    def handle(self, task: BlockTask) -> None:
        """Map a block unless it has an outcome, and tell the outcome.

        Raises:
            RequestRejected: the message names a folder that this service does not use.
            Outage: a server or a disk that the block needs is away or full; the block has no outcome yet.
            FolderRefused: the folder of the blocks cannot be used; the planner sees to it when nothing more is heard of the block.
        """
        inside_roots(task.scene, self._settings.allowed_roots)
        work = Folder(inside_roots(task.work, [self._settings.job_work]))
        outcome = read_outcome(work, task.block)
        if outcome is None:
            if is_held(work):
                return
            outcome = put_outcome(work, self._attempt(work, task))
        self._bus.publish(JOB_OUTCOMES, f"{task.plan}/{task.block}", outcome)

    def _attempt(self, work: Folder, task: BlockTask) -> BlockOutcome:
        attempt = begin_attempt(work, task.block)
        if attempt > MOST_ATTEMPTS:
            reason = f"{MOST_ATTEMPTS} attempts ended their worker or failed by a fault: see the logs of the workers"
            return BlockOutcome(plan=task.plan, block=task.block, state="failed", reason=reason)
        model = task.model, task.model_version
        try:
            outcome = self._map(work, task)
        except UserError as error:
            if not isinstance(error, LASTING) and not self._patience.ended(model, error):
                forget_attempt(work, task.block, attempt)
                raise
            log.warning("block failed", plan=task.plan, block=task.block, reason=str(error))
            return BlockOutcome(plan=task.plan, block=task.block, state="failed", reason=str(error))
        self._patience.restart(model)
        return outcome

    def _map(self, work: Folder, task: BlockTask) -> BlockOutcome:
        with BLOCK_SECONDS.time():
            package, predict = self._model(task.serving, task.serving_digest, task.model, task.model_version)
            with open_scene(task.scene, task.bands, task.nodata, task.crs) as scene:
                window = Window(*task.window)
                classes = map_window(read_images(scene, package), predict, package, window, task.origin)
                if not classes.any():
                    return BlockOutcome(plan=task.plan, block=task.block, state="empty")
                transform = scene.transform @ Affine.translation(window.column, window.row)
                raster = put_raster(work, task.block, classes, scene.crs, transform)
        PIXELS_MAPPED.inc(classes.size)
        return BlockOutcome(plan=task.plan, block=task.block, state="done", raster=raster)

    def _load_model(self, serving: str, digest: str, name: str, version: int) -> tuple[ServingPackage, Predict]:
        folder = Folder(serving)
        package = ServingPackage.read(folder)
        if package.digest != digest:
            raise CorruptBulk(f"{serving} is not the package that the job was planned with: export it again, and redrive the job")
        return package, self._open_predictor(folder, package, name, version)


def read_images(scene: Scene, package: ServingPackage) -> ReadImage:
    """Return how windows of a scene are read for a model: its bands, normalised."""

    def read(window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        pixels, valid = scene.read(RasterWindow(*window), package.image.bands)
        return normalise(pixels, valid, package.image), valid

    return read
