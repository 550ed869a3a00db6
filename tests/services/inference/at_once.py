"""Two who do the same at once, made sure of."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from tests.waiting import LIMIT_S


@contextmanager
def meet_before(engine: Engine, statement: str, parties: int) -> Iterator[None]:
    """Let nobody send a statement that begins with these words before all are about to: each has looked, and none has written."""
    barrier = threading.Barrier(parties, timeout=LIMIT_S)

    def wait(connection: Any, cursor: Any, sent: str, *_: Any) -> None:
        if sent.startswith(statement):
            barrier.wait()

    event.listen(engine, "before_cursor_execute", wait)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", wait)
