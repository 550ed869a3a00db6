"""Whether a job may write its map where it wants to: what can be known before the scene is read through."""

from collections.abc import Iterator

from sqlalchemy import and_, or_, select, true, tuple_
from sqlalchemy.orm import Session

from eartheye.contracts import Map
from eartheye.contracts.messages import JobRequest
from eartheye.errors import ConflictingOutput
from eartheye.store import Folder
from services.inference.admission import Admitted
from services.inference.planning import map_options
from services.inference.tables import Job, Plan


def see_output_free(session: Session, request: JobRequest, admitted: Admitted) -> None:
    """Refuse an output that holds another map, or gets one from a job asked for before; the same map under another name of a job is none.

    What the table does not know of, as a scene whose content was exchanged, is left to the planner, which compares digests.

    Args:
        session: on the platform's database.
        request: what is asked.
        admitted: what was found out about it.

    Raises:
        ConflictingOutput: another map lies there, or is about to.
    """
    for owner in (*_at_work(session, request, admitted), *_still_to_plan(session, request)):
        raise ConflictingOutput(f"{request.output} takes the map of job '{owner}': choose another folder")


def _at_work(session: Session, request: JobRequest, admitted: Admitted) -> Iterator[str]:
    """Yield the jobs whose other maps lie in the output, or are being made for it."""
    folder = Folder(admitted.output)
    maker = Map.read(folder).job if folder.exists(Map.name) else None
    owns = or_(Job.state.in_(("running", "assembling")), and_(Job.state == "done", Job.job == maker))
    reading = request.model_dump(mode="json", include={"bands", "nodata", "crs"})
    asked = (admitted.scene, admitted.package.digest, request.model, admitted.model.version, admitted.area, reading, map_options(request))
    owners = select(Job, Plan).join(Plan, Plan.plan == Job.plan).where(Job.output == admitted.output, owns)
    for owner, plan in session.execute(owners):
        options = map_options(JobRequest.model_validate(owner.request))
        if asked != (plan.scene, plan.serving_digest, plan.model, plan.model_version, plan.area, plan.reading, options):
            yield owner.job


def _still_to_plan(session: Session, request: JobRequest) -> Iterator[str]:
    """Yield the jobs that asked for the output before, and asked otherwise: what it comes to is not known yet."""
    fields, noted = request.model_dump(mode="json"), session.get(Job, request.job)
    before = tuple_(Job.asked_at, Job.job) < tuple_(noted.asked_at, noted.job) if noted else true()
    asked = select(Job).where(Job.state == "asked", before, Job.request["output"].as_string() == request.output)
    for job in session.scalars(asked.order_by(Job.asked_at)):
        if job.request != fields | {"job": job.job}:
            yield job.job
