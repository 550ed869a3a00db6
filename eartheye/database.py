"""The platform's database: SQLite on a laptop, PostgreSQL on servers."""

from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from eartheye.errors import InvalidSettings
from eartheye.settings import Settings, load

BUSY_TIMEOUT_S = 30


def connect(settings: Settings | None = None) -> Engine:
    """Return an engine for the database of the settings.

    SQLite runs with a write-ahead log, so that readers and the one writer do not stop each other, and waits when another writes.

    Raises:
        InvalidSettings: the URL is malformed or names an unknown database.
    """
    try:
        url = make_url((settings or load()).database_url)
        if not url.drivername.startswith("sqlite"):
            return create_engine(url, pool_pre_ping=True)
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
