"""What follows a decision: deployment with its golden tile, MLflow's aliases, and the answer to who asked over the bus."""

from collections.abc import Callable

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from components.deployer.run import deploy
from eartheye.contracts import ServingPackage
from eartheye.database import now
from eartheye.errors import (
    BusUnavailable,
    ParityNotReached,
    PredictorSilent,
    PredictorUnavailable,
    StoreFull,
    StoreUnavailable,
    TrackingUnavailable,
    UnknownModel,
    UserError,
)
from eartheye.store import Folder
from eartheye.telemetry import PULSE, get_logger
from eartheye.tracking import CHAMPION, PREVIOUS, RegisteredModel, alias_version, set_alias, tag_version, version_of
from services.registry.record import note, settle, take_back
from services.registry.standing import is_as_granted, standing
from services.registry.tables import Decision, OutboxItem

log = get_logger(__name__)
Answer = Callable[[Decision], None]
ITSELF = "registry"
"""Asks for the reversion of what could not be carried out."""
DEPLOYMENTS = 5
"""Attempts to deploy on a server that answers, but cannot load or run the model, before the decision fails."""
PASSING = (PredictorSilent, StoreUnavailable, StoreFull, TrackingUnavailable, BusUnavailable)
"""Failures that end with an outage elsewhere, and are waited for; UnknownModel is a TrackingUnavailable that does not."""
GONE = (UnknownModel, ParityNotReached)
"""What is told of a version that was removed in MLflow, or made anew."""
TAG = "promotion"
TAG_LENGTH = 4000


def work_through(engine: Engine, answer: Answer | None = None) -> bool:
    """Do what follows the decisions, once: each model's work in order, up to what cannot be done now.

    Every piece can be done twice without harm, so that one that was cut off is done again.

    Args:
        engine: the platform's database.
        answer: tells a decision to who asked over the bus; without it, such work is left for later.

    Returns:
        Everything is done.
    """
    stuck: set[str] = set()
    while (found := _next(engine, stuck, answer is not None)) is not None:
        PULSE.advanced()
        item, decision = found
        try:
            if item.work == "deploy":
                _deploy(engine, item, decision)
            elif item.work == "aliases":
                _move_aliases(engine, decision)
            elif answer is not None:
                answer(decision)
        except Exception as error:
            fault = not isinstance(error, UserError)
            trouble = f"{type(error).__name__}: {error}" if fault else str(error)
            traceback = fault and trouble != item.trouble  # once, however often it is tried
            log.warning("a decision cannot be followed now", model=item.model, work=item.work, reason=trouble, exc_info=traceback)
            _note(engine, item, trouble, failed=not _passes(error))
            stuck.add(item.model)
        else:
            _note(engine, item, None)
    return not stuck


def move_aliases(engine: Engine, model: str, deployed: Decision | None = None) -> bool:
    """Let MLflow's aliases point where the database says; True where one moved. `previous` goes first, so that it is never lost.

    An alias of a version that is gone, or was made anew with another package, points nowhere.

    Args:
        engine: the platform's database.
        model: name of the registered model.
        deployed: decision that may be pending; what any other pending decision found stays in force until its version is deployed.

    Raises:
        TrackingUnavailable: MLflow does not answer.
    """
    moved, decided = False, standing(engine, model)
    while True:
        wanted = {PREVIOUS: decided.previous, CHAMPION: decided.champion}
        if decided.pending is not None and (deployed is None or decided.pending.id != deployed.id):
            wanted = {PREVIOUS: decided.pending.from_previous, CHAMPION: decided.pending.from_version}
        for alias, version in wanted.items():
            there = version if version is None or _is_there(engine, model, version) else None
            if alias_version(model, alias) != there:
                set_alias(model, alias, there)
                moved = True
        seen, decided = decided, standing(engine, model)
        if decided.generation == seen.generation:  # else MLflow took its time, and what was set just now may be older than what another set
            return moved


def _is_there(engine: Engine, model: str, version: int) -> bool:
    if lost := why_lost(engine, model, version):
        log.warning("an alias cannot be set as decided", version=version, reason=lost)
    return lost is None


