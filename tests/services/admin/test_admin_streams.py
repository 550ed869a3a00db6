"""Streams of a job's progress: when they end, how many there are, and how often they look."""

import asyncio
import datetime as dt
import json
from types import SimpleNamespace

import pytest
from sqlalchemy.orm import Session

from eartheye.database import now
from services.admin.jobs import progress
from services.admin.jobs.progress import watch
from services.admin.keys.store import create_key, revoke_key
from services.admin.keys.tables import ApiKey
from services.admin.roles import Role
from services.inference.tables import Job
from tests.waiting import LIMIT_S

REQUEST = {"kind": "job-request/1", "scene": "scene.tif", "model": "landcover", "output": "map"}


@pytest.fixture
def job(admin, request) -> str:
    """A job that waits for ever."""
    name = request.node.name[:100].replace("[", "-").replace("]", "")
    with Session(admin.platform.engine) as session, session.begin():
        session.add(Job(job=name, request=REQUEST | {"job": name}, asked_at=now()))
    return name


@pytest.fixture
def key(admin) -> ApiKey:
    return create_key(admin.platform.engine, "watcher", Role.VIEWER, "test").key


def seen(admin, job: str, key: str, after_first=lambda: None) -> list[str]:
    """Return the names of a stream's events; something happens after the first."""

    async def read() -> list[str]:
        names = []
        async for event in watch(admin.platform, job, key):
            names.append(event.event)
            if len(names) == 1:
                after_first()
        return names

    return asyncio.run(asyncio.wait_for(read(), 30))


def change(admin, job: str, **fields: object) -> None:
    with Session(admin.platform.engine) as session, session.begin():
        row = session.get_one(Job, job)
        for name, value in fields.items():
            setattr(row, name, value)


def test_a_stream_ends_with_its_job(admin, job, key):
    assert seen(admin, job, key.key, lambda: change(admin, job, state="failed", ended_at=now())) == ["progress", "ended"]


def test_a_stream_ends_when_its_key_is_revoked(admin, job, key):
    assert seen(admin, job, key.key, lambda: revoke_key(admin.platform.engine, key.key)) == ["progress"]


def test_a_stream_ends_when_its_key_expires(admin, job, key):
    def expire() -> None:
        with Session(admin.platform.engine) as session, session.begin():
            session.get_one(ApiKey, key.key).expires_at = now() - dt.timedelta(seconds=1)

    assert seen(admin, job, key.key, expire) == ["progress"]


def test_a_stream_lasts_no_longer_than_its_lifetime(admin, job, key, monkeypatch):
    monkeypatch.setattr(progress, "LIFETIME_S", 0.2)
    assert seen(admin, job, key.key) == ["progress"]


def test_a_job_that_rests_is_looked_at_less_often_until_it_moves_again(admin, job, key, monkeypatch):
    pauses: list[float] = []

    async def note(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 6:
            change(admin, job, state="running")
        elif len(pauses) == 8:
            change(admin, job, state="cancelled", ended_at=now())

    monkeypatch.setattr(progress, "asyncio", SimpleNamespace(sleep=note))
    assert seen(admin, job, key.key) == ["progress", "progress", "ended"]
    assert pauses == [0.5, 1, 2, 4, 5, 5, 0.5, 1]


def test_a_stream_too_many_is_told_and_a_client_that_leaves_makes_room(admin, job, monkeypatch):
    monkeypatch.setattr(progress, "MOST_STREAMS", 1)
    path, token = f"/v1/jobs/{job}/events", admin.tokens[Role.VIEWER]

    async def open_stream(leave: asyncio.Event, begun: asyncio.Event) -> list[dict]:
        """Ask the application itself, for a test client waits for the end of an answer before it shows it."""
        sent: list[dict] = []

        async def receive() -> dict:
            await leave.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            sent.append(message)
            if message.get("body"):
                begun.set()

        headers = [(b"authorization", f"Bearer {token}".encode())]
        scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"", "server": ("test", 80)}
        await admin.client.app(scope | {"scheme": "http", "http_version": "1.1", "root_path": ""}, receive, send)
        return sent

    async def ask() -> list[list[dict]]:
        leave, begun, stays = asyncio.Event(), asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(open_stream(leave, begun))
        await begun.wait()
        second = await open_stream(stays, asyncio.Event())
        leave.set()
        return [await first, second, await open_stream(leave, asyncio.Event())]

    first, second, third = asyncio.run(asyncio.wait_for(ask(), LIMIT_S))
    assert [answer[0]["status"] for answer in (first, second, third)] == [200, 503, 200]
    assert json.loads(second[1]["body"])["type"] == "urn:eartheye:problem:too-many-streams"
