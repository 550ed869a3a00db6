"""The promotion service: decide, record, then move deployment and alias, then answer."""

import datetime as dt
import threading

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from components.deployer.run import deploy
from eartheye.bus import Bus, open_bus
from eartheye.contracts import GatePolicy
from eartheye.contracts.messages import PROMOTION_REQUESTS, PROMOTION_RESULTS, PromotionRequest, PromotionResult
from eartheye.database import connect
from eartheye.errors import UserError
from eartheye.settings import Settings
from eartheye.store import Folder
from eartheye.telemetry import get_logger
from eartheye.tracking import CHAMPION, PREVIOUS, RegisteredModel, alias_version, set_alias, tag_version, version_of
from services.registry.gate import Check, examine
from services.registry.tables import Promotion
from services.schema.migrate import require_schema

log = get_logger(__name__)
GROUP = "registry"


def run_registry(settings: Settings, stop: threading.Event, policy: GatePolicy = GatePolicy()) -> None:
    """Decide about promotions until `stop` is set.

    Args:
        settings: bus, database, inference server.
        stop: ends it.
        policy: what the gate asks.

    Raises:
        BusUnavailable: the broker does not answer at the start.
    """
    with open_bus(settings) as bus:
        bus.ensure_topics((PROMOTION_REQUESTS, PROMOTION_RESULTS))
        Registry(bus, policy, connect(settings)).run(stop)


class Registry:
    """Decides about promotions. The database's row is the decision; deployment and alias follow it and are healed from it.

    Args:
        bus: where requests come from and results go.
        policy: what the gate asks.
        engine: the platform's database.
    """

    def __init__(self, bus: Bus, policy: GatePolicy, engine: Engine) -> None:
        self._bus = bus
        self._policy = policy
        self._engine = engine
        require_schema(self._engine)

    def run(self, stop: threading.Event) -> None:
        """Answer requests until `stop` is set."""
        self.heal()
        self._bus.consume([PROMOTION_REQUESTS], GROUP, (PromotionRequest,), self.handle, stop=stop)

    def handle(self, request: PromotionRequest) -> None:
        """Decide one request; asked again, the first decision is given again."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            promotion = session.get(Promotion, request.request)
            if promotion is None:
                promotion = self._decide(request)
                session.add(promotion)
        if promotion.granted and not promotion.applied:
            self._apply(promotion)
        result = PromotionResult(
            request=promotion.request,
            model=promotion.model,
            version=promotion.version,
            granted=promotion.granted,
            reasons=tuple(promotion.reasons),
        )
        self._bus.publish(PROMOTION_RESULTS, request.request, result)

    def heal(self) -> None:
        """Apply what was granted and cut off before alias and deployment had followed."""
        with Session(self._engine) as session:
            pending = session.scalars(select(Promotion).where(Promotion.granted, ~Promotion.applied).order_by(Promotion.decided_at)).all()
            session.expunge_all()
        for promotion in pending:
            self._apply(promotion)

    def _decide(self, request: PromotionRequest) -> Promotion:
        reigning = alias_version(request.model, CHAMPION)
        try:
            candidate = version_of(request.model, request.version)
            champion = version_of(request.model, reigning) if reigning is not None else None
            checks = examine(candidate, champion, self._policy) or [Check(False, "nothing was checked")]
            checks.append(self._golden_tile(candidate))
        except UserError as error:
            checks = [Check(False, str(error))]
        granted = all(check.passed for check in checks)
        reasons = [("passed: " if check.passed else "failed: ") + check.words for check in checks]
        log.info("promotion decided", model=request.model, version=request.version, granted=granted, reasons=reasons)
        return Promotion(
            request=request.request,
            model=request.model,
            version=request.version,
            previous=reigning if reigning != request.version else None,
            granted=granted,
            reasons=reasons,
            asked_by=request.asked_by,
            decided_at=dt.datetime.now(dt.UTC),
            applied=False,
        )

    def _golden_tile(self, candidate: RegisteredModel) -> Check:
        """Deploy the candidate beside the champion: the versions live side by side, only the alias says which is used."""
        try:
            deployed = deploy(Folder(candidate.serving), candidate.name, candidate.version)
        except UserError as error:
            return Check(False, f"deployment: {error}")
        return Check(True, f"golden tile on {deployed.server}: largest difference {deployed.difference:.4f}")

    def _apply(self, promotion: Promotion) -> None:
        if promotion.previous is not None:
            set_alias(promotion.model, PREVIOUS, promotion.previous)
        set_alias(promotion.model, CHAMPION, promotion.version)
        tag_version(promotion.model, promotion.version, "promotion", promotion.request)
        with Session(self._engine) as session, session.begin():
            stored = session.get_one(Promotion, promotion.request)
            stored.applied = True
