"""The admin service's own questions, on SQLite and on PostgreSQL."""

import datetime as dt

import pytest
from sqlalchemy.orm import Session

from eartheye.database import connect, now
from eartheye.errors import NotSignedIn
from eartheye.settings import Settings
from services.admin.jobs.queries import list_jobs
from services.admin.keys.store import check_token, create_first_key, create_key, key_in_force, revoke_key
from services.admin.roles import Role
from services.inference.tables import Job
from services.schema.migrate import upgrade

REQUEST = {"kind": "job-request/1", "scene": "scene.tif", "model": "landcover", "output": "map"}


@pytest.fixture
def engine(database_url):
    engine = connect(Settings(database_url=database_url))
    upgrade(engine)
    yield engine
    engine.dispose()


def test_the_first_key_is_given_once_and_revoked_for_good(engine):
    first = create_first_key(engine)
    assert first is not None
    assert (check_token(engine, first.token).role, create_first_key(engine)) == ("admin", None)
    assert (first.key.expires_at - first.key.created_at).days == 7
    revoke_key(engine, first.key.key)
    with pytest.raises(NotSignedIn, match="revoked"):
        check_token(engine, first.token)
    assert key_in_force(engine, first.key.key) is None
    assert create_first_key(engine) is None


def test_a_key_ends_when_its_time_is_over(engine):
    made = create_key(engine, "short", Role.VIEWER, "test", dt.timedelta(seconds=-1))
    with pytest.raises(NotSignedIn, match="expired"):
        check_token(engine, made.token)
    assert key_in_force(engine, made.key.key) is None


def test_pages_of_jobs_follow_each_other_whatever_the_time_zone(engine):
    moment = now()
    with Session(engine) as session, session.begin():
        for number in range(5):
            asked_at = moment + dt.timedelta(seconds=number // 2)
            session.add(Job(job=f"j{number}", request=REQUEST | {"job": f"j{number}"}, asked_at=asked_at))
    first = list_jobs(engine, 2)
    second = list_jobs(engine, 2, after=first.next)
    third = list_jobs(engine, 2, after=second.next)
    assert [[job.job for job in page.jobs] for page in (first, second, third)] == [["j4", "j3"], ["j2", "j1"], ["j0"]]
    assert third.next is None
