"""The three roles with their messages carried by hand, so that a test decides which arrive, when, and how often."""

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts.messages import Assembly, BlockOutcome, BlockTask, JobCommand, JobRequest, JobResult
from eartheye.database import connect
from eartheye.predictor import open_predictor
from services.inference.assembler import Assembler
from services.inference.config import PlannerConfig
from services.inference.dispatch import task_of
from services.inference.planner import Planner
from services.inference.results import result_of
from services.inference.tables import Block, Job, Plan
from services.inference.worker import OpenPredictor, Worker
from tests.services.inference.place import QUICK, Place


class ByHand:
    """Planner, worker and assembler over a real bus that nobody listens to."""

    def __init__(self, place: Place, bus: Bus, config: PlannerConfig = QUICK, predictors: OpenPredictor = open_predictor) -> None:
        self.engine = connect(place.settings)
        self.planner = Planner(bus, self.engine, place.resolve, place.settings, config)
        self.worker = Worker(bus, place.settings, predictors)
        self.assembler = Assembler(bus, self.engine)

    def ask(self, message: JobRequest | JobCommand) -> None:
        """Send a message to the planner, and have it look at its tables."""
        self.planner.handle(message)
        self.planner.plan_asked()
        self.planner.see_to_jobs()

    def sent(self) -> list[BlockTask]:
        """Return the tasks of the blocks that are outstanding."""
        with Session(self.engine) as session:
            rows = session.execute(select(Plan, Block).join(Block, Block.plan == Plan.plan).where(Block.state == "sent").order_by(Block.id))
            return [task_of(plan, block) for plan, block in rows]

    def states(self, job: str) -> list[str]:
        """Return the states of a job's blocks."""
        with Session(self.engine) as session:
            plan = session.get_one(Job, job).plan
            return list(session.scalars(select(Block.state).where(Block.plan == plan).order_by(Block.id)))

    def work(self, task: BlockTask) -> None:
        """Have a block mapped, and its outcome noted."""
        self.worker.handle(task)
        self.planner.handle(BlockOutcome(plan=task.plan, block=task.block, state="done"))

    def finish_blocks(self, job: str) -> None:
        """Have a job's blocks mapped, up to the moment that its map is to be built."""
        for task in self.sent():
            self.work(task)
        self.planner.see_to_jobs()
        with Session(self.engine) as session:
            assert session.get_one(Job, job).state == "assembling"

    def finish(self, job: str, before_assembly: Callable[[], None] = lambda: None) -> JobResult:
        """Carry messages until a job has ended."""
        for _ in range(100):
            self.planner.plan_asked()
            self.planner.see_to_jobs()
            for task in self.sent():
                self.work(task)
            self.planner.see_to_jobs()
            with Session(self.engine) as session:
                row = session.get_one(Job, job)
                if row.ended_at is not None:
                    return result_of(row)
                assembly = Assembly(job=job, plan=row.plan) if row.state == "assembling" else None
            if assembly:
                before_assembly()
                self.assembler.handle(assembly)
        raise AssertionError("the job did not end")

    def result(self, job: str) -> JobResult:
        """Return how a job has ended."""
        with Session(self.engine) as session:
            return result_of(session.get_one(Job, job))
