"""What is decided and what was decided: questions to the database, which change nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, or_, select
from sqlalchemy.orm import Session

from eartheye.tracking import RegisteredModel
from services.registry.tables import Decision, ModelState, OutboxItem


@dataclass(frozen=True)
class Standing:
    """Where a model stands by the platform's decisions."""

    model: str
    champion: int | None
    """Version that serves, or will as soon as the pending decision is carried out."""
    previous: int | None
    """Version that a rollback leads to."""
    generation: int
    """Counts the changes of champion and previous; 0 before the first."""
    pending: Decision | None
    """Decision that deployment and aliases have still to follow."""
    followed: bool
    """Deployment and aliases are as decided, as far as this platform moved them."""
    trouble: str | None
    """Why they cannot follow now; tried again until they can."""

    @property
    def in_force(self) -> tuple[int | None, int | None]:
        """Champion and previous as they are until a pending decision is carried out; jobs are mapped with the first."""
        pending = self.pending
        return (self.champion, self.previous) if pending is None else (pending.from_version, pending.from_previous)


def standing(engine: Engine, model: str) -> Standing:
    """Say where a model stands; one that nothing was decided about has generation 0.

    Args:
        engine: the platform's database.
        model: name of the registered model.
    """
    with Session(engine, expire_on_commit=False) as session:
        return standing_in(session, model)


def standings(engine: Engine) -> list[Standing]:
    """Say where each model stands that something was granted for, by name.

    Args:
        engine: the platform's database.
    """
    with Session(engine, expire_on_commit=False) as session:
        return [standing_in(session, model) for model in session.scalars(select(ModelState.model).order_by(ModelState.model))]


def decisions(engine: Engine, model: str | None = None, limit: int = 100, before: int | None = None) -> Sequence[Decision]:
    """Return the audit, newest first.

    Args:
        engine: the platform's database.
        model: name of the registered model; None for all.
        limit: how many at most.
        before: only decisions older than the one of this number.
    """
    asked = select(Decision).order_by(Decision.id.desc()).limit(limit)
    if model is not None:
        asked = asked.where(Decision.model == model)
    if before is not None:
        asked = asked.where(Decision.id < before)
    with Session(engine, expire_on_commit=False) as session:
        return session.scalars(asked).all()


def decision_on(engine: Engine, request: str, policy: str | None = None) -> Decision | None:
    """Return how a request was decided at last, None where it was not.

    Args:
        engine: the platform's database.
        request: name of the request.
        policy: what the gate asks now, as a decision notes it: a refusal by another policy does not count. None counts every decision.
    """
    asked = select(Decision).where(Decision.request == request).order_by(Decision.id.desc()).limit(1)
    if policy is not None:
        asked = asked.where(or_(Decision.state != "refused", Decision.policy == policy))
    with Session(engine, expire_on_commit=False) as session:
        return session.scalars(asked).first()


def is_as_granted(engine: Engine, candidate: RegisteredModel) -> bool:
    """Say whether a version has the package that it was last promoted with; where that was not noted, nobody can tell.

    A model that was renamed or removed in MLflow, and registered anew, has other packages under the numbers that were decided about.

    Args:
        engine: the platform's database.
        candidate: the version as MLflow has it now.
    """
    asked = select(Decision.serving_digest).where(Decision.model == candidate.name, Decision.to_version == candidate.version)
    asked = asked.where(Decision.kind == "promotion", Decision.state.in_(("pending", "applied"))).order_by(Decision.id.desc()).limit(1)
    with Session(engine) as session:
        return session.scalars(asked).first() in (None, "", candidate.serving_digest)


def standing_in(session: Session, model: str) -> Standing:
    """Say where a model stands, within a transaction."""
    state = session.get(ModelState, model)
    pending = session.scalars(select(Decision).where(Decision.model == model, Decision.state == "pending")).one_or_none()
    open_items = select(OutboxItem).where(OutboxItem.model == model, OutboxItem.work != "answer", OutboxItem.done_at.is_(None))
    next_item = session.scalars(open_items.order_by(OutboxItem.id).limit(1)).first()
    trouble = next_item.trouble if next_item else None
    if state is None:
        return Standing(model, None, None, 0, pending, next_item is None, trouble)
    return Standing(model, state.champion, state.previous, state.generation, pending, next_item is None, trouble)
