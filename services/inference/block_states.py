"""The states of blocks in the table."""

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from eartheye.contracts.messages import BlockOutcome
from eartheye.database import now
from eartheye.store import Folder
from services.inference.metrics import BLOCKS_ENDED
from services.inference.outcomes import clear_work, forget_outcome
from services.inference.tables import Block, Plan, is_awaited


def count_blocks(session: Session, plan: str | None) -> dict[str, int]:
    """Return how many blocks of a plan are in each state; states without a block are left out."""
    counted = select(Block.state, func.count()).where(Block.plan == plan).group_by(Block.state)
    return dict(session.execute(counted).tuples().all())


def record_outcome(session: Session, outcome: BlockOutcome) -> None:
    """Note how a block ended, once."""
    waited_for = update(Block).where(Block.plan == outcome.plan, Block.block == outcome.block, Block.state.in_(("waiting", "sent")))
    raster = outcome.raster and outcome.raster.model_dump(mode="json")
    ended = waited_for.values(state=outcome.state, reason=outcome.reason, raster=raster, ended_at=now())
    if session.connection().execute(ended).rowcount:
        BLOCKS_ENDED.labels(outcome.state).inc()


def reopen_block(plan: Plan, block: Block) -> None:
    """Let a block be mapped again: its outcome is removed first, so that no worker can find it later."""
    forget_outcome(Folder(plan.work), block.block)
    block.state, block.reason, block.raster, block.sendings, block.ended_at = "waiting", None, None, 0, None


def clear_blocks(engine: Engine, plan: str) -> None:
    """Remove what is kept of a plan's blocks, unless a job waits for them; the last one of several that are mapped at once does so."""
    with Session(engine) as session:
        stored = session.get_one(Plan, plan)
        if not is_awaited(session, stored):
            clear_work(Folder(stored.work))
