"""Promotion: the gate decides, the row is the decision, alias and deployment follow it."""

import threading

import pytest
from sqlalchemy.orm import Session

from eartheye import settings
from eartheye.bus import open_bus
from eartheye.contracts import GatePolicy
from eartheye.contracts.messages import PromotionRequest
from eartheye.database import connect
from eartheye.store import Folder
from eartheye.tracking import CHAMPION, PREVIOUS, alias_version, version_of
from pipelines.requests import request_promotion
from services.registry.gate import examine
from services.registry.service import Registry, run_registry
from services.registry.tables import Promotion
from services.stack.broker import API_VERSION, embedded_broker
from tests.services.registry_candidate import make_candidate, write_report

POLICY = GatePolicy(min_miou=0.5, max_loss_to_champion=0.05)


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(scope="module")
def broker():
    with embedded_broker() as address:
        yield address


@pytest.fixture(autouse=True)
def platform(mlflow, broker, tmp_path, monkeypatch):
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", mlflow)
    monkeypatch.setenv("EARTHEYE_DATABASE_URL", f"sqlite:///{tmp_path}/eartheye.db")
    monkeypatch.setenv("EARTHEYE_KAFKA_BOOTSTRAP", broker)
    monkeypatch.setenv("EARTHEYE_KAFKA_API_VERSION", str(list(API_VERSION)))
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


@pytest.fixture
def registry():
    with open_bus() as bus:
        yield Registry(bus, POLICY, connect())


def ask(model: str, version: int, request: str | None = None) -> PromotionRequest:
    return PromotionRequest(request=request or f"{model}-v{version}", model=model, version=version, asked_by="test")


def decision(registry: Registry, request: PromotionRequest) -> Promotion:
    registry.handle(request)
    with Session(connect(), expire_on_commit=False) as session:
        return session.get_one(Promotion, request.request)


def test_a_candidate_that_passes_becomes_the_champion(registry, tmp_path):
    made = make_candidate(tmp_path, "passes", 0.7)
    promotion = decision(registry, ask("passes", made.version))
    assert (promotion.granted, promotion.applied, promotion.previous) == (True, True, None)
    assert alias_version("passes", CHAMPION) == made.version
    assert "passed: golden tile on ONNX Runtime in the process: largest difference 0.0000" in promotion.reasons


def test_a_candidate_below_the_gate_is_refused_with_the_figure(registry, tmp_path):
    made = make_candidate(tmp_path, "weak", 0.3)
    promotion = decision(registry, ask("weak", made.version))
    assert not promotion.granted
    assert "failed: miou 0.300, at least 0.500 asked" in promotion.reasons
    assert alias_version("weak", CHAMPION) is None


def test_a_wrong_golden_tile_is_refused(registry, tmp_path):
    made = make_candidate(tmp_path, "wrong", 0.9, wrong_by=40)
    promotion = decision(registry, ask("wrong", made.version))
    assert not promotion.granted
    assert any("golden tile" in reason and reason.startswith("failed") for reason in promotion.reasons)


def test_the_champion_before_is_kept_as_previous(registry, tmp_path):
    first = make_candidate(tmp_path / "a", "successive", 0.7, seed="a")
    second = make_candidate(tmp_path / "b", "successive", 0.69, seed="b")
    registry.handle(ask("successive", first.version))
    registry.handle(ask("successive", second.version))
    assert (alias_version("successive", CHAMPION), alias_version("successive", PREVIOUS)) == (second.version, first.version)


def test_a_candidate_far_behind_the_champion_is_refused(registry, tmp_path):
    first = make_candidate(tmp_path / "a", "falling", 0.9, seed="a")
    second = make_candidate(tmp_path / "b", "falling", 0.6, seed="b")
    registry.handle(ask("falling", first.version))
    assert not decision(registry, ask("falling", second.version)).granted
    assert alias_version("falling", CHAMPION) == first.version


def test_champions_measured_on_other_tiles_are_not_compared(tmp_path):
    first = make_candidate(tmp_path / "a", "elsewhere", 0.9, seed="a")
    second = make_candidate(tmp_path / "b", "elsewhere", 0.6, seed="b")
    write_report(Folder(tmp_path / "a" / "report"), 0.9, split="other blocks")
    assert all(check.passed for check in examine(second, first, POLICY))


def test_asked_again_the_first_decision_stands(registry, tmp_path):
    made = make_candidate(tmp_path, "again", 0.7)
    first = decision(registry, ask("again", made.version))
    write_report(Folder(tmp_path / "report"), 0.1)
    assert decision(registry, ask("again", made.version)).decided_at == first.decided_at


def test_a_version_that_does_not_exist_is_refused_and_recorded(registry):
    promotion = decision(registry, ask("nobody", 7))
    assert (promotion.granted, promotion.reasons) == (False, ["failed: the registry has no version 7 of 'nobody'"])


def test_a_report_about_another_model_is_refused(registry, tmp_path):
    made = make_candidate(tmp_path, "borrowed", 0.9)
    write_report(Folder(tmp_path / "report"), 0.9, model_digest="e" * 64)
    assert "failed: report is about the exported model" in decision(registry, ask("borrowed", made.version)).reasons


def test_a_package_changed_after_registration_is_refused(registry, tmp_path):
    made = make_candidate(tmp_path, "changed", 0.9)
    path = tmp_path / "serving" / "serving.json"
    path.write_text(path.read_text().replace('"overlap": 0.25', '"overlap": 0.125'))
    assert "failed: serving package is the one that was registered" in decision(registry, ask("changed", made.version)).reasons


def test_what_was_granted_and_cut_off_is_healed_at_the_next_start(registry, tmp_path):
    made = make_candidate(tmp_path, "cut-off", 0.7)
    granted = registry._decide(ask("cut-off", made.version))
    with Session(connect()) as session, session.begin():
        session.add(granted)
    assert alias_version("cut-off", CHAMPION) is None
    registry.heal()
    assert alias_version("cut-off", CHAMPION) == made.version
    assert version_of("cut-off", made.version) == made


def test_a_promotion_asked_over_the_bus_is_answered_there(tmp_path):
    made = make_candidate(tmp_path, "over-the-bus", 0.7)
    stop = threading.Event()
    thread = threading.Thread(target=run_registry, args=(settings.load(), stop, POLICY))
    thread.start()
    try:
        result = request_promotion("over-the-bus", made.version, "test")
    finally:
        stop.set()
        thread.join()
    assert (result.granted, result.version) == (True, made.version)
    assert alias_version("over-the-bus", CHAMPION) == made.version
