"""The roles of the inference service: each a function that serves until it is told to stop, and all of them together in one process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
from services.together import Service, together

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


@contextmanager
def inference_service(
    settings: Settings,
    resolve: ModelSource | None = None,
    open_predictor: OpenPredictor | None = None,
    config: PlannerConfig | None = None,
) -> Iterator[None]:
    """Run planner, worker and assembler as threads of this process for the length of a block.

    Args:
        settings: see `run_planner` and `run_worker`, as for the others.
        resolve: says which version a model's alias points at.
        open_predictor: opens a model.
        config: cut and window of blocks.

    Raises:
        UserError: a role ended before it was told to, and the others with it; raised at the end of the block.
    """
    roles: dict[str, Service] = {
        "planner": partial(run_planner, resolve=resolve, config=config),
        "worker": partial(run_worker, open_predictor=open_predictor),
        "assembler": run_assembler,
    }
    with together(roles, settings, threading.Event()):
        yield


def _registry() -> ModelSource:
    from eartheye.tracking import resolve  # MLflow takes seconds to import

    return resolve


def _predictors(settings: Settings) -> OpenPredictor:
    from eartheye.predictor import open_predictor

    return partial(open_predictor, settings=settings)
