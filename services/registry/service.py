"""The promotion service: requests from the bus in, decisions followed and told, aliases kept as decided."""

import threading
import time
from typing import TypedDict

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from eartheye.bus import Bus, open_bus
from eartheye.contracts import GatePolicy
from eartheye.contracts.messages import PROMOTION_REQUESTS, PROMOTION_RESULTS, PromotionRequest, PromotionResult, RollbackRequest
from eartheye.database import answering, connect
from eartheye.errors import UserError
from eartheye.settings import Settings
from eartheye.telemetry import PULSE, get_logger
from eartheye.turn import turn
from services.registry.decide import BY_BUS, Following, promote, roll_back
from services.registry.outbox import work_through
from services.registry.reconcile import reconcile
from services.registry.standing import decision_on
from services.registry.tables import Decision, OutboxItem
from services.schema.migrate import require_schema

log = get_logger(__name__)
GROUP = "registry"
Asked = PromotionRequest | RollbackRequest
REQUESTS: tuple[type[Asked], ...] = (PromotionRequest, RollbackRequest)
TICK_S = 1.0
"""Longest pause between two looks at the outbox; other processes may fill it."""
RECONCILE_S = 10.0
"""Pause between two looks at the aliases: how long one moved by hand may be in force before it is decided."""
PAUSE_S = 5.0
"""Before the next look after a failure."""
TURN_S = 600.0
"""A look that has not got on for longer stands still: twice what the silence of an object store may hold up one request."""


def run_registry(settings: Settings, stop: threading.Event) -> None:
    """Decide about promotions until `stop` is set.

    Args:
        settings: bus, database, inference server, what the gate asks.
        stop: ends it.

    Raises:
        BusUnavailable: the broker does not answer at the start.
        DatabaseUnavailable: the database does not answer at the start.
        SchemaMismatch: the database has another schema.
    """
    with open_bus(settings) as bus:
        bus.ensure_topics((PROMOTION_REQUESTS, PROMOTION_RESULTS))
        Registry(bus, settings.gate, connect(settings)).run(stop)


class _Common(TypedDict):
    """What both kinds of request say."""

    asked_by: str
    expected_champion: int | None
    request: str
    follow: Following


class Registry:
    """Messages only lead to decisions; a loop looks at the database and lets the world follow it. So a crash at any point loses nothing.

    Args:
        bus: where requests come from and results go.
        policy: what the gate asks.
        engine: the platform's database.
    """

    def __init__(self, bus: Bus, policy: GatePolicy, engine: Engine) -> None:
        self._bus = bus
        self._policy = policy
        self._engine = engine
        self._news = threading.Event()
        require_schema(engine)

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set.

        Raises:
            BusUnavailable: the broker does not answer at the start.
        """
        ended = threading.Event()
        loop = threading.Thread(target=self._repeat, args=(ended,), name="registry-outbox")
        loop.start()
        try:
            self._bus.consume([PROMOTION_REQUESTS], GROUP, REQUESTS, self.handle, stop=stop)
        finally:
            ended.set()
            self._news.set()
            loop.join()

    def handle(self, asked: Asked) -> None:
        """Decide one request; the answer is in the outbox. Asked again, the decision that stands is told again.

        What cannot be decided, because the champion is another one, a server is away or there is no such model, is told at once and not
        noted: it may be asked again.
        """
        try:
            with answering(self._engine):
                known = decision_on(self._engine, asked.request, self._policy.model_dump_json())
                decision = self._decide(asked)
                if known is not None:
                    self._answer_again(decision)
        except UserError as error:
            version = asked.version if isinstance(asked, PromotionRequest) else None
            self._tell(asked.request, asked.model, version, False, [f"failed: {error}"])
            return
        self._news.set()

    def follow(self) -> bool:
        """Do what follows the decisions, once; False where something cannot be done now."""
        return work_through(self._engine, self._answer)

    def reconcile(self) -> None:
        """Look at the aliases in MLflow once, and decide about those that were moved by hand."""
        reconcile(self._engine, self._policy)

    def _decide(self, asked: Asked) -> Decision:
        common = _Common(asked_by=asked.asked_by, expected_champion=asked.expected_champion, request=asked.request, follow=BY_BUS)
        if isinstance(asked, PromotionRequest):
            return promote(self._engine, asked.model, asked.version, policy=self._policy, **common)
        return roll_back(self._engine, asked.model, **common)

    def _repeat(self, ended: threading.Event) -> None:
        """Follow decisions and reconcile, again and again; a failure is told, and the next look comes after a pause.

        While another registry has the turn, this one only decides: its decisions are followed there.
        """
        next_reconcile_s = 0.0
        with PULSE.turning("registry, decisions", TURN_S) as turned:
            while not ended.is_set():
                turned()
                self._news.clear()
                well = False
                try:
                    with answering(self._engine), turn(self._engine, "registry") as ours:
                        well = not ours or self.follow()
                        if ours and time.monotonic() >= next_reconcile_s:
                            next_reconcile_s = time.monotonic() + RECONCILE_S
                            self.reconcile()
                except UserError as error:
                    log.warning(str(error))
                except Exception:
                    log.exception("the registry failed, and looks again")
                if well:
                    self._news.wait(TICK_S)
                else:
                    ended.wait(PAUSE_S)

    def _answer_again(self, decision: Decision) -> None:
        waiting = select(OutboxItem.id).where(OutboxItem.decision == decision.id, OutboxItem.work == "answer", OutboxItem.done_at.is_(None))
        with Session(self._engine) as session, session.begin():
            if session.scalars(waiting).first() is None:
                session.add(OutboxItem(decision=decision.id, model=decision.model, work="answer"))

    def _answer(self, decision: Decision) -> None:
        self._tell(decision.request, decision.model, decision.to_version, decision.state == "applied", decision.reasons)

    def _tell(self, request: str, model: str, version: int | None, granted: bool, reasons: list[str]) -> None:
        result = PromotionResult(request=request, model=model, version=version, granted=granted, reasons=tuple(reasons))
        self._bus.publish(PROMOTION_RESULTS, request, result)
