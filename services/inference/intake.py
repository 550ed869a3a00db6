"""What messages change in the tables; a message seen twice changes nothing more."""

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from eartheye.contracts import Map
from eartheye.contracts.messages import BlockOutcome, JobCommand, JobRequest
from eartheye.database import now
from eartheye.errors import NameTaken, RequestRejected
from eartheye.store import Folder
from eartheye.telemetry import get_logger
from services.inference.block_states import record_outcome, reopen_block
from services.inference.outcomes import hold_work, read_outcome
from services.inference.results import end_job
from services.inference.tables import ENDED, Block, Job, Plan, hold_job, hold_plan, is_awaited

log = get_logger(__name__)


def note_request(session: Session, request: JobRequest) -> None:
    """Note a job that is asked for; the result of one that has ended is told again, unless its map was removed since.

    Raises:
        NameTaken: the name belongs to another request.
    """
    fields = request.model_dump(mode="json")
    job = session.get(Job, request.job)
    if job is None:
        try:
            with session.begin_nested():
                session.add(Job(job=request.job, request=fields, asked_at=now()))
            return
        except IntegrityError:  # of two who ask at once the first has noted it
            job = session.get_one(Job, request.job)
    if job.request != fields:
        raise NameTaken(f"another request has the name '{request.job}': give the job another")
    elif job.state == "done" and not Folder(job.output or "").exists(Map.name):
        redrive(session, job)
    elif job.state in ENDED:
        job.told = False


def obey(session: Session, command: JobCommand) -> None:
    """Cancel or redrive a job.

    Raises:
        RequestRejected: no such job was asked for.
    """
    if (job := hold_job(session, command.job)) is None:
        raise RequestRejected(f"no job '{command.job}' was asked for: send its JobRequest first")
    if command.command == "redrive" and job.state in ("rejected", "failed", "cancelled"):
        redrive(session, job)
    elif job.state in ENDED:
        job.told = False
    elif command.command == "cancel":
        cancel(session, job)


def cancel(session: Session, job: Job) -> None:
    """End a job; its blocks that are with the workers are called off, unless another job waits for them."""
    end_job(session, job, "cancelled", "cancelled on request")
    session.flush()
    plan = hold_plan(session, job.plan) if job.plan else None
    if plan and not is_awaited(session, plan):
        hold_work(Folder(plan.work))
        session.execute(update(Block).where(Block.plan == job.plan, Block.state == "sent").values(state="waiting"))


def redrive(session: Session, job: Job) -> None:
    """Plan a job anew: what is the same makes the same plan and is not done again, but for the failed blocks.

    The job keeps its plan until it has another, so that the planner knows whose blocks to remove then.
    """
    if job.plan:
        plan = session.get_one(Plan, job.plan)
        for block in session.scalars(select(Block).where(Block.plan == job.plan, Block.state == "failed")):
            reopen_block(plan, block)
    job.state, job.reason, job.ended_at, job.told = "asked", None, None, True


def note_outcome(session: Session, told: BlockOutcome) -> None:
    """Note a block's outcome as the plan's folder has it, for a message may be older than a redrive."""
    plan = session.get(Plan, told.plan)
    outcome = read_outcome(Folder(plan.work), told.block) if plan else None
    if outcome is None:
        log.warning("outcome without a plan is passed over", plan=told.plan, block=told.block)
    else:
        record_outcome(session, outcome)
