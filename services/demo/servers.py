"""The servers and services of a demonstration, all of them in this process or its children."""

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from eartheye import settings
from eartheye.contracts import GatePolicy
from eartheye.errors import TritonCannotRun
from eartheye.telemetry import get_logger
from services.inference.service import inference_service
from services.registry.service import run_registry
from services.stack.broker import API_VERSION, embedded_broker
from services.stack.triton import embedded_triton

log = get_logger(__name__)


@dataclass
class Servers:
    """What stands behind the ports, in words for the report."""

    words: list[str] = field(default_factory=list)


@contextmanager
def embedded_servers(run: Path, allowed: tuple[Path, ...], gate: GatePolicy, console: Console) -> Iterator[Servers]:
    """Start the embedded servers and the services for the length of a block, and name them in the environment.

    Broker, database and registry are there at once. Triton may have to be installed first, so it and the services that need it come up
    beside the first steps; what is asked of them meanwhile waits in the broker.

    Args:
        run: folder of the run; the databases and Triton's repository lie there.
        allowed: folders that scenes may be read from and maps written to.
        gate: what the registry asks of a candidate.
        console: where a fallback is told.

    Raises:
        UserError: a service ended before its time.
    """
    servers = Servers()
    with ExitStack() as stack:
        address = stack.enter_context(embedded_broker())
        stack.enter_context(
            environment(
                {
                    "EARTHEYE_KAFKA_BOOTSTRAP": address,
                    "EARTHEYE_KAFKA_API_VERSION": json.dumps(API_VERSION),
                    "EARTHEYE_MLFLOW_TRACKING_URI": f"sqlite:///{run.resolve()}/mlflow.db",
                    "EARTHEYE_DATABASE_URL": f"sqlite:///{run.resolve()}/eartheye.db",
                    "EARTHEYE_ALLOWED_ROOTS": json.dumps([str(path.resolve()) for path in allowed]),
                    "EARTHEYE_JOB_WORK": str(run.resolve() / "work"),
                    "EARTHEYE_PREDICTOR": "onnxruntime",
                    "EARTHEYE_GATE": gate.model_dump_json(),
                }
            )
        )
        servers.words.append(f"Message bus: librdkafka's broker in this process, at {address}.")
        servers.words.append("Tracking, registry and platform database: MLflow and SQLAlchemy on SQLite. Object store: a directory.")
        stack.enter_context(services(triton_or_onnxruntime(run, servers, console)))
        yield servers


@contextmanager
def services(inference_server: AbstractContextManager[None]) -> Iterator[None]:
    """Run registry and inference service in a thread of their own for the length of a block.

    Args:
        inference_server: entered in that thread, before the services start.

    Raises:
        UserError: a service ended before its time.
    """
    stop, failures = threading.Event(), list[BaseException]()

    def serve() -> None:
        try:
            with inference_server, ThreadPoolExecutor(thread_name_prefix="registry") as pool:
                registry = pool.submit(run_registry, settings.load(), stop)
                with inference_service(settings.load()):
                    stop.wait()
                registry.result()
        except BaseException as failure:
            log.exception("the services ended")
            failures.append(failure)

    thread = threading.Thread(target=serve, name="services")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]


@contextmanager
def triton_or_onnxruntime(run: Path, servers: Servers, console: Console) -> Iterator[None]:
    """Run Triton where it can run, and name what models run on."""
    with ExitStack() as stack:
        try:
            triton = stack.enter_context(embedded_triton(run / "triton", run / "triton.log", settings.load().cache))
            stack.enter_context(environment(triton.settings()))
            servers.words.append(f"Inference: Triton (Python backend with ONNX Runtime), gRPC at {triton.url}.")
        except TritonCannotRun as reason:
            console.print(f"  Triton cannot run here, ONNX Runtime serves in its place: {reason}", style="yellow")
            servers.words.append(f"Inference: ONNX Runtime in this process, for Triton cannot run here: {reason}")
        yield


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables, and with them the settings of this process and its children, for the length of a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    settings.load.cache_clear()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        settings.load.cache_clear()
