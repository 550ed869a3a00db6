"""What a pipeline asks of the running services: a request on the bus, and the wait for its answer."""

import hashlib
import uuid

from pydantic import ValidationError

from eartheye.bus import open_bus
from eartheye.contracts import Map, ModelPackage, Report, ServingPackage, digest
from eartheye.contracts.manifest import MADE_OTHERWISE
from eartheye.contracts.messages import (
    JOB_REQUESTS,
    JOB_RESULTS,
    PROMOTION_REQUESTS,
    PROMOTION_RESULTS,
    JobCommand,
    JobRequest,
    JobResult,
    PromotionRequest,
    PromotionResult,
    RollbackRequest,
)
from eartheye.errors import InvalidConfig, JobFailed
from eartheye.store import Folder
from eartheye.tracking import CHAMPION, RegisteredModel, register, resolve, version_of
from pipelines.config import MapConfig

PROMOTION_TIMEOUT_S = 600.0
DIGITS = 12
"""Of the digest of what is asked, in the name of a job or a request."""
SHOWN = 48
"""Letters of a title or model there: a name has 128 at most, and the digest tells those apart that begin alike."""


def register_candidate(name: str, model: Folder, serving: Folder, report: Folder) -> RegisteredModel:
    """Register a task model with its serving package and its evaluation as a new version, a candidate.

    Args:
        name: of the registered model.
        model: a finished task model.
        serving: its serving package.
        report: its evaluation.

    Raises:
        NotFinished: one of the folders is still to be made.
        TrackingUnavailable: MLflow does not answer.
    """
    package, packed = ModelPackage.read(model), ServingPackage.read(serving)
    Report.read(report)
    return register(name, model.root, serving.root, packed.digest, report.root, package.provenance.run_id)


def request_promotion(
    name: str, version: int, asked_by: str, *, expected_champion: int | None = None, request: str | None = None
) -> PromotionResult:
    """Ask the registry service to make a version the champion, and wait until deployment and aliases have followed its decision.

    Args:
        name: of the registered model.
        version: the candidate.
        asked_by: who asks, for the audit.
        expected_champion: champion that the asker saw, 0 for none; None where it does not matter.
        request: name of the request; asked again under it, the first decision is given again, but a refusal only while the gate asks what
            it asked. By default that of the version and its package: a model made anew has another one under the number.

    Raises:
        InvalidConfig: this cannot be asked.
        UnknownModel: no request is named, and MLflow has no such version.
        TrackingUnavailable: no request is named, and MLflow does not answer.
        BusUnavailable: Kafka does not answer.
        NoReply: the registry service did not decide in time.
    """
    if request is None:
        asked = hashlib.sha256(f"{name} {version_of(name, version).serving_digest}".encode())
        request = f"{name[:SHOWN]}-v{version}-{asked.hexdigest()[:DIGITS]}"
    return _ask_registry(
        PromotionRequest, request=request, model=name, version=version, expected_champion=expected_champion, asked_by=asked_by
    )


def request_rollback(name: str, asked_by: str, *, expected_champion: int | None = None) -> PromotionResult:
    """Ask the registry service to make the champion before the champion again, and wait until that is done.

    Args:
        name: of the registered model.
        asked_by: who asks, for the audit.
        expected_champion: champion that the asker saw; None where it does not matter.

    Raises:
        InvalidConfig: this cannot be asked.
        BusUnavailable: Kafka does not answer.
        NoReply: the registry service did not decide in time.
    """
    request = f"rollback-{uuid.uuid4().hex}"
    return _ask_registry(RollbackRequest, request=request, model=name, expected_champion=expected_champion, asked_by=asked_by)


def _ask_registry(kind: type[PromotionRequest] | type[RollbackRequest], **fields: object) -> PromotionResult:
    try:
        asked = kind.model_validate(fields)
    except ValidationError as error:
        raise InvalidConfig("; ".join(f"{fault['loc'][0]} {fault['input']!r}: {fault['msg']}" for fault in error.errors())) from None
    with open_bus() as bus, bus.replies(PROMOTION_RESULTS, asked.request, (PromotionResult,)) as replies:
        bus.publish(PROMOTION_REQUESTS, asked.request, asked)
        return replies.next(PROMOTION_TIMEOUT_S)


def request_map(request: JobRequest, timeout_s: float) -> JobResult:
    """Ask the inference service for a map, and wait until the job has ended. Blocks that failed are tried once more.

    Args:
        request: the scene, the model and where the map goes; asked again under the same job, the first result is given again.
        timeout_s: how long to wait for the map.

    Raises:
        BusUnavailable: Kafka does not answer.
        NoReply: the job did not end in time; it goes on, ask again.
        JobFailed: the job was rejected, or failed.
    """
    with open_bus() as bus, bus.replies(JOB_RESULTS, request.job, (JobResult,)) as replies:
        bus.publish(JOB_REQUESTS, request.job, request)
        result = replies.next(timeout_s)
        if result.state == "failed":
            bus.publish(JOB_REQUESTS, request.job, JobCommand(job=request.job, command="redrive"))
            result = replies.next(timeout_s)
    if result.state != "done":
        raise JobFailed(f"job {request.job} was {result.state}: {result.reason}")
    return result


def map_folder(root: str, wanted: MapConfig, version: int) -> str:
    """Return the folder of a map: each version of the model has its own."""
    return f"{root.rstrip('/')}/maps/{wanted.title}/v{version}"


def make_map(data: str, root: str, wanted: MapConfig) -> str:
    """Ask for one of a chain's maps with the champion of today. One that has lost a file since it was made is made again.

    Args:
        data: folder of the data.
        root: folder of the run.
        wanted: the scene, the model, the area.

    Returns:
        The folder of the map.

    Raises:
        TrackingUnavailable: the model has no champion.
        JobFailed: the job was rejected, or failed; as one whose title has a map with other settings.
    """
    request = map_request(data, root, wanted, resolve(wanted.model, CHAMPION))
    folder = Folder(request.output)
    if folder.exists(Map.name) and not Map.read(folder).is_whole(folder):
        folder.delete(Map.name)  # without it the folder is not finished
    try:
        return request_map(request, wanted.timeout_s).map or request.output
    except JobFailed as error:
        if MADE_OTHERWISE not in str(error):
            raise
        raise JobFailed(
            f"{error}; {request.output} holds the map that was asked for before: give the map '{wanted.title}' another title in the chain, "
            "or remove that folder"
        ) from error


def map_request(data: str, root: str, wanted: MapConfig, champion: RegisteredModel) -> JobRequest:
    """Return the job of one of a chain's maps.

    Its name carries a digest of all that is asked: the same map asked again is the same job; another champion's map, another area or
    another scene is another.

    Args:
        data: folder of the data.
        root: folder of the run.
        wanted: the scene, the model, the area.
        champion: the model's version that maps.
    """
    request = JobRequest(
        job=f"{wanted.title[:SHOWN]}-{wanted.model[:SHOWN]}-v{champion.version}",
        scene=f"{data.rstrip('/')}/{wanted.scene}",
        model=wanted.model,
        bands=wanted.bands,
        nodata=wanted.nodata,
        crs=wanted.crs,
        area=wanted.area,
        min_area_m2=wanted.min_area_m2,
        acquired=wanted.acquired,
        output=map_folder(root, wanted, champion.version),
    )
    asked = digest("map-job/1", request, champion.serving_digest)
    return request.model_copy(update={"job": f"{request.job}-{asked[:DIGITS]}"})
