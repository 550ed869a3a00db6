"""A model that its inference server does not run: waited for, but not at the cost of other jobs."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from eartheye.bus import Bus
from eartheye.contracts.messages import JOB_REQUESTS, JOB_RESULTS, JobResult
from eartheye.errors import NotDeployed, PredictorSilent
from eartheye.predictor import open_predictor
from eartheye.store import Folder
from services.inference import patience
from services.inference.outcomes import read_outcome
from tests.services.inference.by_hand import ByHand
from tests.services.inference.place import QUICK, Place
from tests.services.inference.roles import inference_service
from tests.waiting import LIMIT_S


@pytest.fixture
def bus(own_place: Place):
    with Bus(own_place.settings) as bus:
        yield bus


def not_deployed(*arguments):
    raise NotDeployed("Triton cannot run 'landcover-v1' (not found): deploy the model again")


def test_a_model_that_triton_lost_is_waited_for_while_it_may_come_back(own_place, bus, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    by_hand = ByHand(own_place, bus, predictors=not_deployed)
    by_hand.ask(own_place.request("gone"))
    first, second, third, *_ = by_hand.sent()
    for clock[0] in (0.0, 150.0, patience.PATIENCE_S - 1):
        with pytest.raises(NotDeployed):
            by_hand.worker.handle(first)
    assert read_outcome(Folder(first.work), first.block) is None
    for clock[0], task in ((patience.PATIENCE_S, first), (patience.PATIENCE_S + 1, second)):
        by_hand.worker.handle(task)
        outcome = read_outcome(Folder(task.work), task.block)
        assert (outcome.state, outcome.reason) == ("failed", "Triton cannot run 'landcover-v1' (not found): deploy the model again")
    clock[0] += patience.FORGOTTEN_S + 1
    with pytest.raises(NotDeployed):
        by_hand.worker.handle(third)


def test_a_triton_that_does_not_answer_is_waited_for_without_an_end(own_place, bus, monkeypatch):
    def silent(*arguments):
        raise PredictorSilent("Triton does not answer")

    monkeypatch.setattr(patience, "PATIENCE_S", 0.0)
    by_hand = ByHand(own_place, bus, predictors=silent)
    by_hand.ask(own_place.request("patient"))
    for _ in range(7):
        with pytest.raises(PredictorSilent):
            by_hand.worker.handle(by_hand.sent()[0])
    assert read_outcome(Folder(by_hand.sent()[0].work), by_hand.sent()[0].block) is None


def test_a_version_that_nobody_deploys_any_more_does_not_hold_up_other_jobs(own_place, bus, monkeypatch):
    def open_newer(serving, package, name, version):
        return open_predictor(serving, package, name, version) if version == 2 else not_deployed()

    own_place.models["landcover", "newer"] = replace(own_place.models["landcover", "champion"], version=2)
    monkeypatch.setattr(patience, "PATIENCE_S", 0.5)
    with (
        inference_service(own_place.settings, own_place.resolve, open_newer, QUICK),
        bus.replies(JOB_RESULTS, "gone", (JobResult,)) as gone,
        bus.replies(JOB_RESULTS, "newer", (JobResult,)) as newer,
    ):
        bus.publish(JOB_REQUESTS, "gone", own_place.request("gone"))
        bus.publish(JOB_REQUESTS, "newer", own_place.request("newer", alias="newer"))
        assert newer.next(LIMIT_S).state == "done"
        result = gone.next(LIMIT_S)
    assert (result.state, result.blocks_failed) == ("failed", 12)
    assert "12 of 12 blocks failed, first r0000c0000: Triton cannot run 'landcover-v1'" in result.reason
