"""The planner: notes what is asked, plans it, and sees every job to its end."""

import threading
from collections.abc import Callable

from pydantic import BaseModel
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts.messages import JOB_OUTCOMES, JOB_REQUESTS, JOB_RESULTS, BlockOutcome, JobCommand, JobRequest, JobResult
from eartheye.database import answering
from eartheye.errors import FolderRefused, RequestRejected, StoreUnavailable, TrackingUnavailable, UnknownModel, UserError
from eartheye.settings import Settings
from eartheye.store import Folder
from eartheye.telemetry import PULSE, get_logger
from services.inference.admission import ModelSource
from services.inference.block_states import clear_blocks
from services.inference.config import PlannerConfig
from services.inference.dispatch import dispatch, doubt_sendings
from services.inference.intake import note_outcome, note_request, obey
from services.inference.outcomes import release_work
from services.inference.output import see_output_free
from services.inference.planning import plan_job, store_plan
from services.inference.results import end_job, tell_results
from services.inference.tables import Job, hold_job
from services.schema.migrate import require_schema

log = get_logger(__name__)
GROUP = "eartheye.planner"
MESSAGES: tuple[type[BaseModel], ...] = (JobRequest, JobCommand, BlockOutcome)
PASSING = (StoreUnavailable, TrackingUnavailable)
"""Servers that may answer at the next look; UnknownModel is a TrackingUnavailable that does not pass."""
PAUSE_S = 5.0
"""Before the next look after a failure."""
TURN_S = 600.0
"""A look that has not got on for longer stands still: twice what the silence of an object store may hold up one request."""


class Planner:
    """Messages only change the tables; two loops look at the tables and act. So a crash at any point loses nothing.

    Args:
        bus: where requests come from, and blocks and results go.
        engine: the platform's database.
        resolve: says which version a model's alias points at.
        settings: allowed folders, limits, folder of the work.
        config: cut and window of blocks.
    """

    def __init__(self, bus: Bus, engine: Engine, resolve: ModelSource, settings: Settings, config: PlannerConfig) -> None:
        self._bus, self._engine, self._resolve, self._settings, self._config = bus, engine, resolve, settings, config
        self._asked, self._moved = threading.Event(), threading.Event()
        require_schema(engine)

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            BusUnavailable: the broker does not answer at the start.
        """
        doubt_sendings(self._engine)
        ended = threading.Event()
        looks = ((self.plan_asked, self._asked, ended), (self.see_to_jobs, self._moved, ended))
        loops = [threading.Thread(target=self._repeat, args=look, name="planner") for look in looks]
        for loop in loops:
            loop.start()
        try:
            self._bus.consume([JOB_REQUESTS, JOB_OUTCOMES], GROUP, MESSAGES, self.handle, stop=stop)
        finally:
            ended.set()
            self._wake()
            for loop in loops:
                loop.join()

    def handle(self, message: BaseModel) -> None:
        """Note a message in the tables.

        Raises:
            RequestRejected: it contradicts what is there.
            DatabaseUnavailable: it is still to be noted.
        """
        with answering(self._engine), Session(self._engine) as session, session.begin():
            match message:
                case JobRequest():
                    self._note(session, message)
                case JobCommand():
                    obey(session, message)
                case BlockOutcome():
                    note_outcome(session, message)
        self._wake()

    def plan_asked(self) -> None:
        """Plan the jobs that were asked for, or reject them with the reason; one that waits for a server keeps no other waiting.

        Raises:
            StoreUnavailable, TrackingUnavailable: a job is still to be planned; its row says why.
        """
        awaited: UserError | None = None
        with Session(self._engine) as session:
            asked = session.scalars(select(Job.job).where(Job.state == "asked").order_by(Job.asked_at)).all()
        for job in asked:
            PULSE.advanced()
            try:
                self._plan(job)
            except UserError as error:
                if isinstance(error, PASSING) and not isinstance(error, UnknownModel):
                    awaited = error
                    self._postpone(job, str(error))
                else:
                    self._reject(job, str(error))
            except SQLAlchemyError:
                raise
            except Exception as error:
                log.exception("job cannot be planned", job=job)
                self._reject(job, f"a fault of the planner, {type(error).__name__}: its log has more under the name of the job")
        if awaited:
            raise awaited

    def see_to_jobs(self) -> None:
        """Hand out blocks, move on jobs, tell results."""
        dispatch(self._engine, self._bus, self._config)
        tell_results(self._engine, self._bus)

    def _note(self, session: Session, request: JobRequest) -> None:
        try:
            note_request(session, request)
        except (RequestRejected, FolderRefused) as error:  # also told to who waits for an answer under this name
            self._bus.publish(JOB_RESULTS, request.job, JobResult(job=request.job, state="rejected", reason=str(error)))
            raise RequestRejected(str(error)) from error

    def _plan(self, name: str) -> None:
        with Session(self._engine) as session:
            asked = session.get_one(Job, name)
            request, before = JobRequest.model_validate(asked.request), asked.plan
        planned = plan_job(request, self._resolve, self._settings, self._config.block_px)
        plan, made = planned.plan, planned.made
        if before and before != plan.plan:  # now, for the job still knows it where this is cut off
            clear_blocks(self._engine, before)
        with Session(self._engine) as session, session.begin():
            if (job := hold_job(session, name, "asked")) is None:
                return
            see_output_free(session, request, planned.admitted, plan.plan)
            digest = store_plan(session, plan, planned.blocks)
            release_work(Folder(plan.work))
            job.plan, job.output, job.state, job.reason = digest, planned.admitted.output, "running", None
            if made:
                end_job(session, job, "done")
                job.blocks_done, job.blocks_empty = made.blocks_done, made.blocks_empty
        version = planned.admitted.model.version
        log.info("job planned", job=name, plan=digest, area=tuple(planned.admitted.area), model=request.model, version=version)
        self._wake()

    def _postpone(self, name: str, reason: str) -> None:
        with Session(self._engine) as session, session.begin():
            if job := hold_job(session, name, "asked"):
                job.reason = reason

    def _reject(self, name: str, reason: str) -> None:
        log.info("job rejected", job=name, reason=reason)
        with Session(self._engine) as session, session.begin():
            if job := hold_job(session, name, "asked"):
                end_job(session, job, "rejected", reason)
        self._wake()

    def _repeat(self, look: Callable[[], None], news: threading.Event, ended: threading.Event) -> None:
        """Look again and again, at the latest after a tick; a failure is told, and the next look comes after a pause."""
        with PULSE.turning(f"planner, {look.__name__}", TURN_S) as turned:
            while not ended.is_set():
                turned()
                news.clear()
                try:
                    with answering(self._engine):
                        look()
                except UserError as error:
                    log.warning(str(error))
                    ended.wait(PAUSE_S)
                except Exception:
                    log.exception("the planner failed, and looks again")
                    ended.wait(PAUSE_S)
                news.wait(self._config.tick_s)

    def _wake(self) -> None:
        self._asked.set()
        self._moved.set()
