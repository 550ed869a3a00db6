"""What the platform decided about its models, how it came to that, and what is still to follow."""

import datetime as dt

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from eartheye.database import Base, UtcDateTime

PENDING = text("state = 'pending'")


class ModelState(Base):
    """A model's champion as decided. MLflow's aliases follow this row."""

    __tablename__ = "model_states"

    model: Mapped[str] = mapped_column(String(128), primary_key=True)
    champion: Mapped[int | None]
    """Version that serves; none after the first promotion of a model has failed."""
    previous: Mapped[int | None]
    """Champion before, where a rollback leads."""
    generation: Mapped[int] = mapped_column()
    """Counts the changes of this row. A change says which generation it saw, so of two at once one wins."""

    __mapper_args__ = {"version_id_col": generation}  # noqa: RUF012


class Decision(Base):
    """A request about a model, decided once, or refused by several policies: the audit.

    `kind` is `promotion`, `rollback`, or `reversion` of one that failed.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        UniqueConstraint("request", "policy"),
        Index("one_pending_of_a_model", "model", unique=True, postgresql_where=PENDING, sqlite_where=PENDING),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    request: Mapped[str] = mapped_column(String(128))
    policy: Mapped[str] = mapped_column(Text, server_default="")
    """What the gate asked then, as JSON; empty where no gate decides."""
    model: Mapped[str] = mapped_column(String(128), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    from_version: Mapped[int | None]
    """Champion when this was decided."""
    to_version: Mapped[int | None]
    """Champion that was asked for."""
    serving_digest: Mapped[str] = mapped_column(String(64), server_default="")
    """Of the package that a promotion was decided about, for a model made anew numbers its versions from 1; empty where not known."""
    from_previous: Mapped[int | None]
    """`previous` when this was decided; a reversion restores it."""
    state: Mapped[str] = mapped_column(String(16))
    """`refused`; or granted: `pending` while deployment and aliases follow, then `applied`, or `failed` and reverted."""
    reasons: Mapped[list[str]] = mapped_column(JSON)
    """Each check in words, beginning with `passed: ` or `failed: `."""
    asked_by: Mapped[str] = mapped_column(String(200))
    decided_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    settled_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    """When it was no longer pending."""
    generation: Mapped[int]
    """Of the model's state after the decision."""


class OutboxItem(Base):
    """Work that follows a decision, noted in its transaction. `work` is `deploy`, `aliases` or `answer`; a model's are done in order."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    decision: Mapped[int] = mapped_column(ForeignKey(Decision.id))
    model: Mapped[str] = mapped_column(String(128))
    work: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    """Attempts that failed; those during an outage are not counted."""
    trouble: Mapped[str | None] = mapped_column(Text)
    """Why the last attempt did not succeed."""
    done_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime, index=True)
