"""What goes wrong is told in one form."""

import asyncio
import json

import pytest
from sqlalchemy.exc import OperationalError

from eartheye.errors import StoreFull
from services.admin.requests import BODY_LIMIT_BYTES

FIELDS = {"type", "title", "status", "detail", "instance", "request_id"}


def is_problem(response, status: int, slug: str) -> bool:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) >= FIELDS
    assert body["request_id"] == response.headers["x-request-id"]
    assert (body["type"], body["status"]) == (f"urn:eartheye:problem:{slug}", status)
    return True


def test_a_path_that_is_not_there(admin):
    assert is_problem(admin.ask("GET", "/v1/nothing"), 404, "not-found")


def test_a_method_that_a_path_does_not_have(admin):
    response = admin.ask("PUT", "/v1/metrics")
    assert is_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET"


def test_a_body_of_another_form_names_its_fields_and_not_their_values(admin):
    response = admin.ask("POST", "/v1/keys", json={"name": "x", "role": "emperor", "pass": "hunter2"})
    assert is_problem(response, 422, "invalid-request")
    assert {error["field"] for error in response.json()["errors"]} == {"body.role", "body.pass"}
    assert "hunter2" not in response.text


def test_a_body_that_is_no_json(admin):
    response = admin.ask("POST", "/v1/keys", content=b"{", headers={"Content-Type": "application/json"})
    assert is_problem(response, 422, "invalid-request")


def test_a_fault_tells_its_id_and_no_more(admin, monkeypatch):
    monkeypatch.setattr("services.admin.keys.routes.list_keys", lambda engine: 1 / 0)
    response = admin.ask("GET", "/v1/keys", headers={"X-Request-Id": "trace-7"})
    assert is_problem(response, 500, "fault")
    assert response.json()["request_id"] == "trace-7"
    assert "division" not in response.text


def test_a_body_of_100_mb_is_refused_before_it_is_read(admin):
    """Asked of the application itself: a test client would read the body by its own will."""
    sent = []

    async def receive():
        raise AssertionError("the body was read")

    async def send(message):
        sent.append(message)

    headers = [(b"content-length", str(100 * 1024 * 1024).encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/keys", "headers": headers, "query_string": b"", "server": ("test", 80)}
    asyncio.run(admin.client.app(scope | {"scheme": "http", "http_version": "1.1", "root_path": ""}, receive, send))
    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"])["type"] == "urn:eartheye:problem:body-too-large"


def test_a_database_that_is_away_is_no_fault(admin, monkeypatch):
    def away(engine):
        raise OperationalError("SELECT secret", {}, Exception("connection refused"))

    monkeypatch.setattr("services.admin.keys.routes.list_keys", away)
    response = admin.ask("GET", "/v1/keys")
    assert is_problem(response, 503, "database-unavailable")
    assert "secret" not in response.text


def test_a_full_store_is_told(admin, monkeypatch):
    def full(platform, job):
        raise StoreFull("no room in s3://work (quota): free space there")

    monkeypatch.setattr("services.admin.jobs.routes.cancel", full)
    response = admin.ask("POST", "/v1/jobs/any/cancel")
    assert is_problem(response, 507, "store-full")
    assert response.json()["detail"] == "no room in s3://work (quota): free space there"


def test_a_body_that_announces_no_length_is_cut_off(admin):
    response = admin.ask("POST", "/v1/keys", content=(bytes(64 * 1024) for _ in range(100)))
    assert is_problem(response, 413, "body-too-large")


@pytest.mark.parametrize("size", [BODY_LIMIT_BYTES, BODY_LIMIT_BYTES + 1])
def test_the_limit_is_exact(admin, size):
    response = admin.ask("POST", "/v1/keys", content=b" " * size, headers={"Content-Type": "application/json"})
    assert response.status_code == (422 if size == BODY_LIMIT_BYTES else 413)
