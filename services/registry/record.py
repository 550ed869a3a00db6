"""Writing decisions down: state, audit and outbox change in one transaction, and only from the state that was seen."""

import uuid

from sqlalchemy import CursorResult, Engine, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified
from sqlalchemy.orm.exc import StaleDataError

from eartheye.database import now
from eartheye.errors import StaleVersion
from eartheye.telemetry import get_logger
from services.registry.standing import Standing, decision_on, standing, standing_in
from services.registry.tables import Decision, ModelState, OutboxItem

log = get_logger(__name__)


def new_decision(
    seen: Standing,
    kind: str,
    version: int | None,
    state: str,
    reasons: list[str],
    *,
    asked_by: str,
    request: str | None = None,
    policy: str = "",
    serving_digest: str = "",
) -> Decision:
    """Return a decision about a model as it was seen; nothing is written yet."""
    moment = now()
    return Decision(
        request=request or uuid.uuid4().hex,
        policy=policy,
        model=seen.model,
        kind=kind,
        from_version=seen.champion,
        to_version=version,
        serving_digest=serving_digest,
        from_previous=seen.previous,
        state=state,
        reasons=reasons,
        asked_by=asked_by,
        decided_at=moment,
        settled_at=None if state == "pending" else moment,
        generation=seen.generation,
    )


def record(engine: Engine, seen: Standing, made: Decision, works: tuple[str, ...]) -> Decision:
    """Write a decision with the work that follows; one that is pending makes its version the champion.

    Args:
        engine: the platform's database.
        seen: the model's state that the decision was made on.
        made: the decision.
        works: what follows, in order.

    Returns:
        The decision; where the same request was decided meanwhile, that one.

    Raises:
        StaleVersion: the state is not the one that was seen any more.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            state = _state(session, seen)
            if made.state == "pending":
                _change(state, made.to_version, seen.champion if seen.champion != made.to_version else seen.previous)
            _add(session, state, made, works)
    except (StaleDataError, IntegrityError):  # of two changes at once the row's generation lets one through
        if known := decision_on(engine, made.request, made.policy):
            return known
        raise stale(standing(engine, seen.model), seen.champion) from None
    log.info("decided", model=made.model, kind=made.kind, version=made.to_version, state=made.state, reasons=made.reasons)
    return made


def take_back(
    engine: Engine, failed: Decision, reason: str, *, asked_by: str, request: str | None = None, works: tuple[str, ...] = ("aliases",)
) -> Decision | None:
    """End a pending decision as failed, and restore the state that it found, as a decision of its own: a reversion.

    Args:
        engine: the platform's database.
        failed: the pending decision.
        reason: why it is not carried out.
        asked_by: who wants it back, for the audit.
        request: name of the request; by default a new one.
        works: what follows, in order; the aliases may have moved already.

    Returns:
        The reversion; None where the decision was no longer pending.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            seen = standing_in(session, failed.model)
            if not settle(session, failed, "failed", f"failed: {reason}"):
                return None
            state = _state(session, seen)
            _change(state, failed.from_version, failed.from_previous)
            reasons = [f"passed: takes back {name_of(failed)}: {reason}"]
            made = new_decision(seen, "reversion", failed.from_version, "applied", reasons, asked_by=asked_by, request=request)
            _add(session, state, made, works)
    except (StaleDataError, IntegrityError):
        return None
    log.warning("decision taken back", model=failed.model, version=failed.to_version, reason=reason)
    return made


def settle(session: Session, decision: Decision, state: str, reason: str | None = None) -> bool:
    """Move a decision from `pending` to where it rests; False where somebody else did so before."""
    return _change_pending(session, decision, reason, state=state, settled_at=now())


def note(session: Session, decision: Decision, reason: str) -> bool:
    """Add a reason to a pending decision, once; False where somebody else has settled it before."""
    return _change_pending(session, decision, reason, state="pending")


def stale(stands: Standing, expected: int | None) -> StaleVersion:
    """Word that the champion is another one than expected, or was decided about meanwhile; None and 0 stand for none."""
    is_now = f"version {stands.champion}" if stands.champion else "none"
    was = f"version {expected}" if expected else "none"
    than = f"not {was} as expected" if is_now != was else "by another decision than was seen"
    return StaleVersion(
        f"the champion of {stands.model} is now {is_now} (generation {stands.generation}), {than}: look at it, and ask again"
    )


def name_of(decision: Decision) -> str:
    """Name a decision in words."""
    return f"the {decision.kind} of {decision.model} to version {decision.to_version or 'none'}, asked by {decision.asked_by}"


def _state(session: Session, seen: Standing) -> ModelState:
    """Return the row of a model, if it is still as it was seen.

    Raises:
        StaleDataError: it is not.
    """
    state = session.get(ModelState, seen.model)
    if (state.generation if state else 0) != seen.generation:
        raise StaleDataError
    return state or ModelState(model=seen.model)


def _change_pending(session: Session, decision: Decision, reason: str | None, **values: object) -> bool:
    pending = update(Decision).where(Decision.id == decision.id, Decision.state == "pending")
    result = session.connection().execute(pending.values(values))
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        return False
    stored = session.get_one(Decision, decision.id, populate_existing=True)  # only now, for the row is this transaction's from here on
    if reason is not None and reason not in stored.reasons:
        stored.reasons = [*stored.reasons, reason]
    return True


def _change(state: ModelState, champion: int | None, previous: int | None) -> None:
    """Change a model's row. A champion that was made anew keeps its number, and still the row is written: that checks its generation."""
    state.champion, state.previous = champion, previous
    flag_modified(state, "champion")


def _add(session: Session, state: ModelState, made: Decision, works: tuple[str, ...]) -> None:
    if state.champion is not None or state.generation is not None:  # a refusal leaves no row for a model that has none
        session.add(state)
        session.flush()
        made.generation = state.generation
    session.add(made)
    session.flush()
    session.add_all(OutboxItem(decision=made.id, model=made.model, work=work) for work in works)
