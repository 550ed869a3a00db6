"""Services as threads of one process."""

import threading

import pytest

from eartheye.errors import DatabaseUnavailable, NoReply
from eartheye.settings import Settings
from services.together import together
from tests.waiting import LIMIT_S


def until_told(_settings, stop):
    stop.wait()


def broken(_settings, _stop):
    raise DatabaseUnavailable("the database is a folder")


def test_services_run_for_the_length_of_a_block_with_its_settings():
    seen, ended, stop = [], [], threading.Event()

    def note(settings, stop):
        seen.append(settings)
        stop.wait()
        ended.append(settings)

    settings = Settings(metrics_port=0)
    with together({"first": note, "second": note}, settings, stop):
        assert not stop.is_set()
        assert ended == []
    assert seen == ended == [settings, settings]


def test_when_one_ends_all_do_and_the_block_can_see_it():
    stop = threading.Event()
    with pytest.raises(DatabaseUnavailable), together({"planner": broken, "worker": until_told}, Settings(), stop):
        assert stop.wait(LIMIT_S)


def test_why_a_service_ended_is_told_in_place_of_what_the_block_missed():
    def ask():
        stop.wait(LIMIT_S)
        raise NoReply("no answer in time")

    stop = threading.Event()
    with pytest.raises(DatabaseUnavailable) as told, together({"planner": broken, "worker": until_told}, Settings(), stop):
        ask()
    assert isinstance(told.value.__context__, NoReply)


def test_what_a_block_raises_beside_services_that_work_is_its_own():
    with pytest.raises(NoReply), together({"worker": until_told}, Settings(), threading.Event()):
        raise NoReply("no answer in time")
