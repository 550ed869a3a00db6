"""The table of API keys."""

import datetime as dt

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from eartheye.database import Base, UtcDateTime


class ApiKey(Base):
    """A key, without its secret. Keys are never removed: the audit names them."""

    __tablename__ = "api_keys"

    key: Mapped[str] = mapped_column(String(16), primary_key=True)
    """The part of the token that may be seen: `ek_<key>_<secret>`."""
    name: Mapped[str] = mapped_column(String(100))
    """Whose it is, or what for."""
    role: Mapped[str] = mapped_column(String(16))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    """To the minute."""
