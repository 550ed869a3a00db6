"""The platform's database: SQLite on a laptop, PostgreSQL on servers."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import DateTime, Dialect, Engine, MetaData, TypeDecorator, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.orm import DeclarativeBase

from eartheye.errors import DatabaseUnavailable, InvalidSettings
from eartheye.settings import Settings, load

BUSY_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10
"""A server that hangs takes connections and never answers: who waits for it without an end holds a thread of its service."""
UNAVAILABLE = (OperationalError, DatabaseError)
"""What is about the server or the file; other kinds of a DatabaseError are about the rows."""
CONSTRAINT_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""A migration can only change what has a name."""


class Base(DeclarativeBase):
    """All tables of the platform; services.schema holds the migrations that make them."""

    metadata = MetaData(naming_convention=CONSTRAINT_NAMES)


class UtcDateTime(TypeDecorator[dt.datetime]):
    """A moment. It comes back in UTC with its zone, also from SQLite, which keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Store in UTC."""
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """State the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def now() -> dt.datetime:
    """Return the time, in UTC, as the tables hold it."""
    return dt.datetime.now(dt.UTC)


def connect(settings: Settings | None = None) -> Engine:
    """Return an engine for the database of the settings.

    SQLite runs with a write-ahead log, so that readers and the one writer do not stop each other, and waits when another writes.

    Raises:
        InvalidSettings: the URL is malformed or names an unknown database.
    """
    try:
        url = make_url((settings or load()).database_url)
        if not url.drivername.startswith("sqlite"):
            return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    except (ArgumentError, ModuleNotFoundError) as error:
        raise InvalidSettings(f"EARTHEYE_DATABASE_URL: {error}") from None
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


@contextmanager
def answering(engine: Engine) -> Iterator[None]:
    """Word a database that cannot be had for the user, for the length of a block.

    Raises:
        DatabaseUnavailable: the database does not answer, refuses the credentials, is held by another for too long, or is no database.
    """
    try:
        yield
    except DatabaseError as error:
        if type(error) not in UNAVAILABLE:
            raise
        raise DatabaseUnavailable(f"{database_name(engine)} (EARTHEYE_DATABASE_URL): {str(error.orig).strip()}") from error


def database_name(engine: Engine) -> str:
    """Name a database for the user, without its password."""
    return f"the database {engine.url.render_as_string(hide_password=True)}"
