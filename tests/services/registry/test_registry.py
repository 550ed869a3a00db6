"""Promotion asked over the bus: the gate decides, deployment and aliases follow, the answer tells how it went."""

import json
import threading

import pytest

from eartheye import settings
from eartheye.bus import open_bus
from eartheye.bus.wire import Reader, Unreadable
from eartheye.contracts import GatePolicy
from eartheye.contracts.messages import PROMOTION_RESULTS, PromotionRequest, PromotionResult
from eartheye.database import connect
from eartheye.errors import InvalidConfig
from eartheye.settings import Settings
from eartheye.store import Folder
from eartheye.tracking import CHAMPION, PREVIOUS, alias_version
from eartheye.tracking.runs import connect as connect_mlflow
from pipelines.requests import request_promotion, request_rollback
from services.registry.gate import examine
from services.registry.service import Registry, run_registry
from services.registry.standing import decision_on, decisions
from services.registry.tables import Decision
from services.stack.broker import API_VERSION, embedded_broker
from tests.services.registry_candidate import make_candidate, write_report
from tests.waiting import LIMIT_S

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


def decision(registry: Registry, request: PromotionRequest) -> Decision:
    registry.handle(request)
    registry.follow()
    found = decision_on(connect(), request.request)
    assert found is not None
    return found


def test_a_candidate_that_passes_becomes_the_champion(registry, tmp_path):
    made = make_candidate(tmp_path, "passes", 0.7)
    promotion = decision(registry, ask("passes", made.version))
    assert (promotion.state, promotion.from_version, promotion.to_version) == ("applied", None, made.version)
    assert alias_version("passes", CHAMPION) == made.version
    assert "passed: golden tile on ONNX Runtime in the process: largest difference 0.0000" in promotion.reasons


def test_a_candidate_below_the_gate_is_refused_with_the_figure(registry, tmp_path):
    made = make_candidate(tmp_path, "weak", 0.3)
    promotion = decision(registry, ask("weak", made.version))
    assert promotion.state == "refused"
    assert "failed: miou 0.300, at least 0.500 asked" in promotion.reasons
    assert alias_version("weak", CHAMPION) is None


@pytest.mark.parametrize(("miou", "passed"), [(0.49, True), (0.48, False), (0.3, False)])
def test_a_candidate_must_be_better_than_always_answering_the_commonest_class(miou, passed, tmp_path):
    made = make_candidate(tmp_path, "commonest", miou, seed=str(miou))
    write_report(Folder(tmp_path / "report"), miou, confusion=((96, 0, 0), (4, 0, 0), (0, 0, 0)))
    checks = examine(made, None, GatePolicy(min_miou=0.3))
    beside = f"miou {miou:.3f} beside 0.480 of always answering the commonest class"
    assert {check.words: check.passed for check in checks}[f"{beside}, more is asked"] is passed
    assert all(check.passed for check in checks) is passed
    lenient = examine(made, None, GatePolicy(min_miou=0.3, above_commonest=False))
    assert {check.words: check.passed for check in lenient}[f"{beside}, which this policy lets pass"]
    assert all(check.passed for check in lenient)


def test_a_wrong_golden_tile_fails_the_promotion(registry, tmp_path):
    made = make_candidate(tmp_path, "wrong", 0.9, wrong_by=40)
    promotion = decision(registry, ask("wrong", made.version))
    assert promotion.state == "failed"
    assert any("golden tile" in reason and reason.startswith("failed") for reason in promotion.reasons)
    assert alias_version("wrong", CHAMPION) is None


def test_the_champion_before_is_kept_as_previous(registry, tmp_path):
    first = make_candidate(tmp_path / "a", "successive", 0.7, seed="a")
    second = make_candidate(tmp_path / "b", "successive", 0.69, seed="b")
    decision(registry, ask("successive", first.version))
    decision(registry, ask("successive", second.version))
    assert (alias_version("successive", CHAMPION), alias_version("successive", PREVIOUS)) == (second.version, first.version)


def test_a_candidate_far_behind_the_champion_is_refused(registry, tmp_path):
    first = make_candidate(tmp_path / "a", "falling", 0.9, seed="a")
    second = make_candidate(tmp_path / "b", "falling", 0.6, seed="b")
    decision(registry, ask("falling", first.version))
    assert decision(registry, ask("falling", second.version)).state == "refused"
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
    assert len(decisions(connect(), "again")) == 1


