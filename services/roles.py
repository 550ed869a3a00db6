"""The services as processes of their own: one role a process, until it is told to end."""

import signal
import threading
from collections.abc import Callable
from typing import Literal

from prometheus_client import start_http_server

from eartheye.errors import InvalidSettings
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
        InvalidSettings: the port of the metrics cannot be had.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    offer_metrics(load().metrics_port)
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


def offer_metrics(port: int) -> None:
    """Answer `GET /metrics` from now on, in a thread of its own.

    Args:
        port: on every address of this machine; 0 for not at all.

    Raises:
        InvalidSettings: the port cannot be had.
    """
    if port:
        try:
            start_http_server(port)
        except OSError as error:
            raise InvalidSettings(f"EARTHEYE_METRICS_PORT={port} cannot be listened on ({error}): choose a free one") from None
