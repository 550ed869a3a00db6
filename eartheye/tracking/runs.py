"""Runs in MLflow: configuration and metrics of a piece of work.

MLflow gets figures. Weights and data stay in the object store; MLflow holds their address and digest.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from pydantic import BaseModel
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from eartheye.errors import FolderRefused, TrackingUnavailable
from eartheye.settings import load
from eartheye.store.directory import NO_LINKS
from eartheye.store.draft_folder import draft_folder
from eartheye.store.room import room
from eartheye.telemetry import get_logger

INJECTED_RUN = "MLFLOW_RUN_ID"
PARAMETER_LIMIT = 6000
BATCH = 1000
"""Values that MLflow takes at once."""
log = get_logger(__name__)


class Run:
    """An open run.

    Work does not end because MLflow went away in the middle of it: its figures are in the folder that it makes, too. Those that MLflow
    could not be told are kept, and told once more at the end.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self.id = run_id
        self._untold: list[Metric] = []
        self._away = False

    def metric(self, name: str, value: float, step: int = 0) -> None:
        """Record one value of a metric."""
        self._record([Metric(name, value, time.time_ns() // 1_000_000, step)])

    def history(self, name: str, values: Mapping[int, float]) -> None:
        """Record a metric's values by step in one request; time in the chart is the step."""
        self._record([Metric(name, value, step, step) for step, value in values.items()])

    def end(self, status: Literal["FINISHED", "FAILED"] | None) -> None:
        """Tell MLflow what it has not been told, and how the run ended; None leaves it open. What it cannot be told is a warning."""
        try:
            self._tell()
            if status:
                self._client.set_terminated(self.id, status)
        except MlflowException as error:
            log.warning("MLflow does not know how a run ended", run=self.id, values_lost=len(self._untold), reason=str(unavailable(error)))

    def _record(self, metrics: list[Metric]) -> None:
        self._untold += metrics
        if self._away:  # its client asks for minutes until it gives up
            return
        try:
            self._tell()
        except MlflowException as error:
            self._away = True
            log.warning("MLflow gets no figures before the run ends", run=self.id, reason=str(unavailable(error)))

    def _tell(self) -> None:
        while self._untold:
            self._client.log_batch(self.id, metrics=self._untold[:BATCH])
            del self._untold[:BATCH]


@contextmanager
def run(name: str, config: BaseModel, tags: Mapping[str, str] | None = None) -> Iterator[Run]:
    """Open a run and log the resolved configuration; the run ends with the block, failed if the block raised.

    MLflow has to be there when the run is opened; from then on the work goes on without it.

    Where the orchestrator injected a run (`MLFLOW_RUN_ID`), that run is used, and left open for whoever made it.

    Args:
        name: what is done, as `pretrain`.
        config: the step's configuration; its fields become parameters.
        tags: facts, as digests of inputs.

    Raises:
        TrackingUnavailable: MLflow does not answer, or does not know the injected run.
    """
    client = connect()
    injected = os.environ.get(INJECTED_RUN)
    try:
        run_id = client.get_run(injected).info.run_id if injected else _create(client, name)
        for key, value in flatten(config.model_dump(mode="json")).items():
            client.log_param(run_id, f"{name}.{key}" if injected else key, str(value)[:PARAMETER_LIMIT])
        for key, value in (tags or {}).items():
            client.set_tag(run_id, key, value)
    except MlflowException as error:
        raise unavailable(error) from error
    opened = Run(client, run_id)
    try:
        yield opened
    except BaseException:
        opened.end(None if injected else "FAILED")
        raise
    opened.end(None if injected else "FINISHED")


def connect() -> MlflowClient:
    """Return a client of the tracking server in the settings."""
    uri = load().mlflow_tracking_uri
    try:
        if uri.startswith("sqlite:///") and (file := make_url(uri).database) and file != ":memory:":
            _make_file(Path(file))
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> TrackingUnavailable:
    """Word a failure of MLflow for the user."""
    met = error if isinstance(error, DBAPIError) else error.__cause__  # MLflow may put an error of its own around the database's
    reason = " ".join(str(met.orig if isinstance(met, DBAPIError) else error).split())
    remedy = ": free space on its disk" if "disk is full" in reason else ""
    return TrackingUnavailable(f"MLflow at {load().mlflow_tracking_uri} (EARTHEYE_MLFLOW_TRACKING_URI): {reason}{remedy}")


def flatten(fields: Mapping[str, object], above: str = "") -> dict[str, object]:
    """Name nested fields by their path: `{"mask": {"ratio": 0.5}}` becomes `{"mask.ratio": 0.5}`."""
    flat: dict[str, object] = {}
    for key, value in fields.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat


def _make_file(path: Path) -> None:
    """Make MLflow's SQLite file, unless it is there: MLflow makes the tables step by step, and cannot go on where it broke off.

    Raises:
        StoreFull: there is no room.
        FolderRefused: it cannot appear whole on this file system.
    """
    if path.exists():
        return
    with room(f"to make {path}", "free space, or set EARTHEYE_MLFLOW_TRACKING_URI to a file on a larger disk"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(path) as folder:
            made = folder / path.name
            MlflowClient(tracking_uri=f"sqlite:///{made}", registry_uri=f"sqlite:///{made}")
            try:
                path.hardlink_to(made)
            except FileExistsError:  # another process made it in the meantime
                pass
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                raise FolderRefused(f"{path.parent} has no hard links: put MLflow's file on a file system that has") from error


def _create(client: MlflowClient, name: str) -> str:
    experiment = load().mlflow_experiment
    found = client.get_experiment_by_name(experiment)
    if found is None:
        try:
            identifier = client.create_experiment(experiment, artifact_location=_artifacts())
        except MlflowException:  # another process made it in the meantime
            found = client.get_experiment_by_name(experiment)
            if found is None:
                raise
            identifier = found.experiment_id
    else:
        identifier = found.experiment_id
    return client.create_run(identifier, run_name=name).info.run_id


def _artifacts() -> str | None:
    """Whatever is attached to a run lies beside an SQLite file; a server decides for itself."""
    uri = load().mlflow_tracking_uri
    return str(Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts") if uri.startswith("sqlite:///") else None
