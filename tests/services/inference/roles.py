"""All roles of the inference service in the test's own process, with parts of the test's own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from eartheye.settings import Settings
from services.inference.admission import ModelSource
from services.inference.config import PlannerConfig
from services.inference.service import run_assembler, run_planner, run_worker
from services.inference.worker import OpenPredictor
from services.together import Service, together


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
