"""A job's progress as a stream of events."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from eartheye.errors import TooManyStreams
from services.admin.jobs.queries import find_job
from services.admin.jobs.schemas import JobOut
from services.admin.keys.store import key_in_force
from services.admin.platform import Platform
from services.inference.tables import ENDED

LOOK_S = 0.5
"""Pause between two looks at the table while a job moves: what the planner takes for a tick."""
LONGEST_LOOK_S = 5.0
"""Pause between two looks at a job that rests or waits: it doubles up to here."""
LIFETIME_S = 3600.0
"""How long a stream lasts at most; browsers connect again by themselves."""
MOST_STREAMS = 100
"""Streams of this process at once: two hundred looks a second at the most, which a database answers beside its work."""


class Streams:
    """The streams that are open."""

    def __init__(self) -> None:
        self._open = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a stream for as long as it is open.

        Raises:
            TooManyStreams: there are as many as may be.
        """
        if self._open >= MOST_STREAMS:
            raise TooManyStreams(f"{MOST_STREAMS} streams of progress are open, which is the most: ask for the job instead, or later again")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


async def watch(platform: Platform, job: str, key: str) -> AsyncIterator[ServerSentEvent]:
    """Yield `progress` whenever a job has moved, the first at once, and `ended` when it rests; then the stream is over.

    It is also over after `LIFETIME_S`, and when the key that opened it is no longer in force.

    Args:
        platform: its database.
        job: its name.
        key: the key that opened the stream.

    Raises:
        NotThere: no such job was asked for.
    """

    def look() -> JobOut | None:
        return find_job(platform.engine, job) if key_in_force(platform.engine, key) else None

    before, pause_s, ends_at = None, LOOK_S, time.monotonic() + LIFETIME_S
    while time.monotonic() < ends_at and (found := await run_in_threadpool(look)):
        if found.state in ENDED:
            yield ServerSentEvent(event="ended", data=found.model_dump(mode="json"))
            return
        if found != before:
            yield ServerSentEvent(event="progress", data=found.model_dump(mode="json"))
            before, pause_s = found, LOOK_S
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_LOOK_S)
