"""Commands that ask the services for something, and the one that runs them."""

import logging
import math
import os
from typing import Annotated, Literal

from cyclopts import Parameter

from eartheye.contracts.messages import JobRequest
from eartheye.wording import counted
from services.cli.forecasts import clock
from services.cli.inputs import Champion, Patience, Version


class MapRequest(JobRequest):
    """What is asked for; its kind is the command's own."""

    kind: Annotated[Literal["job-request/1"], Parameter(show=False)] = "job-request/1"


def promote(model: str, version: Version, *, expected_champion: Champion = None, asked_by: str = "command line") -> None:
    """Ask that a model version become the champion; the gate decides, and says why.

    Example: `eartheye promote landcover 3 --expected-champion 2`

    Parameters
    ----------
    model
        Name of the registered model.
    version
        The candidate.
    expected_champion
        Champion that you saw, 0 for none: where another reigns meanwhile, nothing is promoted.
    asked_by
        Who asks, for the audit.
    """
    import uuid

    from eartheye.errors import GateNotPassed
    from pipelines.requests import request_promotion

    reach_broker()
    request = f"promote-{uuid.uuid4().hex}"  # asked by hand once more, it is decided anew
    result = request_promotion(model, version, asked_by, expected_champion=expected_champion, request=request)
    print("\n".join(result.reasons))
    if not result.granted:
        raise GateNotPassed(f"{model} version {version} was not promoted")
    print(f"{model} version {version} is the champion")


def rollback(model: str, *, expected_champion: Champion = None, asked_by: str = "command line") -> None:
    """Ask that the champion before become the champion again; a promotion still under way is withdrawn.

    Example: `eartheye rollback landcover`

    Parameters
    ----------
    model
        Name of the registered model.
    expected_champion
        Champion that you saw: where another reigns meanwhile, nothing is rolled back.
    asked_by
        Who asks, for the audit.
    """
    from eartheye.errors import GateNotPassed
    from pipelines.requests import request_rollback

    reach_broker()
    result = request_rollback(model, asked_by, expected_champion=expected_champion)
    print("\n".join(result.reasons))
    if not result.granted:
        raise GateNotPassed(f"{model} was not rolled back")
    print(f"{model} version {result.version} is the champion" if result.version else f"{model} has no champion")


def map(*, request: Annotated[MapRequest, Parameter(name="*")], timeout_s: Patience = 3600.0, dry_run: bool = False) -> None:
    """Ask the inference service for a map of a scene, and wait for it.

    Examples: `eartheye map --job harbour-1 --scene data/harbour.tif --model landcover --output runs/maps/harbour`; with
    `--bands red green blue` where the file does not name its bands

    Parameters
    ----------
    timeout_s
        How long to wait; the job goes on after that, ask again under the same name.
    dry_run
        Only check the request and plan it here, and try a few tiles for time, by this command's settings; nothing is asked of the service,
        and nothing is written.
    """
    from pipelines.requests import request_map

    request = request.model_copy(update={"scene": _absolute(request.scene), "output": _absolute(request.output)})
    if dry_run:
        print(f"{told_of(request)}; nothing was written")
        return
    reach_broker(timeout_s)
    result = request_map(request, timeout_s)
    print(f"map in {result.map}: {counted(result.blocks_done, 'block')} done, {result.blocks_empty} empty, {result.blocks_failed} failed")


def reach_broker(limit_s: float = math.inf) -> None:
    """See that Kafka answers before anything is asked of it.

    Args:
        limit_s: how long it may take, where that is less than the settings allow.

    Raises:
        BusUnavailable: it does not answer in time. This tells in one line what kafka-python says meanwhile in several.
    """
    from eartheye.bus import check_broker
    from eartheye.settings import load

    settings, kafka = load(), logging.getLogger("kafka")
    level = kafka.level
    kafka.setLevel(logging.CRITICAL)
    try:
        check_broker(settings, min(settings.kafka_timeout_s, limit_s))
    finally:
        kafka.setLevel(level)


def _absolute(uri: str) -> str:
    """Return a path as the service understands it, which runs in another folder."""
    return uri if "://" in uri else os.path.abspath(uri)  # noqa: PTH100 - Path.absolute keeps '..', resolve follows links


def told_of(request: JobRequest) -> str:
    """Return what a map would take."""
    from rich.filesize import decimal

    from eartheye.settings import load
    from eartheye.tracking import resolve
    from services.inference.config import PlannerConfig
    from services.inference.forecast import forecast_map
    from services.inference.planning import plan_job

    planned = plan_job(request, resolve, load(), PlannerConfig().block_px)
    if planned.made:
        return f"the map is in {request.output} already"
    area, version = planned.admitted.area, planned.admitted.model.version
    pixels = f"{area.width} x {area.height} pixels of {request.scene}"
    forecast = forecast_map(planned, load())
    blocks = f"blocks: {len(planned.blocks)} (done before: {forecast.done})"
    size = f"{blocks}, tiles: {forecast.tiles}, up to {decimal(area.width * area.height)} of classes"
    time = f"time not known: {forecast.untried}" if forecast.seconds is None else f"about {clock(forecast.seconds)} for one worker here"
    return f"{request.model} version {version} would map {pixels} ({size}) into {request.output}; {time}"


def serve(role: Literal["all", "registry", "planner", "worker", "assembler", "admin"]) -> None:
    """Run a service until it is told to end (SIGTERM or Ctrl-C).

    Examples: `eartheye serve all`; `EARTHEYE_KAFKA_BOOTSTRAP=127.0.0.1:9092 eartheye serve worker`

    Parameters
    ----------
    role
        Which service: `registry` decides about promotions; `planner`, `worker` and `assembler` make maps; `admin` has the API and the
        pages, at EARTHEYE_ADMIN_HOST and EARTHEYE_ADMIN_PORT, and prints the first key when there is none. `all` runs them together in
        one process, for one machine.
    """
    from services.roles import run_role

    run_role(role)


def topics() -> None:
    """Create the topics that the broker does not have yet.

    Example: `EARTHEYE_KAFKA_BOOTSTRAP=127.0.0.1:9092 eartheye topics`
    """
    from eartheye.bus import open_bus
    from eartheye.contracts.messages import TOPICS

    reach_broker()
    with open_bus() as bus:
        bus.ensure_topics(TOPICS)
    print("\n".join(TOPICS))
