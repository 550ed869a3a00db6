"""Whose turn it is: of the registries on one database, one at a time follows decisions and looks after the aliases."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

LOCK = 0x45415252  # "EARR"
"""Number of PostgreSQL's advisory lock that the turn is."""
TAKE = f"""SELECT pg_try_advisory_xact_lock({LOCK}), set_config('tcp_keepalives_idle', '10', true),
    set_config('tcp_keepalives_interval', '5', true), set_config('tcp_keepalives_count', '3', true)"""
"""Asks for the lock until the transaction ends; the server notices within half a minute, not after two hours, that the holder's machine is
gone."""


@contextmanager
def turn(engine: Engine) -> Iterator[bool]:
    """Say whether this registry has the turn, and keep it for the length of a block. Nobody waits: who has it not asks again later.

    On PostgreSQL it is an advisory lock, on SQLite, which is on one machine, a lock on a file beside the database. Either goes with the
    process, however that ends. A holder that loses its connection has lost the turn without knowing, and is told at the end of the block;
    what it did meanwhile may have been done twice, which each piece of the work bears.

    Args:
        engine: the platform's database.
    """
    if engine.dialect.name == "sqlite":
        with _file_lock(Path(f"{engine.url.database}.registry")) as ours:
            yield ours
    else:
        with engine.begin() as connection:
            yield bool(connection.exec_driver_sql(TAKE).scalar())


@contextmanager
def _file_lock(path: Path) -> Iterator[bool]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # a child process may have got the file as well
