"""Asking for jobs: checked, noted in the job table, told to the planner."""

from sqlalchemy.orm import Session

from eartheye.contracts.messages import JOB_REQUESTS, JobCommand, JobRequest
from eartheye.errors import BusUnavailable, JobRests
from eartheye.telemetry import get_logger
from eartheye.tracking import resolve
from services.admin.jobs.queries import find_job
from services.admin.jobs.schemas import JobOut
from services.admin.platform import Platform
from services.inference.admission import admit
from services.inference.intake import note_request, obey
from services.inference.output import see_output_free
from services.inference.tables import ENDED, Job

log = get_logger(__name__)


def submit(platform: Platform, request: JobRequest) -> JobOut:
    """Ask for a map; the same request again is the same job.

    What the planner would reject is refused here at once; a job that is known was let in before, and MLflow and the scene are not asked
    again. The table is the truth and the message only wakes the planner, so a job that was noted is done even if the bus is away now.

    Args:
        platform: database and bus.
        request: what is asked.

    Raises:
        NameTaken: another request has the name.
        OutsideRoots: scene or output lie outside the folders of the service.
        UnknownModel: there is no such model or alias.
        MissingRaster: there is no such scene.
        ConflictingOutput: another map lies in the output, or is about to.
        UserError: the scene cannot be read, or does not fit the model.
    """
    with Session(platform.engine) as session:
        known = session.get(Job, request.job) is not None
    admitted = None if known else admit(request, resolve, platform.settings)
    with Session(platform.engine) as session, session.begin():
        if admitted:
            see_output_free(session, request, admitted)
        note_request(session, request)
    try:
        platform.bus.publish(JOB_REQUESTS, request.job, request)
    except BusUnavailable as error:
        log.warning("a job is noted, and waits for the planner to look", job=request.job, reason=str(error))
    return find_job(platform.engine, request.job)


def cancel(platform: Platform, job: str) -> JobOut:
    """End a job: no further block of it is mapped.

    Done in the table, so that it holds whether the bus is away or not; the planner tells the result when it can.

    Raises:
        NotThere: no such job was asked for.
        JobRests: it has ended.
        StoreUnavailable, StoreFull: its blocks cannot be called off; the job goes on.
    """
    found = find_job(platform.engine, job)
    if found.state in ENDED:
        raise JobRests(f"job '{job}' is {found.state}: there is nothing to cancel")
    return _obeyed(platform, JobCommand(job=job, command="cancel"))


def redrive(platform: Platform, job: str) -> JobOut:
    """Have what failed, was rejected or was cancelled taken up again; the planner finds it in the table.

    Raises:
        NotThere: no such job was asked for.
        JobRests: it is still at work, or done.
        StoreUnavailable: what failed cannot be forgotten; the job rests.
    """
    found = find_job(platform.engine, job)
    if found.state not in ("failed", "rejected", "cancelled"):
        raise JobRests(f"job '{job}' is {found.state}: only what failed, was rejected or was cancelled can be taken up again")
    return _obeyed(platform, JobCommand(job=job, command="redrive"))


def _obeyed(platform: Platform, command: JobCommand) -> JobOut:
    with Session(platform.engine) as session, session.begin():
        obey(session, command)
    return find_job(platform.engine, command.job)
