"""The job table: what was asked, how it is cut, and how each block ended."""

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from eartheye.blocks import Window
from eartheye.database import Base, UtcDateTime


class Plan(Base):
    """A piece of mapping that may serve several jobs: content of the scene, pinned model, area and cut."""

    __tablename__ = "plans"

    plan: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Digest over all that decides the class map."""
    scene: Mapped[str] = mapped_column(String(1100))
    """Where the scene lies; its content is in the digest."""
    scene_digest: Mapped[str] = mapped_column(String(64))
    serving: Mapped[str] = mapped_column(String(1100))
    serving_digest: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(128))
    model_version: Mapped[int]
    reading: Mapped[dict[str, Any]] = mapped_column(JSON)
    """How the scene is read: `bands`, `nodata`, `crs`."""
    area_column: Mapped[int]
    area_row: Mapped[int]
    area_width: Mapped[int]
    area_height: Mapped[int]
    work: Mapped[str] = mapped_column(String(1100))
    """Folder of the blocks and their outcomes."""

    @property
    def area(self) -> Window:
        """The output grid, in pixels of the scene."""
        return Window(self.area_column, self.area_row, self.area_width, self.area_height)


class Block(Base):
    """A block of a plan; `state` is `waiting`, `sent`, `done`, `empty` or `failed`."""

    __tablename__ = "blocks"
    __table_args__ = (UniqueConstraint("plan", "block"), Index("blocks_by_state", "plan", "state"))

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(ForeignKey(Plan.plan))
    block: Mapped[str] = mapped_column(String(20))
    column: Mapped[int]
    row: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    reason: Mapped[str | None] = mapped_column(Text)
    raster: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """`Bulk` of the block's raster in the plan's folder."""
    sendings: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)

    @property
    def window(self) -> Window:
        """In pixels of the scene."""
        return Window(self.column, self.row, self.width, self.height)


class Job(Base):
    """A request; `state` is `asked`, `running`, `assembling`, or how it ended: `done`, `failed`, `rejected`, `cancelled`."""

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_by_state", "state"),)

    job: Mapped[str] = mapped_column(String(128), primary_key=True)
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16), default="asked")
    plan: Mapped[str | None] = mapped_column(ForeignKey(Plan.plan), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it ended so; of one that is asked, what it waits for."""
    output: Mapped[str | None] = mapped_column(String(1100))
    """Folder of the map, in the form that was checked."""
    blocks_done: Mapped[int] = mapped_column(default=0)
    blocks_empty: Mapped[int] = mapped_column(default=0)
    blocks_failed: Mapped[int] = mapped_column(default=0)
    """Blocks by state, when the job ended."""
    told: Mapped[bool] = mapped_column(default=True)
    """False while a result is to be published."""
    asked_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    assembly_sent_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)


ENDED = ("done", "failed", "rejected", "cancelled")
"""States in which a job rests."""


def hold_job(session: Session, job: str, state: str | None = None) -> Job | None:
    """Return a job, and let nobody else change it before the transaction ends.

    Several processes move a job on, and one that has just been cancelled must not be set going again. The update changes nothing: it takes
    PostgreSQL's lock of the row, and SQLite's lock of writers.

    Args:
        session: in whose transaction the job is held.
        job: its name.
        state: in which it is to be; None for any.

    Returns:
        The job, None where there is none or it is in another state by now.
    """
    session.execute(update(Job).where(Job.job == job).values(told=Job.told))
    held = session.get(Job, job, populate_existing=True)
    return held if held and state in (None, held.state) else None


def hold_plan(session: Session, plan: str) -> Plan | None:
    """Return a plan, and let nobody else say before the transaction ends whether a job waits for its blocks; see `hold_job`.

    Who holds a job too has held that first, so that no two wait for each other.
    """
    session.execute(update(Plan).where(Plan.plan == plan).values(work=Plan.work))
    return session.get(Plan, plan, populate_existing=True)


def is_awaited(session: Session, plan: Plan) -> bool:
    """Say whether a job waits for a plan's blocks."""
    waiting = select(Job.job).where(Job.plan == plan.plan, Job.state.in_(("running", "assembling")))
    return session.scalars(waiting).first() is not None
