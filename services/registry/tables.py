"""The audit of promotions: every request, its decision, and whether alias and deployment have followed."""

import datetime as dt

from sqlalchemy import JSON, DateTime, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Tables of the registry."""


class Promotion(Base):
    """A request to promote, decided once."""

    __tablename__ = "promotions"

    request: Mapped[str] = mapped_column(String(128), primary_key=True)
    model: Mapped[str] = mapped_column(String(128), index=True)
    version: Mapped[int]
    previous: Mapped[int | None]
    """Champion before this one."""
    granted: Mapped[bool]
    reasons: Mapped[list[str]] = mapped_column(JSON)
    asked_by: Mapped[str] = mapped_column(String(200))
    decided_at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    applied: Mapped[bool] = mapped_column(default=False)
    """Deployment and alias have followed the decision."""
