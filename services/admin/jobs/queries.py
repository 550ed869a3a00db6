"""Questions to the job table."""

import datetime as dt
import re

from sqlalchemy import Engine, select, tuple_
from sqlalchemy.orm import Session

from eartheye.contracts.messages import NAME, JobRequest
from eartheye.errors import InvalidConfig, NotThere
from services.admin.jobs.schemas import BlockCounts, FailureOut, JobOut, JobPage, JobState
from services.inference.block_states import count_blocks
from services.inference.names import names_of, renamed
from services.inference.tables import ENDED, Block, Job, Plan

MARK = re.compile(rf"(?P<moment>\d{{4}}-\d\d-\d\dT[\d:.]+Z)~(?P<job>{NAME.strip('^$')})")
"""What a page ends with: time and name of its last job, in characters that a query needs not encode."""


def find_job(engine: Engine, job: str) -> JobOut:
    """Return a job and how far it is.

    Raises:
        NotThere: no such job was asked for.
    """
    with Session(engine) as session:
        return _job(session, _get(session, job))


def list_jobs(engine: Engine, limit: int, state: JobState | None = None, after: str | None = None) -> JobPage:
    """Return jobs, the newest first.

    Args:
        engine: the platform's database.
        limit: how many at most.
        state: only jobs in this state.
        after: `next` of the page before.

    Raises:
        InvalidConfig: `after` is no mark of a page.
    """
    asked = select(Job).order_by(Job.asked_at.desc(), Job.job.desc()).limit(limit + 1)
    if state is not None:
        asked = asked.where(Job.state == state)
    if after is not None:
        asked = asked.where(tuple_(Job.asked_at, Job.job) < tuple_(*_mark(after)))
    with Session(engine) as session:
        jobs = [_job(session, job) for job in session.scalars(asked)]
    more = len(jobs) > limit
    last = jobs[limit - 1] if more else None
    return JobPage(jobs=tuple(jobs[:limit]), next=last and f"{last.asked_at.isoformat().replace('+00:00', 'Z')}~{last.job}")


def list_failures(engine: Engine, job: str, limit: int, after: str | None = None) -> list[FailureOut]:
    """Return the blocks of a job that failed, in the order of the plan.

    Args:
        engine: the platform's database.
        job: its name.
        limit: how many at most.
        after: only blocks that come after this one.

    Raises:
        InvalidConfig: `after` is no block of the job.
        NotThere: no such job was asked for.
    """
    with Session(engine) as session:
        asked = _get(session, job)
        plan = session.get(Plan, asked.plan) if asked.plan else None
        names = names_of(asked, plan) if plan else {}
        failed = select(Block).where(Block.plan == asked.plan, Block.state == "failed").order_by(Block.id).limit(limit)
        if after is not None:
            last = session.scalar(select(Block.id).where(Block.plan == asked.plan, Block.block == after))
            if last is None:
                raise InvalidConfig(f"after={after} is no block of job '{job}': give the last block of the page before")
            failed = failed.where(Block.id > last)
        return [
            FailureOut(block=block.block, reason=renamed(block.reason or "", names), sendings=block.sendings, window=tuple(block.window))
            for block in session.scalars(failed)
        ]


def _get(session: Session, name: str) -> Job:
    job = session.get(Job, name) if re.fullmatch(NAME, name) else None  # what is no name may not be stored: PostgreSQL takes no NUL
    if job is None:
        raise NotThere(f"no job {name!r} was asked for: look at the list of jobs")
    return job


def _job(session: Session, job: Job) -> JobOut:
    if job.state in ENDED:  # its plan may serve another job by now, and count differently; but it has as many blocks as ever
        ended = job.blocks_done + job.blocks_empty + job.blocks_failed
        planned = ended if job.state == "done" else sum(count_blocks(session, job.plan).values())
        counts = BlockCounts(waiting=planned - ended, done=job.blocks_done, empty=job.blocks_empty, failed=job.blocks_failed)
    else:
        counts = BlockCounts.model_validate(count_blocks(session, job.plan))
    plan = session.get(Plan, job.plan) if job.plan else None
    return JobOut.model_validate(
        {
            "job": job.job,
            "state": job.state,
            "reason": job.reason,
            "request": JobRequest.model_validate(job.request),
            "model_version": plan and plan.model_version,
            "blocks": counts,
            "asked_at": job.asked_at,
            "ended_at": job.ended_at,
        }
    )


def _mark(after: str) -> tuple[dt.datetime, str]:
    try:
        if mark := MARK.fullmatch(after):
            return dt.datetime.fromisoformat(mark["moment"]), mark["job"]
    except ValueError:  # 13 months, 25 hours
        pass
    raise InvalidConfig(f"after={after} is no mark of a page: give `next` of the page before")
