"""The servers and services of a demonstration, all of them in this process or its children."""

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from eartheye import settings
from eartheye.contracts import GatePolicy
from eartheye.errors import TritonCannotRun
from services.roles import services_of
from services.stack.broker import API_VERSION, embedded_broker
from services.stack.triton import embedded_triton
from services.together import Service, together

SERVICES = services_of("registry") | services_of("planner") | services_of("worker") | services_of("assembler")


@dataclass
class Servers:
    """What stands behind the ports."""

    words: list[str]
    """For the report."""
    ended: threading.Event
    """Set when a service has ended before its time."""


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
    words: list[str] = []
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
        words.append(f"Message bus: librdkafka's broker in this process, at {address}.")
        words.append("Tracking, registry and platform database: MLflow and SQLAlchemy on SQLite. Object store: a directory.")
        ended = stack.enter_context(services(triton_or_onnxruntime(run, words, console)))
        yield Servers(words, ended)


@contextmanager
def services(inference_server: AbstractContextManager[dict[str, Service]]) -> Iterator[threading.Event]:
    """Run registry and inference service for the length of a block.

    Args:
        inference_server: entered before the services start, in their thread and not in the block's; gives what is to run beside them.

    Returns:
        What is set when a service has ended before its time, so that nobody waits for it.

    Raises:
        UserError: why it ended; raised at the end of the block.
    """
    ended = threading.Event()

    def serve() -> None:
        try:
            with inference_server as beside, together(SERVICES | beside, settings.load(), ended):  # settings that name the server, too
                ended.wait()
        finally:
            ended.set()

    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(serve)
        try:
            yield ended
        finally:
            ended.set()
            serving.result()


@contextmanager
def triton_or_onnxruntime(run: Path, words: list[str], console: Console) -> Iterator[dict[str, Service]]:
    """Run Triton where it can run, and name what models run on; gives its watch, for a worker would wait for it without end."""
    beside: dict[str, Service] = {}
    with ExitStack() as stack:
        try:
            triton = stack.enter_context(embedded_triton(run / "triton", run / "triton.log", settings.load().cache))
            stack.enter_context(environment(triton.settings()))
            beside["triton"] = lambda _settings, stop: triton.watch(stop)
            words.append(f"Inference: Triton (Python backend with ONNX Runtime), gRPC at {triton.url}.")
        except TritonCannotRun as reason:
            console.print(f"  Triton cannot run here, ONNX Runtime serves in its place: {reason}", style="yellow")
            words.append(f"Inference: ONNX Runtime in this process, for Triton cannot run here: {reason}")
        yield beside


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
