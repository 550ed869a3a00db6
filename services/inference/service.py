"""The roles of the inference service: each a function that serves until it is told to stop."""

import threading
from functools import partial

from eartheye.bus import open_bus
from eartheye.contracts.messages import JOB_ASSEMBLIES, JOB_BLOCKS, JOB_OUTCOMES, JOB_REQUESTS, JOB_RESULTS
from eartheye.database import connect
from eartheye.settings import Settings
from services.inference.admission import ModelSource
from services.inference.assembler import Assembler
from services.inference.config import PlannerConfig
from services.inference.planner import Planner
from services.inference.worker import OpenPredictor, Worker

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
    """
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
    """
    with open_bus(settings) as bus:
        bus.ensure_topics(TOPICS)
        Worker(bus, settings, open_predictor or _predictors(settings)).run(stop)


def run_assembler(settings: Settings, stop: threading.Event) -> None:
    """Build maps until `stop` is set.

    Raises:
        BusUnavailable: the broker does not answer at the start.
    """
    with open_bus(settings) as bus:
        bus.ensure_topics(TOPICS)
        Assembler(bus, connect(settings)).run(stop)


def _registry() -> ModelSource:
    from eartheye.tracking import resolve  # MLflow takes seconds to import

    return resolve


def _predictors(settings: Settings) -> OpenPredictor:
    from eartheye.predictor import open_predictor

    return partial(open_predictor, settings=settings)
