"""Requests and pages while the object store hangs: it accepts connections and never answers."""

import asyncio
import socket
from asyncio import to_thread
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from eartheye import settings
from eartheye.database import now
from eartheye.store import patience
from services.admin.app import create_app
from services.admin.keys.store import create_key
from services.admin.platform import open_platform
from services.admin.requests import Hurry
from services.admin.roles import Role
from services.inference.tables import Job
from tests.services.admin.conftest import embedded_parts

SHORT = patience.Patience(silence_s=1, repeats=1, attempts=2)
REQUEST = {"job": "done", "scene": "s3://maps/scene.tif", "model": "landcover", "output": "s3://maps/done"}


@pytest.fixture
def client(tmp_path, monkeypatch) -> Iterator[TestClient]:
    monkeypatch.setattr(patience, "HURRIED", SHORT)
    with socket.create_server(("127.0.0.1", 0)) as mute, embedded_parts(tmp_path):
        monkeypatch.setenv("EARTHEYE_S3_ENDPOINT", f"127.0.0.1:{mute.getsockname()[1]}")
        monkeypatch.setenv("EARTHEYE_ALLOWED_ROOTS", '["s3://maps"]')
        settings.load.cache_clear()
        with open_platform(settings.load()) as platform, TestClient(create_app(platform), raise_server_exceptions=False) as client:
            with Session(platform.engine) as session, session.begin():
                session.add(Job(job="done", request=REQUEST, output="s3://maps/done", state="done", asked_at=now()))
            client.headers["Authorization"] = f"Bearer {create_key(platform.engine, 'test', Role.VIEWER, 'test').token}"
            yield client


def test_what_lies_in_the_store_is_a_problem_that_names_it(client):
    paths = (
        "/v1/datasets",
        "/v1/datasets/geojson?folder=s3://maps/sites",
        "/v1/datasets/tiles?folder=s3://maps/tiles",
        "/v1/datasets/tiles/0/picture?folder=s3://maps/tiles",
        "/v1/jobs/done/result",
        "/v1/jobs/done/files/map.tif",
        "/v1/jobs/done/tiles/3/1/2",
    )
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = list(pool.map(client.get, paths))
    assert {(each.status_code, each.json()["type"]) for each in answers} == {(503, "urn:eartheye:problem:store-unavailable")}
    assert all(f"the object store {settings.load().s3_endpoint} does not answer" in each.json()["detail"] for each in answers)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_what_a_request_or_a_web_socket_begins_is_in_a_hurry_and_nothing_else(kind):
    found = []

    async def app(_scope, _receive, _send) -> None:
        found.append(await asyncio.create_task(to_thread(patience.patience)))

    asyncio.run(Hurry(app)({"type": kind}, None, None))
    assert (found, patience.patience()) == ([patience.HURRIED], patience.PATIENT)
