"""Settings: read from the environment, malformed ones told."""

import pytest

from eartheye import settings
from eartheye.errors import InvalidSettings
from eartheye.gate import GatePolicy


@pytest.fixture(autouse=True)
def read_anew():
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


def test_the_gate_is_set_in_parts(monkeypatch):
    monkeypatch.setenv("EARTHEYE_GATE", '{"min_miou": 0.3}')
    assert settings.load().gate == GatePolicy(min_miou=0.3)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("EARTHEYE_GATE", '{"min_miuo": 0.3}', "GATE.min_miuo: Extra inputs"),
        ("EARTHEYE_GATE", '{"min_miou": 3}', "GATE.min_miou: Input should be less than"),
        ("EARTHEYE_ALLOWED_ROOTS", "/data", "allowed_roots.*written as JSON"),
        ("EARTHEYE_PREDICTOR", "triton", "EARTHEYE_TRITON_REPOSITORY"),
    ],
)
def test_a_value_that_cannot_work_is_told(monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=f"(?i){words}"):
        settings.load()
