"""Asking each server behind the ports whether it answers."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from sqlalchemy import create_engine, make_url, text

from eartheye.bus import check_broker
from eartheye.errors import PredictorUnavailable, TrackingUnavailable, UserError
from eartheye.settings import Settings
from eartheye.store import Folder
from services.admin.platform import Platform
from services.admin.probe import Asked, Probe
from services.schema.migrate import status

LIMIT_S = 4.0
"""A server that takes longer counts as down."""
FRESH_S = 2.0
"""For how long an answer is given again: however many ask, the servers are asked this often."""
Server = Literal["database", "bus", "store", "tracking", "predictor"]


class ServerHealth(BaseModel):
    """How a server answered."""

    server: Server
    ok: bool
    words: str
    """What it is and where, or why it does not answer."""


class Ready(BaseModel):
    """Whether this service can answer requests: its own database, and no other server; the reasons need a key."""

    ready: bool
    database: bool
    """The database answers."""
    schema_current: bool
    """It has the schema of this release."""


class Probes:
    """Asks all servers at once, within a time limit.

    Args:
        platform: the servers.
    """

    def __init__(self, platform: Platform) -> None:
        settings = platform.settings
        questions: dict[Server, Callable[[], str]] = {
            "database": lambda: _database(platform),
            "bus": lambda: _bus(settings),
            "store": lambda: _store(settings),
            "tracking": lambda: _tracking(settings),
            "predictor": lambda: _predictor(settings),
        }
        self._settings = settings
        self._servers = {server: Probe(question, LIMIT_S, FRESH_S) for server, question in questions.items()}
        self._schema = Probe(lambda: status(platform.engine), LIMIT_S)

    def ask(self) -> list[ServerHealth]:
        """Return how each server answered."""
        asked = {server: probe.ask() for server, probe in self._servers.items()}
        return [self._health(server, each) for server, each in asked.items()]

    async def ready(self) -> Ready:
        """Return whether this service can answer requests; takes no thread from those that answer them."""
        asked = self._schema.ask()
        answered = asyncio.wrap_future(asked.answer)
        answered.add_done_callback(lambda each: each.exception())  # it is read below, and asyncio is to know, however late it comes
        await asyncio.wait([answered], timeout=asked.left_s)
        if not asked.answer.done() or isinstance(error := asked.answer.exception(), UserError):
            return Ready(ready=False, database=False, schema_current=False)
        if error is not None:
            raise error
        current = asked.answer.result().current
        return Ready(ready=current, database=True, schema_current=current)

    def _health(self, server: Server, asked: Asked[str]) -> ServerHealth:
        if not asked.wait():
            words = f"{_place(server, self._settings)} does not answer since {asked.since:%Y-%m-%d %H:%M:%S} UTC"
            return ServerHealth(server=server, ok=False, words=words)
        if error := asked.answer.exception():
            return ServerHealth(server=server, ok=False, words=str(error) or type(error).__name__)
        return ServerHealth(server=server, ok=True, words=asked.answer.result())


def _place(server: Server, settings: Settings) -> str:
    """Say where a server is."""
    return {
        "database": make_url(settings.database_url).render_as_string(hide_password=True),
        "bus": f"Kafka at {settings.kafka_bootstrap}",
        "store": f"{settings.job_work} at {settings.s3_endpoint}" if settings.job_work.startswith("s3://") else settings.job_work,
        "tracking": f"MLflow at {settings.mlflow_tracking_uri}",
        "predictor": f"Triton at {settings.triton_url}",
    }[server]


def _database(platform: Platform) -> str:
    with platform.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    return platform.engine.url.render_as_string(hide_password=True)


def _bus(settings: Settings) -> str:
    check_broker(settings, LIMIT_S - 1)
    return f"Kafka at {settings.kafka_bootstrap}"


def _store(settings: Settings) -> str:
    Folder(settings.job_work).exists("health")
    return _place("store", settings)


def _tracking(settings: Settings) -> str:
    uri = settings.mlflow_tracking_uri
    if uri.startswith("http"):
        # MLflow's own client asks again for minutes before it says that the server is down.
        try:
            with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=LIMIT_S - 1):  # noqa: S310 - http by the line above
                return f"MLflow at {uri}"
        except (urllib.error.URLError, OSError) as error:
            raise TrackingUnavailable(f"MLflow at {uri} does not answer: {error}") from error
    url = make_url(uri)
    if url.database and url.drivername.startswith("sqlite") and not Path(url.database).exists():
        return f"MLflow on {uri}, made when it is first used"
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    finally:
        engine.dispose()
    return f"MLflow on {url.render_as_string(hide_password=True)}"


def _predictor(settings: Settings) -> str:
    if settings.predictor != "triton":
        return f"{settings.predictor} in the workers' own processes"
    from tritonclient.grpc import InferenceServerClient
    from tritonclient.utils import InferenceServerException

    client = InferenceServerClient(settings.triton_url)
    try:
        ready = client.is_server_ready(client_timeout=LIMIT_S - 1)
    except InferenceServerException as error:
        raise PredictorUnavailable(f"Triton at {settings.triton_url} does not answer: {error}") from error
    finally:
        client.close()
    if not ready:
        raise PredictorUnavailable(f"Triton at {settings.triton_url} is not ready")
    return f"Triton at {settings.triton_url}"
