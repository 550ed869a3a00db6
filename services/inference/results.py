"""How jobs end, and how that is told: kept in the table first, then published, again and again if need be."""

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts.messages import JOB_RESULTS, JobResult
from eartheye.database import now
from services.inference.block_states import count_blocks
from services.inference.metrics import JOBS_ENDED
from services.inference.names import names_of, renamed
from services.inference.tables import Job, Plan


def end_job(session: Session, job: Job, state: str, reason: str | None = None) -> None:
    """Let a job rest in a state of `ENDED`; `tell_results` publishes its result, with the reason in the words of who asked."""
    if reason and job.plan:
        reason = renamed(reason, names_of(job, session.get_one(Plan, job.plan)))
    blocks = count_blocks(session, job.plan)
    job.blocks_done, job.blocks_empty, job.blocks_failed = (blocks.get(ended, 0) for ended in ("done", "empty", "failed"))
    job.state, job.reason, job.ended_at, job.told = state, reason, now(), False
    JOBS_ENDED.labels(state).inc()


def result_of(job: Job) -> JobResult:
    """Return the message that tells how a job has ended."""
    assert job.ended_at is not None
    return JobResult.model_validate(
        {
            "job": job.job,
            "state": job.state,
            "map": job.output if job.state == "done" else None,
            "reason": job.reason,
            "blocks_done": job.blocks_done,
            "blocks_empty": job.blocks_empty,
            "blocks_failed": job.blocks_failed,
            "seconds": (job.ended_at - job.asked_at).total_seconds(),
        }
    )


def tell_results(engine: Engine, bus: Bus) -> None:
    """Publish the results that were not told yet, or were asked for again."""
    with Session(engine) as session:
        for job in session.scalars(select(Job).where(~Job.told)).all():
            bus.publish(JOB_RESULTS, job.job, result_of(job))
            job.told = True
            session.commit()
