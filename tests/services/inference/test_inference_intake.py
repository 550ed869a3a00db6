"""What messages change in the tables, on SQLite and on PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from eartheye.contracts.messages import JobRequest
from eartheye.database import connect
from eartheye.errors import NameTaken
from eartheye.settings import Settings
from services.inference.intake import note_request
from services.inference.tables import Job, hold_job
from services.schema.migrate import upgrade
from tests.services.inference.at_once import meet_before
from tests.waiting import LIMIT_S


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(Settings(database_url=database_url))
    upgrade(engine)
    yield engine
    engine.dispose()


def request(job: str, output: str = "map") -> JobRequest:
    return JobRequest(job=job, scene="scene.tif", model="landcover", output=output)


def note(engine: Engine) -> Callable[[JobRequest], str]:
    def noted(wanted: JobRequest) -> str:
        try:
            with Session(engine) as session, session.begin():
                note_request(session, wanted)
        except NameTaken:
            return "name taken"
        return "noted"

    return noted


def test_the_same_request_noted_twice_at_once_is_one_job(engine):
    with meet_before(engine, "INSERT INTO jobs", 2), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(note(engine), [request("harbour")] * 2)) == ["noted"] * 2
    with Session(engine) as session:
        assert [(job.job, job.state) for job in session.scalars(select(Job))] == [("harbour", "asked")]


def test_a_job_that_somebody_holds_is_seen_by_the_next_as_it_was_left(engine):
    note(engine)(request("harbour"))
    waits = threading.Event()

    def move_on() -> str | None:
        with Session(engine) as session, session.begin():
            session.get_one(Job, "harbour")
            waits.set()
            held = hold_job(session, "harbour", "asked")
            return held and held.state

    with ThreadPoolExecutor(1) as pool:
        with Session(engine) as session, session.begin():
            held = hold_job(session, "harbour", "asked")
            assert held is not None
            second = pool.submit(move_on)
            assert waits.wait(LIMIT_S)
            held.state = "cancelled"
        assert second.result(LIMIT_S) is None


def test_of_two_requests_with_one_name_at_once_the_second_is_told(engine):
    with meet_before(engine, "INSERT INTO jobs", 2), ThreadPoolExecutor(2) as pool:
        told = list(pool.map(note(engine), [request("harbour", "one"), request("harbour", "other")]))
    assert sorted(told) == ["name taken", "noted"]
    with Session(engine) as session:
        assert session.get_one(Job, "harbour").request["output"] == ("one", "other")[told.index("noted")]
