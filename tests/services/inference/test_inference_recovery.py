"""Messages that are lost and processes that are killed cost time, and nothing else."""

import datetime as dt
import signal
import subprocess
import time
from collections.abc import Iterator

import numpy as np
import pytest
import rasterio
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from eartheye.bus import Bus
from eartheye.contracts.messages import JOB_OUTCOMES, JOB_REQUESTS, JOB_RESULTS, JobResult
from eartheye.database import now
from eartheye.predictor import open_predictor
from eartheye.settings import Settings
from services.inference.config import PlannerConfig
from services.inference.service import run_assembler, run_planner
from services.inference.tables import Block
from services.inference.worker import Worker
from services.stack.broker import embedded_broker
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import QUICK, Place, running
from tests.services.inference.roles import inference_service
from tests.services.inference.slow_worker import start_slow_worker
from tests.waiting import LIMIT_S


def start_worker(settings: Settings) -> subprocess.Popen[bytes]:
    """Start a slow worker with the settings of a place."""
    return start_slow_worker(
        {
            "EARTHEYE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "EARTHEYE_KAFKA_API_VERSION": "[2, 3]",
            "EARTHEYE_ALLOWED_ROOTS": f'["{settings.allowed_roots[0]}"]',
            "EARTHEYE_JOB_WORK": settings.job_work,
            "EARTHEYE_PREDICTOR_THREADS": "1",
        }
    )


def blocks_ended(place: Place) -> int:
    return len(list(place.root.glob("work/*/outcomes/*.json")))


def test_a_killed_worker_leaves_a_job_that_another_finishes_with_the_same_map(own_place):
    config = PlannerConfig(block_px=64, tick_s=0.05, resend_s=3)
    planner = lambda stop: run_planner(own_place.settings, stop, own_place.resolve, config)  # noqa: E731
    with (
        Bus(own_place.settings) as bus,
        running(planner),
        running(lambda stop: run_assembler(own_place.settings, stop)),
        bus.replies(JOB_RESULTS, "killed", (JobResult,)) as replies,
    ):
        bus.publish(JOB_REQUESTS, "killed", own_place.request("killed"))
        workers = [start_worker(own_place.settings)]
        try:
            while blocks_ended(own_place) < 3:
                assert workers[0].poll() is None
                time.sleep(0.05)
            workers[0].send_signal(signal.SIGKILL)
            workers[0].wait(LIMIT_S)
            caught = blocks_ended(own_place)
            workers.append(start_worker(own_place.settings))
            result = replies.next(LIMIT_S)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait(LIMIT_S)
    assert caught < 12
    assert (result.state, result.blocks_done, result.blocks_empty) == ("done", 11, 1)
    with rasterio.open(own_place.root / "maps" / "killed" / "map.tif") as map_:
        np.testing.assert_array_equal(map_.read(1), own_place.one_pass())


@pytest.fixture
def bus(own_place: Place) -> Iterator[Bus]:
    with Bus(own_place.settings) as bus:
        yield bus


class LossyBus(Bus):
    """A real bus that forgets every second outcome, as a broker does that runs out of memory."""

    outcomes = 0

    def publish(self, topic, key, message):
        if topic == JOB_OUTCOMES:
            self.outcomes += 1
            if self.outcomes % 2:
                return
        super().publish(topic, key, message)


def test_outcomes_whose_messages_were_lost_are_found_in_the_folder_of_the_plan(own_place, bus):
    by_hand = ByHand(own_place, bus, PlannerConfig(block_px=64, resend_s=0.001))
    by_hand.ask(own_place.request("lossy"))
    for task in by_hand.sent():
        Worker(LossyBus(own_place.settings), own_place.settings, open_predictor).handle(task)
    by_hand.planner.see_to_jobs()
    assert sorted(set(by_hand.states("lossy"))) == ["done", "empty"]
    assert by_hand.finish("lossy").state == "done"


def test_a_service_whose_broker_loses_outcomes_finishes_all_the_same(own_place, monkeypatch):
    monkeypatch.setattr("services.inference.service.open_bus", LossyBus)
    with (
        Bus(own_place.settings) as bus,
        inference_service(own_place.settings, own_place.resolve, open_predictor, PlannerConfig(block_px=64, tick_s=0.05, resend_s=1)),
        bus.replies(JOB_RESULTS, "lossy", (JobResult,)) as replies,
    ):
        bus.publish(JOB_REQUESTS, "lossy", own_place.request("lossy"))
        assert replies.next(LIMIT_S).state == "done"


