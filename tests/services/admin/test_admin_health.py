"""Health while a server hangs: it accepts the connection and never answers."""

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import anyio.to_thread
import httpx
import pytest
from kafka import KafkaConsumer

from eartheye import settings
from eartheye.bus.connection import client_options
from eartheye.errors import DatabaseUnavailable
from services.admin.app import create_app
from services.admin.health.probes import Probes
from services.admin.platform import Platform, open_platform
from services.admin.probe import Probe
from tests.services.admin.conftest import embedded_parts
from tests.waiting import LIMIT_S


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A socket that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
def platform(mute, tmp_path, monkeypatch) -> Iterator[Platform]:
    """A platform whose object store hangs."""
    monkeypatch.setenv("EARTHEYE_S3_ENDPOINT", f"127.0.0.1:{mute.getsockname()[1]}")
    with embedded_parts(tmp_path):
        monkeypatch.setenv("EARTHEYE_JOB_WORK", "s3://maps/work")
        with open_platform(settings.load()) as platform:
            yield platform


def test_a_server_that_hangs_is_asked_by_one_thread_until_it_answers(mute):
    def question() -> bytes:
        with socket.create_connection(mute.getsockname()) as asking:
            return asking.recv(2)

    probe = Probe(question, limit_s=0.05)
    first = probe.ask()
    assert not first.wait()
    assert all(probe.ask() is first for _ in range(50))
    answering, _ = mute.accept()
    with pytest.raises(BlockingIOError):
        mute.accept()
    answering.sendall(b"ok")
    answering.close()
    assert first.answer.result(LIMIT_S) == b"ok"
    assert probe.ask() is not first


def test_a_fresh_answer_is_given_again():
    questions = []
    probe = Probe(lambda: questions.append("?"), limit_s=60, fresh_s=3600)
    assert probe.ask().wait()
    assert probe.ask() is probe.ask()
    assert questions == ["?"]


def test_an_answer_that_came_late_is_fresh_from_when_it_came(monkeypatch):
    clock, goes_on = [0.0], threading.Event()
    monkeypatch.setattr("services.admin.probe.time", SimpleNamespace(monotonic=lambda: clock[0]))
    probe = Probe(goes_on.wait, limit_s=0, fresh_s=10)
    first = probe.ask()
    clock[0] = 100.0
    goes_on.set()
    assert first.answer.result(LIMIT_S)
    assert probe.ask() is first
    clock[0] = 110.0
    assert probe.ask() is not first


def test_a_store_that_hangs_is_named_with_its_time_and_the_service_is_ready(platform):
    probes = Probes(platform)
    for answers in (probes.ask(), probes.ask()):
        store = next(answer for answer in answers if answer.server == "store")
        assert not store.ok
        assert f"at {platform.settings.s3_endpoint} does not answer since 20" in store.words
    assert asyncio.run(probes.ready()).ready


def test_to_ask_after_the_bus_makes_no_topic_on_it(platform):
    bus = next(answer for answer in Probes(platform).ask() if answer.server == "bus")
    assert (bus.ok, bus.words) == (True, f"Kafka at {platform.settings.kafka_bootstrap}")
    with closing(KafkaConsumer(**client_options(platform.settings))) as consumer:
        assert consumer.topics() == set()


def test_a_database_that_is_away_is_an_answer_and_no_fault_in_the_log(platform, monkeypatch):
    def away(_engine):
        raise DatabaseUnavailable("PostgreSQL does not answer")

    async def ask() -> tuple[bool, list[str]]:
        complaints = list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["message"]))
        answer = await Probes(platform).ready()
        gc.collect()
        return answer.ready, complaints

    monkeypatch.setattr("services.admin.health.probes.status", away)
    assert asyncio.run(ask()) == (False, [])


def test_live_and_ready_answer_while_every_thread_of_the_requests_hangs(platform):
    async def ask() -> list[int]:
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = 1
        async with limiter, httpx.AsyncClient(transport=httpx.ASGITransport(create_app(platform)), base_url="http://admin") as client:
            return [(await client.get(f"/v1/health/{question}")).status_code for question in ("live", "ready")]

    assert asyncio.run(asyncio.wait_for(ask(), 60)) == [200, 200]
