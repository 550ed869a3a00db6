"""A registry that works through much, a piece after the other, lives."""

import pytest

from eartheye.telemetry import Pulse
from services.registry import outbox, reconcile
from services.registry.decide import promote
from services.registry.service import TURN_S
from tests.services.registry.promoting import POLICY


class SlowPulse(Pulse):
    """The pulse of a loop each of whose pieces takes nearly as long as a turn may."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.faults: list[str | None] = []
        super().__init__(lambda: self.now_s)

    def slow(self, piece):
        """Return a function that takes so long."""

        def slow_piece(*given):
            self.now_s += TURN_S * 0.9
            self.faults.append(self.fault())
            return piece(*given)

        return slow_piece


@pytest.fixture
def pulse(monkeypatch):
    pulse = SlowPulse()
    for module in (outbox, reconcile):
        monkeypatch.setattr(module, "PULSE", pulse)
    with pulse.turning("registry", TURN_S):
        yield pulse


def test_many_models_are_looked_after_one_by_one(engine, pulse, monkeypatch):
    monkeypatch.setattr(reconcile, "aliases_of_models", lambda: {f"model-{number}": {} for number in range(4)})
    monkeypatch.setattr(reconcile, "standing", pulse.slow(reconcile.standing))
    reconcile.reconcile(engine, POLICY)
    assert pulse.faults == [None] * 4


def test_what_follows_decisions_is_done_piece_by_piece(engine, model, versions, pulse, monkeypatch):
    monkeypatch.setattr(outbox, "_note", pulse.slow(outbox._note))
    for version in versions[:2]:
        promote(engine, model, version, asked_by="test", policy=POLICY, expected_champion=None)
        assert outbox.work_through(engine)
    assert len(pulse.faults) >= 4
    assert not any(pulse.faults)
