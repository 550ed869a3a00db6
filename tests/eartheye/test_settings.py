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
        ("EARTHEYE_KAFKA_BOOTSTRP", "kafka:9092", "EARTHEYE_KAFKA_BOOTSTRP is no setting: did you mean EARTHEYE_KAFKA_BOOTSTRAP"),
        ("EARTHEYE_COLOUR", "green", "EARTHEYE_COLOUR is no setting: remove it"),
    ],
)
def test_a_value_that_cannot_work_is_told(monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=f"(?i){words}"):
        settings.load()


def test_a_name_that_is_misspelt_in_the_file_is_told_and_those_of_others_are_let_be(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("AWS_REGION=eu\nEARTHEYE_S3_ENDPOINT=minio:9000\n")
    assert settings.load().s3_endpoint == "minio:9000"
    settings.load.cache_clear()
    (tmp_path / ".env").write_text("EARTHEYE_S3_ENDPONT=minio:9000\n")
    with pytest.raises(InvalidSettings, match="did you mean EARTHEYE_S3_ENDPOINT"):
        settings.load()
