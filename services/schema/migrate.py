"""Bringing a database to the newest schema, and refusing one that does not fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from eartheye.database import answering, database_name
from eartheye.errors import SchemaMismatch

LOCK = 0x45415254  # "EART"
"""Number of PostgreSQL's advisory lock that an upgrade holds."""


@dataclass(frozen=True)
class SchemaStatus:
    """Where a database stands."""

    found: str | None
    """Its revision; None for a database without any."""
    newest: str
    """The revision of this release."""
    known: bool
    """This release has a migration of the revision found."""

    @property
    def current(self) -> bool:
        """The database has the schema of this release."""
        return self.found == self.newest


def status(engine: Engine) -> SchemaStatus:
    """Say where a database stands.

    Raises:
        DatabaseUnavailable: the database does not answer, or refuses the credentials.
    """
    with answering(engine), engine.connect() as connection:
        return _status(connection)


def upgrade(engine: Engine) -> SchemaStatus:
    """Bring a database to the newest schema; all steps of it are one transaction.

    Returns:
        Where the database stood before.

    Raises:
        DatabaseUnavailable: the database does not answer, or refuses the credentials.
        SchemaMismatch: a newer release made the schema, or no migration did.
    """
    with answering(engine), _locked(engine) as connection:
        before = _status(connection)
        if not before.known:
            raise SchemaMismatch(f"{database_name(engine)} has schema {before.found}, which a newer release made: upgrade this one")
        if before.found is None and (tables := set(inspect(connection).get_table_names()) & _own_tables()):
            raise SchemaMismatch(
                f"{database_name(engine)} holds tables that no migration made ({', '.join(sorted(tables))}): name an empty database in "
                "EARTHEYE_DATABASE_URL, or remove the file"
            )
        if not before.current:
            command.upgrade(_config(connection), "head")
    return before


def require_schema(engine: Engine) -> None:
    """See to it that the schema is the one of this release: SQLite is upgraded, PostgreSQL must have been.

    Raises:
        DatabaseUnavailable: the database does not answer, or refuses the credentials.
        SchemaMismatch: the schema is behind or ahead; the message says what to do.
    """
    stands = status(engine)
    if engine.dialect.name == "sqlite" and not stands.current:
        upgrade(engine)
        return
    if not stands.known:
        raise SchemaMismatch(
            f"{database_name(engine)} has schema {stands.found}, ahead of this release ({stands.newest}): upgrade this service; "
            "`eartheye database status` shows both"
        )
    if not stands.current:
        raise SchemaMismatch(
            f"{database_name(engine)} has schema {stands.found or 'none'}, behind this release ({stands.newest}): "
            "run `eartheye database upgrade`"
        )


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that no other upgrade runs beside; it is committed when the block ends well."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            with _whole_transaction(connection):
                yield connection
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            yield connection
            connection.commit()


@contextmanager
def _whole_transaction(connection: Connection) -> Iterator[None]:
    """Hold SQLite's write lock from the first statement to the last.

    Python's driver begins a transaction only before a change of rows, so that each CREATE TABLE would stand alone; here it is told to
    leave transactions to us. Foreign keys rest meanwhile, for a table is changed by making it anew, and are checked at the end.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    isolation = driver.isolation_level
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.rollback()
    driver.isolation_level = None
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
            raise SchemaMismatch(f"rows without their counterpart after the upgrade, nothing was changed: {broken[:5]}")
        connection.commit()
    finally:
        connection.rollback()
        driver.isolation_level = isolation
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def _status(connection: Connection) -> SchemaStatus:
    scripts = ScriptDirectory.from_config(_config(connection))
    found = MigrationContext.configure(connection).get_current_revision()
    newest = scripts.get_current_head()
    assert newest is not None
    return SchemaStatus(found, newest, found is None or found in {script.revision for script in scripts.walk_revisions()})


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _own_tables() -> set[str]:
    from services.schema.metadata import platform_metadata

    return set(platform_metadata().tables)