def why_lost(engine: Engine, model: str, version: int) -> str | None:
    """Say why a version that was decided about cannot serve: MLflow has it no more, or another package under its number; None where it can.

    Raises:
        TrackingUnavailable: MLflow does not answer.
    """
    try:
        registered_version(engine, model, version)
    except GONE as error:
        return str(error)
    return None


def registered_version(engine: Engine, model: str, version: int) -> RegisteredModel:
    """Return a version that was decided about, as MLflow has it now.

    Raises:
        UnknownModel: there is no such version.
        ParityNotReached: it is another than was decided about.
    """
    found = version_of(model, version)
    if not is_as_granted(engine, found):
        raise ParityNotReached(
            f"version {version} of '{model}' was made anew with another package than the one that was promoted: promote it, or another one"
        )
    return found


def registered_serving(engine: Engine, model: str, version: int) -> Folder:
    """Return the folder of the serving package of a version that was decided about.

    Raises:
        UnknownModel: there is no such version.
        ParityNotReached: the package is another than was registered, or the version another than was decided about.
    """
    candidate = registered_version(engine, model, version)
    folder = Folder(candidate.serving)
    if ServingPackage.read(folder).digest != candidate.serving_digest:
        raise ParityNotReached("the serving package is not the one that was registered: register it as a new version")
    return folder


def _next(engine: Engine, stuck: set[str], answers: bool) -> tuple[OutboxItem, Decision] | None:
    asked = select(OutboxItem, Decision).join(Decision, Decision.id == OutboxItem.decision).where(OutboxItem.done_at.is_(None))
    asked = asked.where(OutboxItem.model.not_in(stuck))
    if not answers:
        asked = asked.where(OutboxItem.work != "answer")
    with Session(engine, expire_on_commit=False) as session:
        row = session.execute(asked.order_by(OutboxItem.id).limit(1)).first()
    return (row[0], row[1]) if row else None


def _deploy(engine: Engine, item: OutboxItem, decision: Decision) -> None:
    """Put the version on the inference server; where it cannot serve, the decision is taken back.

    Raises:
        Exception: an outage, or a failure that another attempt may mend.
    """
    if decision.state != "pending":
        return
    assert decision.to_version is not None
    try:
        deployed = deploy(registered_serving(engine, decision.model, decision.to_version), decision.model, decision.to_version)
    except Exception as error:
        final = isinstance(error, UserError) and not isinstance(error, PredictorUnavailable)
        if _passes(error) or (not final and item.attempts + 1 < DEPLOYMENTS):
            raise
        take_back(engine, decision, f"deployment: {error}", asked_by=ITSELF)
        return
    with Session(engine) as session, session.begin():
        note(session, decision, f"passed: golden tile on {deployed.server}: largest difference {deployed.difference:.4f}")


def _move_aliases(engine: Engine, decision: Decision) -> None:
    if decision.state == "pending" and decision.to_version is not None:
        try:
            registered_version(engine, decision.model, decision.to_version)
        except GONE as error:
            take_back(engine, decision, f"aliases: {error}", asked_by=ITSELF)
            return
    move_aliases(engine, decision.model, decision)
    with Session(engine, expire_on_commit=False) as session, session.begin():
        settle(session, decision, "applied")
        ended = session.get_one(Decision, decision.id)
    if ended.to_version is not None and ended.kind != "reversion":
        told = "; ".join(reason for reason in ended.reasons if ended.state == "applied" or reason.startswith("failed"))
        try:
            tag_version(ended.model, ended.to_version, TAG, f"{ended.state}, asked by {ended.asked_by}: {told}"[:TAG_LENGTH])
        except UnknownModel as error:
            log.warning("a version cannot be tagged", reason=str(error))


def _passes(error: Exception) -> bool:
    return isinstance(error, PASSING) and not isinstance(error, UnknownModel)


def _note(engine: Engine, item: OutboxItem, trouble: str | None, failed: bool = False) -> None:
    with Session(engine) as session, session.begin():
        stored = session.get_one(OutboxItem, item.id)
        stored.trouble = trouble
        if trouble is None:
            stored.done_at = now()
        elif failed:
            stored.attempts += 1
