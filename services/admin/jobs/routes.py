"""Routes of the jobs."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from eartheye.contracts.messages import BLOCK, NAME, JobRequest
from services.admin.access import PrincipalDep
from services.admin.jobs.progress import Streams, watch
from services.admin.jobs.queries import find_job, list_failures, list_jobs
from services.admin.jobs.results import draw_tile, find_file, find_result
from services.admin.jobs.schemas import FailureOut, JobOut, JobPage, JobState, ResultOut
from services.admin.jobs.service import cancel, redrive, submit
from services.admin.platform import PlatformDep

router = APIRouter(tags=["jobs"])
JobName = Annotated[str, Path(pattern=NAME)]
Limit = Annotated[int, Query(gt=0, le=500)]
LastBlock = Annotated[str | None, Query(pattern=BLOCK, description="The last block of the page before, for those that follow.")]
Place = Annotated[int, Path(ge=0, lt=2**24)]
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}


@router.get("/v1/jobs")
def get_jobs(platform: PlatformDep, limit: Limit = 50, state: JobState | None = None, after: str | None = None) -> JobPage:
    """Jobs, the newest first."""
    return list_jobs(platform.engine, limit, state, after)


@router.post("/v1/jobs", status_code=202)
def post_job(wanted: JobRequest, platform: PlatformDep, response: Response) -> JobOut:
    """Ask for a map of a scene; the same request again is the same job.

    What cannot be done is refused at once and leaves no job: 403 where scene or output lie outside the service's folders, 404 where model,
    alias or scene are not there, 409 where another request has the name or another map takes the output, 422 where the scene cannot be
    read, does not fit the model, or the area lies outside of it.
    """
    response.headers["Location"] = f"/v1/jobs/{wanted.job}"
    return submit(platform, wanted)


@router.get("/v1/jobs/{job}")
def get_job(job: JobName, platform: PlatformDep) -> JobOut:
    """A job and how far it is."""
    return find_job(platform.engine, job)


async def _known_job(job: JobName, platform: PlatformDep, request: Request) -> AsyncIterator[str]:
    """See that there is such a job, and room for a stream, before it begins: then it can tell no problem any more."""
    await run_in_threadpool(find_job, platform.engine, job)
    streams: Streams = request.app.state.streams
    with streams.one_more():
        yield job


@router.get("/v1/jobs/{job}/events", response_class=EventSourceResponse)
async def get_events(
    job: Annotated[str, Depends(_known_job)], platform: PlatformDep, principal: PrincipalDep
) -> AsyncIterable[ServerSentEvent]:
    """Progress as server-sent events: `progress` whenever the job has moved, `ended` when it rests.

    A stream is also over when its key is no longer in force, and after an hour: connect again then.
    """
    async for event in watch(platform, job, principal.key):
        yield event


@router.get("/v1/jobs/{job}/failures")
def get_failures(job: JobName, platform: PlatformDep, limit: Limit = 100, after: LastBlock = None) -> list[FailureOut]:
    """The blocks of a job that failed, and why, a page at a time; a page that is not full is the last."""
    return list_failures(platform.engine, job, limit, after)


@router.post("/v1/jobs/{job}/cancel", status_code=202)
def post_cancel(job: JobName, platform: PlatformDep) -> JobOut:
    """End a job: no further block of it is mapped."""
    return cancel(platform, job)


@router.post("/v1/jobs/{job}/redrive", status_code=202)
def post_redrive(job: JobName, platform: PlatformDep) -> JobOut:
    """Take up again what failed, was rejected or was cancelled."""
    return redrive(platform, job)


@router.get("/v1/jobs/{job}/result")
def get_result(job: JobName, platform: PlatformDep) -> ResultOut:
    """What a finished job has made."""
    return find_result(platform, job)


@router.head("/v1/jobs/{job}/files/{name}", response_class=FileResponse)
@router.get("/v1/jobs/{job}/files/{name}", response_class=FileResponse)
def get_file(job: JobName, name: str, platform: PlatformDep) -> FileResponse:
    """A file of a finished map, whole or in ranges, as GDAL reads it through /vsicurl."""
    return FileResponse(find_file(platform, job, name), filename=f"{job}-{name}")


@router.get("/v1/jobs/{job}/tiles/{z}/{x}/{y}", response_class=Response, responses=PNG)
def get_tile(job: JobName, z: Annotated[int, Path(ge=0, le=24)], x: Place, y: Place, platform: PlatformDep) -> Response:
    """A tile of a finished map in Web Mercator: PNG, 256 px, clear without data."""
    return Response(draw_tile(platform, job, z, x, y), media_type="image/png", headers={"Cache-Control": "private, max-age=60"})
