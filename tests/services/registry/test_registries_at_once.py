"""Several registries on one database, and what they stand on going away: on SQLite and on PostgreSQL."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import make_url

from components.deployer.run import Deployment
from eartheye.bus import open_bus
from eartheye.contracts import GatePolicy
from eartheye.database import connect
from eartheye.errors import TrackingUnavailable
from eartheye.settings import Settings
from eartheye.turn import turn
from services.registry import outbox, service
from services.registry.decide import BY_CALL
from services.registry.record import new_decision, record
from services.registry.service import Registry
from services.registry.standing import decision_on, standing
from services.schema.migrate import upgrade
from services.stack.broker import API_VERSION, embedded_broker
from tests.waiting import wait_until

MODELS = ("buildings", "landcover", "roads", "water")
HOLDER = """
import sys, time
from eartheye.database import connect
from eartheye.settings import Settings
from eartheye.turn import turn

with turn(connect(Settings(database_url=sys.argv[1])), "registry") as ours:
    print(ours, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def broker():
    with embedded_broker() as address:
        yield address


@pytest.fixture
def settings(database_url, broker):
    made = Settings(database_url=database_url, kafka_bootstrap=broker, kafka_api_version=API_VERSION)
    upgrade(connect(made))
    return made


@pytest.fixture
def engine(settings):
    engine = connect(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def world(monkeypatch):
    """What the registries move, in place of a server and of MLflow: what is deployed, and by how many at once."""
    moved = World()
    monkeypatch.setattr(service, "TICK_S", 0.02)
    monkeypatch.setattr(service, "PAUSE_S", 0.05)
    monkeypatch.setattr(service, "reconcile", lambda *_: moved.look())
    monkeypatch.setattr(outbox, "registered_version", lambda *_: None)
    monkeypatch.setattr(outbox, "registered_serving", lambda *_: None)
    monkeypatch.setattr(outbox, "deploy", moved.deploy)
    monkeypatch.setattr(outbox, "move_aliases", lambda *_: moved.reach_mlflow())
    monkeypatch.setattr(outbox, "tag_version", lambda *_: None)
    return moved


class World:
    def __init__(self):
        self.lock, self.deployed, self.at_work, self.most_at_work = threading.Lock(), [], 0, 0
        self.away, self.meanwhile = False, lambda: None

    def look(self):
        self.reach_mlflow()

    def reach_mlflow(self):
        if self.away:
            raise TrackingUnavailable("MLflow is away")

    def deploy(self, _, model, version):
        with self.lock:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        self.meanwhile()
        time.sleep(0.02)  # long enough for another to begin, if it may
        with self.lock:
            self.at_work -= 1
            self.deployed.append((model, version))
        return Deployment("a server", 0.0)


@contextmanager
def running(settings, number):
    """Run registries, each with its own connections, as separate processes have."""
    stop = threading.Event()
    with open_bus(settings) as bus:
        registries = [Registry(bus, GatePolicy(), connect(settings)) for _ in range(number)]
        threads = [threading.Thread(target=registry.run, args=(stop,)) for registry in registries]
        for thread in threads:
            thread.start()
        try:
            yield registries
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def decide(engine, model, version):
    """Grant a promotion without asking a gate."""
    seen = standing(engine, model)
    return record(engine, seen, new_decision(seen, "promotion", version, "pending", [], asked_by="test"), BY_CALL.granted)


def test_one_at_a_time_has_the_turn(settings, engine):
    other = connect(settings)
    with turn(engine, "registry") as first, turn(other, "registry") as second:
        assert (first, second) == (True, False)
    with turn(other, "registry") as second, turn(engine, "registry") as first:
        assert (first, second) == (False, True)
    other.dispose()


def test_a_block_that_fails_gives_the_turn_back(engine):
    with pytest.raises(RuntimeError, match="in the block"), turn(engine, "registry"):
        raise RuntimeError("in the block")
    with turn(engine, "registry") as ours:
        assert ours


def test_the_turn_of_a_killed_process_is_free(settings, engine):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, settings.database_url], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "True\n"
        with turn(engine, "registry") as ours:
            assert not ours
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()

    def free():
        with turn(engine, "registry") as ours:
            return ours

    wait_until(free)  # PostgreSQL sees the end of a connection a moment later


def test_two_registries_do_each_piece_of_work_once_and_one_at_a_time(settings, engine, world):
    with running(settings, 2):
        for version in (1, 2, 3):
            made = [decide(engine, model, version) for model in MODELS]
            wait_until(lambda made=made: all(decision_on(engine, each.request).state == "applied" for each in made))
        wait_until(lambda: all(standing(engine, model).followed for model in MODELS))
    assert sorted(world.deployed) == [(model, version) for model in MODELS for version in (1, 2, 3)]
    assert world.most_at_work == 1
    assert {(standing(engine, model).champion, standing(engine, model).previous) for model in MODELS} == {(3, 2)}


def test_while_another_has_the_turn_decisions_wait_and_are_followed_after_it(settings, engine, world):
    with turn(engine, "registry") as ours, running(settings, 1):
        assert ours
        made = decide(engine, "landcover", 1)
        time.sleep(0.2)
        assert decision_on(engine, made.request).state == "pending"
    assert world.deployed == []
    with running(settings, 1):
        wait_until(lambda: decision_on(engine, made.request).state == "applied")


def test_mlflow_that_is_down_for_long_is_waited_for(settings, engine, world):
    world.away = True
    with running(settings, 1):
        made = decide(engine, "landcover", 1)
        wait_until(lambda: standing(engine, "landcover").trouble == "MLflow is away")
        assert world.deployed == [("landcover", 1)]
        world.away = False
        wait_until(lambda: decision_on(engine, made.request).state == "applied")


def test_a_database_that_restarts_in_the_middle_of_a_piece_of_work_is_found_again(settings, engine, world):
    if engine.dialect.name == "sqlite":
        return  # it is a file

    def cut_off():
        world.meanwhile = lambda: None
        with engine.begin() as connection:
            others = "pid <> pg_backend_pid() AND datname = current_database()"
            assert connection.exec_driver_sql(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}").scalar() > 0

    world.meanwhile = cut_off
    with running(settings, 2):
        made = decide(engine, "landcover", 1)
        wait_until(lambda: decision_on(engine, made.request).state == "applied")
        wait_until(lambda: standing(engine, "landcover").followed)


@pytest.mark.parametrize("trouble", ["refused", "wrong password"])
def test_a_database_that_went_away_is_found_again(settings, engine, world, new_postgres, trouble, monkeypatch):
    broken = make_url(new_postgres()).set(username="nobody-of-that-name", password="secret")
    if trouble == "refused":
        broken = make_url("postgresql+psycopg://eartheye:secret@127.0.0.1:1/eartheye")
    told = []
    monkeypatch.setattr(service.log, "warning", lambda event, **_: told.append(event))
    with running(settings, 1) as (registry,):
        decide(engine, "landcover", 1)
        wait_until(lambda: standing(engine, "landcover").followed)
        whole, registry._engine = registry._engine, connect(Settings(database_url=broken.render_as_string(hide_password=False)))
        wait_until(lambda: len(told) > 2)
        repeated = told[1:3]  # the first look may have begun on the whole one
        made = decide(engine, "landcover", 2)
        registry._engine = whole
        wait_until(lambda: decision_on(engine, made.request).state == "applied")
    assert len(set(repeated)) == 1  # so the log tells it once in a while
    assert "EARTHEYE_DATABASE_URL" in repeated[0]
    assert "secret" not in repeated[0]
