"""The services as processes: one role a process, or all of them in one, until it is told to end."""

import os
import signal
import threading
from typing import Literal

from eartheye.settings import load
from eartheye.telemetry import get_logger
from services.health import offer_health
from services.together import Service, together

Role = Literal["registry", "planner", "worker", "assembler", "admin", "all"]
log = get_logger(__name__)
MLFLOW_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""MLflow's client would ask a server that is down for minutes. A service asks again by itself, has other work, ends when it is told to, and
shows a page to somebody who waits."""


def run_role(role: Role) -> None:
    """Run a service until SIGTERM or Ctrl-C.

    Args:
        role: which.

    Raises:
        BusUnavailable: the broker does not answer at the start.
        InvalidSettings: the port of the metrics cannot be had.
    """
    for name, value in MLFLOW_PATIENCE.items():
        os.environ.setdefault(name, value)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if role not in ("admin", "all"):  # the admin service has pages for its process's metrics and health
        offer_health(load())
    log.info("service started", role=role)
    with together(services_of(role), load(), stop):
        stop.wait()
    log.info("service ended", role=role)


def services_of(role: Role) -> dict[str, Service]:
    """Return what a role runs, by name; only that is imported."""
    services: dict[str, Service] = {}
    if role in ("registry", "all"):
        from services.registry.service import run_registry

        services["registry"] = run_registry
    if role in ("planner", "worker", "assembler", "all"):
        from services.inference.service import run_assembler, run_planner, run_worker

        inference: dict[str, Service] = {"planner": run_planner, "worker": run_worker, "assembler": run_assembler}
        services |= inference if role == "all" else {role: inference[role]}
    if role in ("admin", "all"):
        from services.admin.serve import run_admin

        services["admin"] = run_admin
    return services
