"""Loops that stand still are named."""

import threading

import pytest

from eartheye.telemetry import Pulse


@pytest.fixture
def clock():
    """The time, s, as a list of one."""
    return [0.0]


@pytest.fixture
def pulse(clock):
    return Pulse(lambda: clock[0])


def test_a_loop_that_stands_still_is_named_until_it_turns(pulse, clock):
    with pulse.turning("quick", 10) as turned, pulse.turning("slow", 100):
        clock[0] = 10.0
        assert pulse.fault() is None
        clock[0] = 11.0
        assert pulse.fault() == "quick has not turned for 11 s"
        clock[0] = 101.0
        assert pulse.fault() == "quick has not turned for 101 s; slow has not turned for 101 s"
        turned()
        assert pulse.fault() == "slow has not turned for 101 s"


def test_before_the_first_loop_and_after_the_last_there_is_no_pulse(pulse):
    assert pulse.fault() == "no loop has begun"
    with pulse.turning("one", 10):
        assert pulse.fault() is None
    assert pulse.fault() == "no loop has begun"


def test_of_two_loops_of_one_name_each_counts(pulse, clock):
    with pulse.turning("worker", 10) as turned, pulse.turning("worker", 10):
        clock[0] = 11.0
        turned()
        assert pulse.fault() == "worker has not turned for 11 s"


def test_a_step_of_long_work_is_a_turn_of_the_loop_of_its_thread_alone(pulse, clock):
    pulse.advanced()
    with pulse.turning("planner", 10):
        clock[0] = 11.0
        elsewhere = threading.Thread(target=pulse.advanced)
        elsewhere.start()
        elsewhere.join()
        assert pulse.fault() == "planner has not turned for 11 s"
        pulse.advanced()
        assert pulse.fault() is None
