"""Whether a job may write its map where it wants to."""

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


def see_output_free(session: Session, request: JobRequest, admitted: Admitted, plan: str | None = None) -> None:
    """Refuse an output that holds another map, or gets one from a job asked for before; the same map under another name of a job is none.

    The planner, which has read the scene through, compares plans. Before that a scene counts as the same where it lies in the same place,
    and whether its content was exchanged is left to the planner.

    Args:
        session: on the platform's database.
        request: what is asked.
        admitted: what was found out about it.
        plan: digest of its plan; None where the scene was not read through yet.

    Raises:
        ConflictingOutput: another map lies there, or is about to.
    """
    # in this order: the second question meets a job that is planned after the first; the other way round neither would
    for owner in (*_still_to_plan(session, request), *_at_work(session, request, admitted, plan)):
        raise ConflictingOutput(f"{request.output} takes the map of job '{owner}': choose another folder")


def _at_work(session: Session, request: JobRequest, admitted: Admitted, plan: str | None) -> Iterator[str]:
    """Yield the jobs whose other maps lie in the output, or are being made for it."""
    folder = Folder(admitted.output)
    maker = Map.read(folder).job if folder.exists(Map.name) else None
    owns = or_(Job.state.in_(("running", "assembling")), and_(Job.state == "done", Job.job == maker))
    owners = select(Job, Plan).join(Plan, Plan.plan == Job.plan).where(Job.output == admitted.output, owns)
    for owner, theirs in session.execute(owners):
        before = JobRequest.model_validate(owner.request)
        same = plan == theirs.plan if plan else _looks_same(request, admitted, before, theirs)
        if not same or map_options(request) != map_options(before):
            yield owner.job


def _looks_same(request: JobRequest, admitted: Admitted, before: JobRequest, plan: Plan) -> bool:
    """Say whether a request comes to the plan of one before, if the scene is what it was; the plan's may have moved since."""
    reading = request.model_dump(mode="json", include={"bands", "nodata", "crs"})
    asked = (admitted.package.digest, request.model, admitted.model.version, admitted.area, reading)
    planned = (plan.serving_digest, plan.model, plan.model_version, plan.area, plan.reading)
    return asked == planned and (request.scene == before.scene or admitted.scene == plan.scene)


def _still_to_plan(session: Session, request: JobRequest) -> Iterator[str]:
    """Yield the jobs that asked for the output before, and asked otherwise: what it comes to is not known yet."""
    fields, noted = request.model_dump(mode="json"), session.get(Job, request.job)
    before = tuple_(Job.asked_at, Job.job) < tuple_(noted.asked_at, noted.job) if noted else true()
    asked = select(Job).where(Job.state == "asked", before, Job.request["output"].as_string() == request.output)
    for job in session.scalars(asked.order_by(Job.asked_at)):
        if job.request != fields | {"job": job.job}:
            yield job.job
