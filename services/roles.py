"""The services as processes of their own: one role a process, until it is told to end."""

import signal
import threading
from collections.abc import Callable
from typing import Literal

from eartheye.settings import Settings, load
from eartheye.telemetry import get_logger

Role = Literal["registry", "planner", "worker", "assembler"]
log = get_logger(__name__)


def run_role(role: Role) -> None:
    """Run a service until SIGTERM or Ctrl-C.

    Args:
        role: which.

    Raises:
        BusUnavailable: the broker does not answer at the start.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("service started", role=role)
    if role == "registry":
        from services.registry.service import run_registry

        run_registry(load(), stop)
    else:
        from services.inference.service import run_assembler, run_planner, run_worker

        roles: dict[Role, Callable[[Settings, threading.Event], None]]
        roles = {"planner": run_planner, "worker": run_worker, "assembler": run_assembler}
        roles[role](load(), stop)
    log.info("service ended", role=role)