def test_a_block_sent_twice_is_mapped_once(own_place, bus):
    calls = []

    def open_noted(*arguments):
        predict = open_predictor(*arguments)
        return lambda images: calls.append(len(images)) or predict(images)

    by_hand = ByHand(own_place, bus, predictors=open_noted)
    by_hand.ask(own_place.request("twice"))
    task = by_hand.sent()[-1]
    by_hand.work(task)
    mapped = len(calls)
    assert mapped > 0
    by_hand.work(task)
    assert len(calls) == mapped


def test_a_planner_that_starts_again_goes_on_with_its_jobs(own_place, bus):
    first = ByHand(own_place, bus, QUICK.model_copy(update={"outstanding": 8}))
    first.ask(own_place.request("resumed"))
    for task in first.sent()[:5]:
        first.work(task)
    second = ByHand(own_place, bus)
    assert second.states("resumed").count("done") >= 4
    result = second.finish("resumed")
    assert (result.state, result.blocks_done) == ("done", 11)


def test_a_service_that_starts_with_a_new_broker_sends_again_what_the_old_one_took_with_it(own_place, bus):
    before = ByHand(own_place, bus)
    before.ask(own_place.request("moved"))
    before.work(before.sent()[1])
    with embedded_broker() as address:
        settings = own_place.settings.model_copy(update={"kafka_bootstrap": address})
        with (
            Bus(settings) as new_bus,
            new_bus.replies(JOB_RESULTS, "moved", (JobResult,)) as replies,
            inference_service(settings, own_place.resolve, open_predictor, PlannerConfig(block_px=64)),
        ):
            assert replies.next(LIMIT_S).state == "done"


def test_a_job_that_was_noted_and_not_planned_is_planned_by_the_next_planner(own_place, bus):
    ByHand(own_place, bus).planner.handle(own_place.request("noted"))
    assert ByHand(own_place, bus).finish("noted").state == "done"


def test_tables_that_are_lost_are_made_again_from_the_folder_of_the_plan(own_place, bus):
    by_hand = ByHand(own_place, bus)
    by_hand.ask(own_place.request("forgotten"))
    for task in by_hand.sent():
        by_hand.work(task)
    (own_place.root / "jobs.db").unlink()
    calls = []
    again = ByHand(own_place, bus, predictors=lambda *arguments: calls.append(arguments))
    again.ask(own_place.request("forgotten"))
    assert again.finish("forgotten").state == "done"
    assert calls == []


def test_blocks_that_stand_behind_others_are_sent_again_only_when_those_are_through(own_place, bus):
    by_hand = ByHand(own_place, bus)
    by_hand.ask(own_place.request("queue"))
    first, second, *others = (task.block for task in by_hand.sent())

    def look(**ages_s: float) -> dict[str, int]:
        """Let the planner look when a block, or all others, were sent so long ago; return how often each was sent."""
        with Session(by_hand.engine) as session, session.begin():
            for block in session.scalars(select(Block)):
                block.sent_at = now() - dt.timedelta(seconds=ages_s.get(block.block, ages_s["others"]))
        by_hand.planner.see_to_jobs()
        with Session(by_hand.engine) as session:
            return {block.block: block.sendings for block in session.scalars(select(Block))}

    by_hand.work(by_hand.sent()[0])
    behind = look(others=3 * QUICK.resend_s)
    assert set(behind.values()) == {1}  # the first came back just now
    overtaken = look(**{first: 3 * QUICK.resend_s, second: 5 * QUICK.resend_s}, others=3 * QUICK.resend_s)
    assert overtaken == behind | {second: 2}
    with Session(by_hand.engine) as session, session.begin():
        session.execute(update(Block).where(Block.block == first).values(ended_at=now() - dt.timedelta(seconds=2 * QUICK.resend_s)))
    silent = look(others=3 * QUICK.resend_s)
    assert silent == overtaken | {second: 3} | dict.fromkeys(others, 2)
