"""A job's progress as a stream of events."""

import asyncio
from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from services.admin.jobs.queries import find_job
from services.admin.keys.store import key_in_force
from services.admin.platform import Platform
from services.inference.tables import ENDED

LOOK_S = 0.5
"""Pause between two looks at the table: what the planner takes for a tick."""


async def watch(platform: Platform, job: str, key: str) -> AsyncIterator[ServerSentEvent]:
    """Yield `progress` whenever a job has moved, the first at once, and `ended` when it rests; then the stream is over.

    It is also over when the key that opened it is no longer in force.

    Args:
        platform: its database.
        job: its name.
        key: the key that opened the stream.

    Raises:
        NotThere: no such job was asked for.
    """
    before = None
    while await run_in_threadpool(key_in_force, platform.engine, key):
        found = await run_in_threadpool(find_job, platform.engine, job)
        if found.state in ENDED:
            yield ServerSentEvent(event="ended", data=found.model_dump(mode="json"))
            return
        if found != before:
            yield ServerSentEvent(event="progress", data=found.model_dump(mode="json"))
            before = found
        await asyncio.sleep(LOOK_S)
