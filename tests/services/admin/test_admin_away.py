"""Servers that are away: told, and nothing is lost."""

import socket

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from eartheye import settings
from eartheye.bus import Bus
from eartheye.contracts.messages import JOB_RESULTS, JobResult
from eartheye.database import connect
from eartheye.store import Folder
from eartheye.tracking import CHAMPION, register, resolve, set_alias
from services.admin.app import create_app
from services.admin.keys.store import create_key
from services.admin.platform import open_platform
from services.admin.roles import Role
from services.inference.config import PlannerConfig
from services.inference.planner import Planner
from tests.services.admin.conftest import embedded_parts
from tests.services.inference.place import write_package, write_scene
from tests.waiting import LIMIT_S


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("away")
    with embedded_parts(root):
        write_scene(root / "scene.tif")
        serving = Folder(root / "serving")
        package = write_package(serving)
        made = register("landcover", str(root / "model"), serving.root, package.digest, str(root / "report"), None)
        set_alias("landcover", CHAMPION, made.version)
        yield root


@pytest.fixture(scope="module")
def client(root):
    """Ask a service whose bus is a port where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = settings.load().model_copy(update={"kafka_bootstrap": f"127.0.0.1:{closed.getsockname()[1]}", "kafka_timeout_s": 1.0})
        with open_platform(dead) as platform, TestClient(create_app(platform), raise_server_exceptions=False) as client:
            client.headers["Authorization"] = f"Bearer {create_key(platform.engine, 'test', Role.OPERATOR, 'test').token}"
            yield client


def test_a_job_is_kept_while_the_bus_is_away(client, root):
    wanted = {"job": "patient", "scene": f"{root}/scene.tif", "model": "landcover", "output": f"{root}/maps/patient"}
    assert client.post("/v1/jobs", json=wanted).status_code == 202
    assert client.get("/v1/jobs/patient").json()["state"] == "asked"


def test_a_cancel_holds_while_the_bus_is_away_and_is_told_when_it_is_back(client):
    cancelled = client.post("/v1/jobs/patient/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert client.post("/v1/jobs/patient/cancel").json()["type"] == "urn:eartheye:problem:job-rests"
    with Bus(settings.load()) as bus, bus.replies(JOB_RESULTS, "patient", (JobResult,)) as replies:
        Planner(bus, connect(settings.load()), resolve, settings.load(), PlannerConfig()).see_to_jobs()
        assert (replies.next(LIMIT_S).state, client.get("/v1/jobs/patient").json()["state"]) == ("cancelled", "cancelled")


def test_a_redrive_holds_while_the_bus_is_away(client):
    redriven = client.post("/v1/jobs/patient/redrive")
    assert (redriven.status_code, redriven.json()["state"]) == (202, "asked")
    assert client.post("/v1/jobs/patient/redrive").json()["type"] == "urn:eartheye:problem:job-rests"


def test_health_names_the_server_that_is_away_while_the_service_is_ready(client):
    ready = client.get("/v1/health/ready", headers={"Authorization": ""})
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "database": True, "schema_current": True})
    answers = client.get("/v1/health/servers").json()
    words = {answer["server"]: answer["words"] for answer in answers}
    assert [server["server"] for server in answers if not server["ok"]] == ["bus"]
    assert "127.0.0.1" in words["bus"] or "no answer" in words["bus"]
    assert client.get("/v1/health/live").status_code == 200


def test_the_service_is_not_ready_on_a_schema_of_another_release_or_without_its_database(tmp_path):
    with (
        embedded_parts(tmp_path),
        open_platform(settings.load()) as platform,
        TestClient(create_app(platform), raise_server_exceptions=False) as asked,
    ):
        with platform.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'older'"))
        ready = asked.get("/v1/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "database": True, "schema_current": False})
        assert "eartheye_promotion_work_pending 0.0" in asked.get("/v1/metrics").text
        platform.engine.dispose()
        (tmp_path / "eartheye.db").write_bytes(b"no database" * 100)
        ready = asked.get("/v1/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "database": False, "schema_current": False})
        metrics = asked.get("/v1/metrics")
        assert (metrics.status_code, "eartheye_promotion_work_pending" in metrics.text) == (200, False)
        assert 'eartheye_admin_requests_total{method="GET",route="/v1/health/ready",status="503"}' in metrics.text
