"""Whose turn it is: of all who work on one database, one at a time does what bears a name."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from eartheye.file_lock import file_lock

TAKE = text("""SELECT pg_try_advisory_xact_lock(:number), set_config('tcp_keepalives_idle', '10', true),
    set_config('tcp_keepalives_interval', '5', true), set_config('tcp_keepalives_count', '3', true)""")
"""Asks for the lock until the transaction ends; the server notices within half a minute, not after two hours, that the holder's machine is
gone."""


@contextmanager
def turn(engine: Engine, name: str) -> Iterator[bool]:
    """Say whether the caller has the turn, and keep it for the length of a block. Nobody waits: who has it not asks again later.

    On PostgreSQL it is an advisory lock, on SQLite, which is on one machine, a lock on a file beside the database. Either goes with the
    process, however that ends. A holder that loses its connection has lost the turn without knowing, and is told at the end of the block;
    what it did meanwhile may have been done twice, which each piece of the work bears.

    Args:
        engine: the platform's database.
        name: of what is done in turn.
    """
    number = hashlib.sha256(name.encode()).digest()[:8]
    if engine.dialect.name == "sqlite":
        with file_lock(Path(f"{engine.url.database}.turn-{number.hex()}")) as ours:
            yield ours
    else:
        with engine.begin() as connection:
            yield bool(connection.execute(TAKE, {"number": int.from_bytes(number, signed=True)}).scalar())
