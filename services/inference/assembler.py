"""The assembler: has a job's map built when all of its blocks are there."""

import threading
from collections.abc import Sequence
from functools import partial

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts import Map
from eartheye.contracts.messages import JOB_ASSEMBLIES, Assembly, JobRequest
from eartheye.database import answering
from eartheye.errors import BusUnavailable, CorruptBulk, MissingBulk, OutputBusy, StoreUnavailable, UserError
from eartheye.store import Bulk, Folder
from eartheye.telemetry import get_logger
from eartheye.turn import turn
from services.inference.block_states import clear_blocks, reopen_block
from services.inference.earlier_maps import earlier_raster
from services.inference.map_folder import build_map
from services.inference.metrics import ASSEMBLY_SECONDS
from services.inference.outcomes import release_work
from services.inference.planning import map_digest, scene_digest
from services.inference.results import end_job, tell_results
from services.inference.tables import Block, Job, Plan, hold_job
from services.schema.migrate import require_schema

log = get_logger(__name__)
GROUP = "eartheye.assembler"


class Unwanted(Exception):
    """A job no longer waits for the map that is being built for it."""


class Assembler:
    """Builds maps, one at a time; asked twice, it builds once.

    Args:
        bus: where requests to assemble come from, and results go.
        engine: the platform's database.
    """

    def __init__(self, bus: Bus, engine: Engine) -> None:
        self._bus, self._engine = bus, engine
        require_schema(engine)

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            BusUnavailable: the broker does not answer at the start.
        """
        self._bus.consume([JOB_ASSEMBLIES], GROUP, (Assembly,), self.handle, stop=stop)

    def handle(self, assembly: Assembly) -> None:
        """Build a job's map, end the job, and remove its blocks; one that does not wait for its map is left alone.

        Raises:
            StoreUnavailable: the map is still to be built, or blocks are still to be removed.
            DatabaseUnavailable: the same.
            OutputBusy: a map is being written to the job's output; this one is still to be built.
        """
        with answering(self._engine):
            with Session(self._engine, expire_on_commit=False) as session:
                job = session.get(Job, assembly.job)
                if job is None or job.plan != assembly.plan:
                    return
                state, plan = job.state, session.get_one(Plan, assembly.plan)
                blocks = session.scalars(select(Block).where(Block.plan == plan.plan).order_by(Block.id)).all()
            if state == "assembling":
                with turn(self._engine, f"map in {job.output}") as ours:  # one whose job was cancelled may still be written
                    if not ours:
                        raise OutputBusy(f"a map is being written to {job.output}: job '{job.job}' waits until it is there")
                    state = self._assemble(job, plan, blocks)
            if state == "done":
                clear_blocks(self._engine, plan.plan)

    def _assemble(self, job: Job, plan: Plan, blocks: Sequence[Block]) -> str:
        """Build a map, and return the state of its job."""
        request = JobRequest.model_validate(job.request)
        made_from, folder = map_digest(plan.plan, request), Folder(job.output or "")
        try:
            if Map.done(folder, made_from) is None:
                with Session(self._engine) as session:
                    earlier = earlier_raster(session, plan.plan)
                if not earlier and (damaged := [block.id for block in blocks if not is_whole(plan, block)]):
                    self._map_again(job.job, damaged)
                    return "running"
                if scene_digest(plan.scene) != plan.scene_digest:
                    self._forget_plan(job.job)
                    clear_blocks(self._engine, plan.plan)
                    return "failed"
                with ASSEMBLY_SECONDS.time():
                    build_map(request, plan, blocks, earlier, made_from, folder, partial(self._check, job.job, plan.plan))
            return self._end(job.job, "done")
        except Unwanted:
            log.info("a map that nobody waits for any more is left unfinished", job=job.job)
            return "cancelled"
        except (StoreUnavailable, BusUnavailable):
            raise
        except UserError as error:
            return self._end(job.job, "failed", str(error))

    def _check(self, name: str, plan: str) -> None:
        """Let nobody wait for the map of a job that was cancelled meanwhile.

        Raises:
            Unwanted: the job no longer waits for the map of a plan.
        """
        with Session(self._engine) as session:
            waits = select(Job.job).where(Job.job == name, Job.plan == plan, Job.state == "assembling")
            if session.scalar(waits) is None:
                raise Unwanted

    def _end(self, name: str, state: str, reason: str | None = None) -> str:
        with Session(self._engine) as session, session.begin():
            if job := hold_job(session, name, "assembling"):
                end_job(session, job, state, reason)
            else:
                state = session.get_one(Job, name).state
        log.info("job ended", job=name, state=state, reason=reason)
        tell_results(self._engine, self._bus)
        return state

    def _map_again(self, name: str, damaged: list[int]) -> None:
        """Send a job back to the planner, with blocks whose rasters were lost."""
        log.warning("blocks were lost and are mapped again", job=name, blocks=len(damaged))
        with Session(self._engine) as session, session.begin():
            if (job := hold_job(session, name, "assembling")) is None:
                return
            plan = session.get_one(Plan, job.plan)
            for identity in damaged:
                reopen_block(plan, session.get_one(Block, identity))
            release_work(Folder(plan.work))
            job.state = "running"

    def _forget_plan(self, name: str) -> None:
        """Let a job fail whose scene is no longer what was planned: nobody knows which content its blocks show."""
        with Session(self._engine) as session, session.begin():
            if (job := hold_job(session, name, "assembling")) is None:
                return
            plan = session.get_one(Plan, job.plan)
            for block in session.scalars(select(Block).where(Block.plan == plan.plan)):
                reopen_block(plan, block)
            end_job(session, job, "failed", "the scene was changed while it was mapped: redrive the job to map what is there now")
            job.plan = None
        tell_results(self._engine, self._bus)


def is_whole(plan: Plan, block: Block) -> bool:
    """Say whether a block's raster is there, and is the one that its outcome tells of."""
    if block.raster is None:
        return True
    try:
        Folder(plan.work).open(Bulk.model_validate(block.raster)).close()
    except (MissingBulk, CorruptBulk):
        return False
    return True