def test_a_refusal_stands_for_the_policy_that_refused_and_a_promotion_for_every_one(registry, tmp_path):
    weak, better = (make_candidate(tmp_path / name, "relaxed", miou, seed=name) for name, miou in (("weak", 0.3), ("better", 0.7)))
    relaxed = POLICY.model_copy(update={"min_miou": 0.2})
    with open_bus() as bus:
        states = [
            decision(Registry(bus, policy, connect()), ask("relaxed", weak.version)).state for policy in (POLICY, POLICY, relaxed, POLICY)
        ]
        assert states == ["refused", "refused", "applied", "applied"]
        decision(registry, ask("relaxed", better.version))
        stricter = POLICY.model_copy(update={"min_miou": 0.25})
        assert decision(Registry(bus, stricter, connect()), ask("relaxed", weak.version)).state == "applied"
    audit = decisions(connect(), "relaxed")
    assert [(made.to_version, made.state) for made in audit] == [
        (better.version, "applied"),
        (weak.version, "applied"),
        (weak.version, "refused"),
    ]
    assert [GatePolicy.model_validate_json(made.policy) for made in audit] == [POLICY, relaxed, POLICY]
    assert alias_version("relaxed", CHAMPION) == better.version


def test_a_gate_that_returns_to_a_policy_finds_the_refusal_by_it(registry, tmp_path):
    made = make_candidate(tmp_path, "returns", 0.3)
    first = decision(registry, ask("returns", made.version))
    with open_bus() as bus:
        other = Registry(bus, POLICY.model_copy(update={"min_miou": 0.4}), connect())
        assert decision(other, ask("returns", made.version)).id != first.id
        with bus.replies(PROMOTION_RESULTS, first.request, (PromotionResult,)) as replies:
            decision(registry, ask("returns", made.version))
            assert replies.next(LIMIT_S).reasons == tuple(first.reasons)
    assert len(decisions(connect(), "returns")) == 2


def test_a_version_that_does_not_exist_is_refused_and_recorded(registry, tmp_path):
    make_candidate(tmp_path, "short", 0.7)
    promotion = decision(registry, ask("short", 7))
    assert (promotion.state, promotion.reasons) == ("refused", ["failed: the registry has no version 7 of 'short'"])


def test_a_model_that_does_not_exist_is_told_and_leaves_no_trace(registry):
    with open_bus() as bus, bus.replies(PROMOTION_RESULTS, "nobody-v7", (PromotionResult,)) as replies:
        registry.handle(ask("nobody", 7))
        answer = replies.next(LIMIT_S)
    assert (answer.granted, answer.reasons) == (False, ("failed: the registry has no model 'nobody': register one first",))
    assert decisions(connect()) == []


def test_a_report_about_another_model_is_refused(registry, tmp_path):
    made = make_candidate(tmp_path, "borrowed", 0.9)
    write_report(Folder(tmp_path / "report"), 0.9, model_digest="e" * 64)
    assert "failed: report is about the exported model" in decision(registry, ask("borrowed", made.version)).reasons


def test_a_package_changed_after_registration_is_refused(registry, tmp_path):
    made = make_candidate(tmp_path, "changed", 0.9)
    path = tmp_path / "serving" / "serving.json"
    path.write_text(path.read_text().replace('"overlap": 0.25', '"overlap": 0.125'))
    assert "failed: serving package is the one that was registered" in decision(registry, ask("changed", made.version)).reasons


def test_a_promotion_and_a_rollback_asked_over_the_bus_are_answered_there_when_they_are_carried_out(tmp_path):
    first = make_candidate(tmp_path / "a", "over-the-bus", 0.7, seed="a")
    second = make_candidate(tmp_path / "b", "over-the-bus", 0.7, seed="b")
    stop = threading.Event()
    thread = threading.Thread(target=run_registry, args=(settings.load().model_copy(update={"gate": POLICY}), stop))
    thread.start()
    try:
        for made in (first, second):
            result = request_promotion("over-the-bus", made.version, "test")
            assert (result.granted, result.version) == (True, made.version)
            assert alias_version("over-the-bus", CHAMPION) == made.version
        stale = request_promotion("over-the-bus", first.version, "test", expected_champion=first.version, request="stale")
        assert not stale.granted
        assert f"is now version {second.version}" in stale.reasons[0]
        rolled = request_rollback("over-the-bus", "test")
        assert (rolled.granted, rolled.version) == (True, first.version)
        assert (alias_version("over-the-bus", CHAMPION), alias_version("over-the-bus", PREVIOUS)) == (first.version, second.version)
        nowhere = request_rollback("nobody-at-all", "test")
        assert (nowhere.granted, nowhere.version) == (False, None)
    finally:
        stop.set()
        thread.join()


