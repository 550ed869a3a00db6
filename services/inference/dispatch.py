"""Handing out blocks: a bounded number outstanding, sent again when nothing is heard, counted in SQL."""

import datetime as dt

from sqlalchemy import Engine, Select, func, select, update
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts.messages import JOB_ASSEMBLIES, JOB_BLOCKS, Assembly, BlockOutcome, BlockTask
from eartheye.database import now
from eartheye.errors import FolderRefused
from eartheye.store import Folder
from eartheye.telemetry import get_logger
from eartheye.wording import counted
from services.inference.block_states import count_blocks, record_outcome
from services.inference.config import PlannerConfig
from services.inference.metrics import BLOCKS_OUTSTANDING, BLOCKS_SENT
from services.inference.outcomes import read_outcome, release_work
from services.inference.results import end_job
from services.inference.tables import Block, Job, Plan, hold_job

log = get_logger(__name__)


def dispatch(engine: Engine, bus: Bus, config: PlannerConfig) -> None:
    """Look at the tables once: settle blocks that are overdue, fill the free places, and move on jobs whose blocks have all ended."""
    settle_overdue(engine, bus, config)
    send_waiting(engine, bus, config)
    move_on(engine, bus, config)


def send_waiting(engine: Engine, bus: Bus, config: PlannerConfig) -> None:
    """Send blocks until as many as allowed are outstanding; the plans share the free places, those with the fewest outstanding first."""
    with Session(engine) as session:
        plans = {plan.plan: plan for plan in session.scalars(_active_plans())}
        counted = select(Block.plan, func.count()).where(Block.plan.in_(plans), Block.state == "sent").group_by(Block.plan)
        outstanding = dict.fromkeys(plans, 0) | dict(session.execute(counted).tuples().all())
        BLOCKS_OUTSTANDING.set(sum(outstanding.values()))
        free = config.outstanding - sum(outstanding.values())
        turns = sorted(plans, key=lambda plan: (outstanding[plan], plan))
        for turn, plan in enumerate(turns):
            share = -(-free // (len(turns) - turn))
            if share <= 0:
                break
            waiting = session.scalars(
                select(Block).where(Block.plan == plan, Block.state == "waiting").order_by(Block.id).limit(share)
            ).all()
            free -= len(waiting)
            _send(session, bus, plans[plan], list(waiting), "waiting")


def doubt_sendings(engine: Engine) -> None:
    """Take everything that was sent for unheard: a broker that was started anew knows nothing of it."""
    with Session(engine) as session, session.begin():
        session.execute(update(Block).where(Block.state == "sent").values(sent_at=None))
        session.execute(update(Job).where(Job.state == "assembling").values(assembly_sent_at=None))


def settle_overdue(engine: Engine, bus: Bus, config: PlannerConfig) -> None:
    """Send a block again that nothing was heard of, unless its outcome is there and only the message was lost, or can never be.

    One that stands behind others is not silent: what was sent before it, or not long after, is still coming back.
    """
    silence, present = dt.timedelta(seconds=config.resend_s), now()
    sent = select(Block, Plan).join(Plan, Plan.plan == Block.plan).where(Block.state == "sent", Plan.plan.in_(_running_plans()))
    unheard = Block.sent_at.is_(None) | (Block.sent_at < present - silence)
    oldest_heard = select(func.min(Block.sent_at)).where(Block.ended_at > present - silence)
    with Session(engine) as session:
        late = session.execute(sent.where(unheard)).all()
        reached = (session.scalar(oldest_heard) if late else None) or present
        for block, plan in late:
            if block.sent_at and block.sent_at >= reached - silence:
                continue
            try:
                if (outcome := read_outcome(Folder(plan.work), block.block)) is None:
                    release_work(Folder(plan.work))  # a cancellation that was cut off has left it held
            except FolderRefused as error:  # no worker can put an outcome there
                outcome = BlockOutcome(plan=plan.plan, block=block.block, state="failed", reason=str(error))
            if outcome:
                record_outcome(session, outcome)
                session.commit()
            else:
                log.warning("block is sent again", plan=plan.plan, block=block.block, sendings=block.sendings)
                _send(session, bus, plan, [block], "sent")


def move_on(engine: Engine, bus: Bus, config: PlannerConfig) -> None:
    """Have the maps built whose blocks are all there, and let jobs fail whose blocks have all ended, some without success."""
    with Session(engine) as session:
        for name, plan in session.execute(select(Job.job, Job.plan).where(Job.state == "running")).all():
            blocks = count_blocks(session, plan)
            if blocks.get("waiting") or blocks.get("sent"):
                continue
            if job := hold_job(session, name, "running"):
                if failed := blocks.get("failed"):
                    end_job(session, job, "failed", _why(session, job, failed, sum(blocks.values())))
                else:
                    job.state, job.assembly_sent_at = "assembling", None
            session.commit()
        unheard = Job.assembly_sent_at.is_(None) | (Job.assembly_sent_at < now() - dt.timedelta(seconds=config.assembly_resend_s))
        for job in session.scalars(select(Job).where(Job.state == "assembling", unheard)).all():
            job.assembly_sent_at = now()
            session.commit()
            assert job.plan is not None
            bus.publish(JOB_ASSEMBLIES, job.job, Assembly(job=job.job, plan=job.plan))


def _running_plans() -> Select[str | None]:
    return select(Job.plan).where(Job.state == "running")


def _active_plans() -> Select[Plan]:
    return select(Plan).where(Plan.plan.in_(_running_plans()))


def _send(session: Session, bus: Bus, plan: Plan, blocks: list[Block], state: str) -> None:
    """Claim blocks that are still in a state, and send them; a claim that is not followed by its message is overdue later."""
    claimed = []
    for block in blocks:
        claim = update(Block).where(Block.id == block.id, Block.state == state, Block.sendings == block.sendings)
        taken = session.connection().execute(claim.values(state="sent", sent_at=now(), sendings=block.sendings + 1)).rowcount
        claimed += [task_of(plan, block)] * taken
    session.commit()
    for task in claimed:
        bus.publish(JOB_BLOCKS, f"{task.plan}/{task.block}", task)
        BLOCKS_SENT.inc()


def task_of(plan: Plan, block: Block) -> BlockTask:
    """Return the message that asks for a block."""
    return BlockTask(
        plan=plan.plan,
        block=block.block,
        scene=plan.scene,
        serving=plan.serving,
        model=plan.model,
        model_version=plan.model_version,
        serving_digest=plan.serving_digest,
        window=block.window,
        origin=(plan.area_column, plan.area_row),
        work=plan.work,
        **plan.reading,
    )


def _why(session: Session, job: Job, failed: int, blocks: int) -> str:
    first = session.scalars(select(Block).where(Block.plan == job.plan, Block.state == "failed").order_by(Block.id).limit(1)).one()
    return f"{failed:,} of {counted(blocks, 'block')} failed, first {first.block}: {first.reason}; see to the cause and redrive the job"
