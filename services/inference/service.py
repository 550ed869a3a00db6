"""The roles of the inference service: each a function that serves until it is told to stop."""

import threading
from functools import partial

from eartheye.bus import open_bus
from eartheye.contracts.messages import JOB_ASSEMBLIES, JOB_BLOCKS, JOB_OUTCOMES, JOB_REQUESTS, JOB_RESULTS
from eartheye.database import connect
from eartheye.errors import CredentialsRefused, StoreUnavailable
from eartheye.settings import Settings
from eartheye.store import Folder, hurried
from eartheye.telemetry import PULSE, get_logger
from services.inference.admission import ModelSource
from services.inference.assembler import Assembler
from services.inference.config import PlannerConfig
from services.inference.planner import Planner
from services.inference.worker import OpenPredictor, Worker

log = get_logger(__name__)
PAUSE_S = 5.0
"""Before the next look at a store that does not answer."""
TURN_S = 120.0
"""A look that takes longer stands still: some times what a hurried request may take."""
TOPICS = (JOB_REQUESTS, JOB_BLOCKS, JOB_OUTCOMES, JOB_ASSEMBLIES, JOB_RESULTS)


def run_planner(settings: Settings, stop: threading.Event, resolve: ModelSource | None = None, config: PlannerConfig | None = None) -> None:
    """Plan jobs until `stop` is set.

    Args:
        settings: bus, database, allowed folders, limits.
        stop: ends it.
        resolve: says which version a model's alias points at; by default the registry in MLflow.
        config: cut and window of blocks.

    Raises:
        BusUnavailable: the broker does not answer at the start.
        CredentialsRefused, FolderRefused: the folder of the blocks cannot be used.
    """
    _reach_work(settings, stop)
    with open_bus(settings) as bus:
        bus.ensure_topics(TOPICS)
        Planner(bus, connect(settings), resolve or _registry(), settings, config or PlannerConfig()).run(stop)


def run_worker(settings: Settings, stop: threading.Event, open_predictor: OpenPredictor | None = None) -> None:
    """Map blocks until `stop` is set.

    Args:
        settings: bus, allowed folders, predictor.
        stop: ends it; a block in work is given half a minute to finish.
        open_predictor: opens a model; by default as the settings say.

    Raises:
        BusUnavailable: the broker does not answer at the start.
        CredentialsRefused, FolderRefused: the folder of the blocks cannot be used.
    """
    _reach_work(settings, stop)
    with open_bus(settings) as bus:
        bus.ensure_topics(TOPICS)
        Worker(bus, settings, open_predictor or _predictors(settings)).run(stop)


def run_assembler(settings: Settings, stop: threading.Event) -> None:
    """Build maps until `stop` is set.

    Raises:
        BusUnavailable: the broker does not answer at the start.
        CredentialsRefused, FolderRefused: the folder of the blocks cannot be used.
    """
    _reach_work(settings, stop)
    with open_bus(settings) as bus:
        bus.ensure_topics(TOPICS)
        Assembler(bus, connect(settings)).run(stop)


def _reach_work(settings: Settings, stop: threading.Event) -> None:
    """Wait until the store of the blocks answers, or `stop` is set; a role that may not use it would only hold what others could do."""
    with PULSE.turning("store of the blocks", TURN_S) as turned, hurried():
        while not stop.is_set():
            turned()
            try:
                next(Folder(settings.job_work).list(), None)
                return
            except CredentialsRefused:
                raise
            except StoreUnavailable as error:
                log.warning("waiting for the store of the blocks", reason=str(error))
                stop.wait(PAUSE_S)


def _registry() -> ModelSource:
    from eartheye.tracking import resolve  # MLflow takes seconds to import

    return resolve


def _predictors(settings: Settings) -> OpenPredictor:
    from eartheye.predictor import open_predictor

    return partial(open_predictor, settings=settings)