def test_a_pipeline_that_asks_again_after_the_gate_was_relaxed_is_granted(tmp_path):
    made = make_candidate(tmp_path, "asked-again", 0.3)
    answers = []
    for least in (0.5, 0.5, 0.2):
        stop = threading.Event()
        gate = GatePolicy(min_miou=least)
        thread = threading.Thread(target=run_registry, args=(settings.load().model_copy(update={"gate": gate}), stop))
        thread.start()
        try:
            answers.append(request_promotion("asked-again", made.version, "pipeline").granted)
        finally:
            stop.set()
            thread.join()
    assert answers == [False, False, True]
    assert len(decisions(connect(), "asked-again")) == 2
    assert alias_version("asked-again", CHAMPION) == made.version


def test_a_pipeline_that_registers_a_model_anew_is_not_answered_with_what_was_decided_before(tmp_path):
    stop = threading.Event()
    thread = threading.Thread(target=run_registry, args=(settings.load(), stop))
    thread.start()
    try:
        first = make_candidate(tmp_path / "first", "anew", 0.7, seed="first")
        assert request_promotion("anew", first.version, "pipeline").granted
        connect_mlflow().delete_registered_model("anew")
        weak = make_candidate(tmp_path / "weak", "anew", 0.2, seed="weak")
        assert weak.version == first.version
        assert not request_promotion("anew", weak.version, "pipeline").granted
    finally:
        stop.set()
        thread.join()
    assert alias_version("anew", CHAMPION) is None


def test_a_request_of_the_first_schema_is_still_read():
    old = {"kind": "promotion-request/1", "request": "r", "model": "m", "version": 3, "alias": "champion", "asked_by": "someone"}
    assert Reader((PromotionRequest,)).read(json.dumps(old).encode()).expected_champion is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": 2**31}, "version 2147483648: Input should be less than or equal to 2147483647"),
        ({"expected_champion": 2**31}, "expected_champion 2147483648: Input should be less than or equal to 2147483647"),
        ({"asked_by": "a\x00b"}, r"asked_by 'a\x00b': Value error, it should have no control characters and no line ends"),
        ({"asked_by": " "}, "asked_by ' ': String should have at least 1 character"),
        ({"asked_by": "n" * 201}, "String should have at most 200 characters"),
        ({"name": "no name"}, "model 'no name': String should match pattern"),
    ],
)
def test_what_the_database_could_not_hold_is_refused_before_it_is_asked(changes, told):
    with pytest.raises(InvalidConfig) as refused:
        request_promotion(**{"name": "m", "version": 1, "asked_by": "test", "request": "r"} | changes)
    assert told in str(refused.value)


@pytest.mark.parametrize("changes", [{"version": 2**31}, {"expected_champion": 2**31}, {"asked_by": "a\x00b"}])
def test_what_the_database_could_not_hold_is_no_message(changes):
    asked = {"kind": "promotion-request/2", "request": "r", "model": "m", "version": 3, "asked_by": "test"}
    with pytest.raises(Unreadable, match=next(iter(changes))):
        Reader((PromotionRequest,)).read(json.dumps(asked | changes).encode())


def test_one_name_for_two_requests_is_refused(registry, tmp_path):
    made = make_candidate(tmp_path, "same-name", 0.7)
    decision(registry, ask("same-name", made.version, "the-name"))
    with open_bus() as bus, bus.replies(PROMOTION_RESULTS, "the-name", (PromotionResult,)) as replies:
        registry.handle(ask("same-name", made.version + 1, "the-name"))
        answer = replies.next(LIMIT_S)
    assert not answer.granted
    assert "another request has the name" in answer.reasons[0]


def test_who_asks_while_the_database_is_away_is_told_and_may_ask_again(registry, tmp_path, monkeypatch):
    made = make_candidate(tmp_path, "away", 0.7)
    away = connect(Settings(database_url="postgresql+psycopg://eartheye:secret@127.0.0.1:1/eartheye"))
    with open_bus() as bus, bus.replies(PROMOTION_RESULTS, f"away-v{made.version}", (PromotionResult,)) as replies:
        with monkeypatch.context() as outage:
            outage.setattr(registry, "_engine", away)
            registry.handle(ask("away", made.version))
        answer = replies.next(LIMIT_S)
    assert not answer.granted
    assert "EARTHEYE_DATABASE_URL" in answer.reasons[0]
    assert "secret" not in answer.reasons[0]
    assert decision(registry, ask("away", made.version)).state == "applied"
