"""Decisions and what follows them: two at once, killed in between, stale, rolled back, failing; on SQLite and on PostgreSQL."""

import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from mlflow import MlflowClient
from sqlalchemy.orm import Session

from eartheye import settings
from eartheye.contracts import GatePolicy
from eartheye.database import connect
from eartheye.errors import (
    NothingToRollBackTo,
    PredictorSilent,
    PredictorUnavailable,
    RequestRejected,
    StaleVersion,
    TrackingUnavailable,
)
from eartheye.tracking import CHAMPION, PREVIOUS, alias_version, set_alias
from eartheye.tracking.runs import connect as connect_mlflow
from services.cli.champions import champions as champions_command
from services.registry import decide, outbox
from services.registry import reconcile as reconciling
from services.registry.decide import judge, promote, roll_back
from services.registry.outbox import work_through
from services.registry.reconcile import reconcile
from services.registry.standing import decision_on, decisions, standing
from services.registry.tables import OutboxItem
from services.schema.migrate import upgrade
from tests.services.registry_candidate import make_candidate

POLICY = GatePolicy(min_miou=0.5, max_loss_to_champion=0.05)
KILLED_AT_AN_ALIAS = """
import os, signal, sys
from eartheye.database import connect
from services.registry import outbox
from services.registry.decide import promote

model, version, alias = sys.argv[1], int(sys.argv[2]), sys.argv[3]
set_alias = outbox.set_alias

def kill(name, moved, to):
    if moved == alias:
        os.kill(os.getpid(), signal.SIGKILL)
    set_alias(name, moved, to)

outbox.set_alias = kill
engine = connect()
promote(engine, model, version, asked_by="killed", request=f"killed-{model}")
outbox.work_through(engine)
"""


@pytest.fixture(scope="module")
def empty_mlflow(tmp_path_factory):
    """Made once, for that takes MLflow seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}", registry_uri=f"sqlite:///{path}").search_registered_models()
    return path


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def servers(request, empty_mlflow, tmp_path_factory):
    """URLs of MLflow and of a database of each kind; they belong together, for reconciling looks at all models of MLflow."""
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copyfile(empty_mlflow, folder / "mlflow.db")
    database = f"sqlite:///{folder}/eartheye.db" if request.param == "sqlite" else request.getfixturevalue("new_postgres")()
    return f"sqlite:///{folder}/mlflow.db", database


@pytest.fixture
def engine(servers, monkeypatch):
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", servers[0])
    monkeypatch.setenv("EARTHEYE_DATABASE_URL", servers[1])
    settings.load.cache_clear()
    engine = connect()
    upgrade(engine)
    yield engine
    monkeypatch.undo()
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", servers[0])
    settings.load.cache_clear()
    work_through(engine)  # nothing is left over for the next test
    engine.dispose()
    settings.load.cache_clear()


@pytest.fixture
def model(request):
    """A name of the test's own; MLflow is shared."""
    return "".join(sign if sign.isalnum() else "-" for sign in request.node.name.removeprefix("test_"))


@pytest.fixture
def versions(model, tmp_path):
    """Three candidates: good, good, and one whose golden tile is wrong."""
    good = [make_candidate(tmp_path / seed, model, 0.7, seed=seed).version for seed in ("a", "b")]
    return [*good, make_candidate(tmp_path / "wrong", model, 0.9, wrong_by=40, seed="wrong").version]


def granted(engine, model, version, **how):
    """Promote and let everything follow."""
    made = promote(engine, model, version, asked_by="test", policy=POLICY, **how)
    assert work_through(engine)
    return decision_on(engine, made.request)


def aliases(model):
    return alias_version(model, CHAMPION), alias_version(model, PREVIOUS)


def champions(engine, model):
    seen = standing(engine, model)
    return seen.champion, seen.previous


def away(*_):
    raise PredictorSilent("Triton does not answer")


def cannot_load(*_):
    raise PredictorUnavailable("Triton cannot load it")


def tag(model, version):
    return connect_mlflow().get_model_version(model, str(version)).tags.get("promotion")


def test_a_decision_is_pending_until_deployment_and_aliases_have_followed(engine, model, versions):
    made = promote(engine, model, versions[0], asked_by="ada", policy=POLICY, expected_champion=0)
    pending = standing(engine, model)
    assert (made.state, pending.champion, pending.generation, pending.pending.id, pending.followed) == (
        "pending",
        versions[0],
        1,
        made.id,
        False,
    )
    assert aliases(model) == (None, None)
    assert work_through(engine)
    followed = standing(engine, model)
    assert (followed.champion, followed.pending, followed.followed) == (versions[0], None, True)
    assert aliases(model) == (versions[0], None)
    assert tag(model, versions[0]).startswith("applied, asked by ada")


def test_the_audit_says_who_what_and_why(engine, model, versions):
    granted(engine, model, versions[0])
    granted(engine, model, versions[1])
    newest = decisions(engine, model)[0]
    assert (newest.kind, newest.from_version, newest.to_version, newest.asked_by) == ("promotion", versions[0], versions[1], "test")
    assert (newest.state, newest.generation) == ("applied", 2)
    assert newest.decided_at <= newest.settled_at
    assert all(reason.startswith("passed: ") for reason in newest.reasons)


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(engine, model, versions, monkeypatch):
    both_have_looked = threading.Barrier(2)

    def look_together(*arguments):
        both_have_looked.wait(60)
        return judge(*arguments)

    monkeypatch.setattr(decide, "judge", look_together)
    made, told = [], []

    def ask(version):
        own = connect()
        try:
            made.append(promote(own, model, version, asked_by=f"asker {version}", policy=POLICY))
        except StaleVersion as error:
            told.append(str(error))
        own.dispose()

    threads = [threading.Thread(target=ask, args=(version,)) for version in versions[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(made), len(told)] == [1, 1]
    assert f"is now version {made[0].to_version} (generation 1), not none as expected" in told[0]
    assert champions(engine, model) == (made[0].to_version, None)
    assert [decision.request for decision in decisions(engine, model)] == [made[0].request]


def test_of_two_changes_of_a_champion_at_once_one_wins(engine, model, versions, monkeypatch):
    granted(engine, model, versions[0])
    granted(engine, model, versions[1])
    seen = standing(engine, model)
    first = roll_back(engine, model, asked_by="quick")
    monkeypatch.setattr(decide, "standing", lambda *_: seen)  # the slow one still sees what was
    with pytest.raises(StaleVersion, match=f"is now version {versions[0]}"):
        roll_back(engine, model, asked_by="slow")
    assert decisions(engine, model)[0].id == first.id


def test_a_stale_expectation_is_refused_with_what_is_now(engine, model, versions):
    granted(engine, model, versions[0])
    with pytest.raises(StaleVersion, match=rf"is now version {versions[0]} \(generation 1\), not none as expected"):
        promote(engine, model, versions[1], asked_by="test", policy=POLICY, expected_champion=0)
    with pytest.raises(StaleVersion):
        roll_back(engine, model, asked_by="test", expected_champion=versions[1])
    assert len(decisions(engine, model)) == 1


def test_while_a_decision_is_pending_a_second_promotion_is_told(engine, model, versions):
    promote(engine, model, versions[0], asked_by="first", policy=POLICY)
    with pytest.raises(StaleVersion, match="asked by first, is still being carried out"):
        promote(engine, model, versions[1], asked_by="second", policy=POLICY)


@pytest.mark.parametrize(
    ("read", "followed"), [("aliases_of_models", True), ("standing", True), ("alias_version", True), ("alias_version", False)]
)
def test_a_promotion_beside_a_look_at_the_aliases_is_not_undone(engine, model, versions, monkeypatch, read, followed):
    """Another registry, or the admin service, promotes just after this one has read something."""
    granted(engine, model, versions[0])
    set_alias(model, PREVIOUS, versions[2])  # so that this registry looks closer
    whole, meanwhile = getattr(reconciling, read), []

    def read_and_be_overtaken(*arguments):
        seen = whole(*arguments)
        if not meanwhile and arguments in ((), (engine, model), (model, CHAMPION)):
            meanwhile.append(promote(engine, model, versions[1], asked_by="another", policy=POLICY))
            if followed:
                assert work_through(engine)
        return seen

    monkeypatch.setattr(reconciling, read, read_and_be_overtaken)
    for _ in range(2):
        reconcile(engine, POLICY)
        assert work_through(engine)
    assert [decision.asked_by for decision in decisions(engine, model)] == ["another", "test"]
    assert aliases(model) == champions(engine, model) == (versions[1], versions[0])


def test_a_promotion_just_before_one_asked_for_by_hand_is_not_undone(engine, model, versions, monkeypatch, tmp_path):
    granted(engine, model, versions[0])
    third = make_candidate(tmp_path / "third", model, 0.7, seed="third").version

    def be_overtaken(*arguments, **how):
        with monkeypatch.context() as beside:
            beside.setattr(reconciling, "promote", promote)
            granted(engine, model, versions[1])
        return promote(*arguments, **how)

    monkeypatch.setattr(reconciling, "promote", be_overtaken)
    set_alias(model, CHAMPION, third)
    reconcile(engine, POLICY)
    assert aliases(model) == champions(engine, model) == (versions[1], versions[0])


def test_an_alias_set_late_gives_way_to_what_was_decided_since(engine, model, versions, monkeypatch):
    """A registry that lost its turn, and whose call of MLflow comes through when another has already carried out the next decision."""
    granted(engine, model, versions[0])
    set_alias(model, CHAMPION, None)

    def set_late(name, alias, version):
        with monkeypatch.context() as beside:
            beside.setattr(outbox, "set_alias", set_alias)
            granted(engine, model, versions[1])
        monkeypatch.setattr(outbox, "set_alias", set_alias)
        set_alias(name, alias, version)

    monkeypatch.setattr(outbox, "set_alias", set_late)
    reconcile(engine, POLICY)
    assert aliases(model) == champions(engine, model) == (versions[1], versions[0])


def test_an_alias_moves_to_a_version_only_when_that_is_deployed(engine, model, versions, monkeypatch, tmp_path):
    granted(engine, model, versions[0])
    poor = make_candidate(tmp_path / "poor", model, 0.2, seed="poor").version
    set_alias(model, CHAMPION, poor)
    reconcile(engine, POLICY)  # refused: the alias is to be moved back
    promote(engine, model, versions[1], asked_by="test", policy=POLICY)
    with monkeypatch.context() as outage:
        outage.setattr(outbox, "deploy", away)
        assert not work_through(engine)
    assert aliases(model) == (versions[0], None)
    assert work_through(engine)
    assert aliases(model) == (versions[1], versions[0])


@pytest.mark.parametrize("alias", [PREVIOUS, CHAMPION])
def test_a_process_killed_between_commit_and_alias_is_healed(engine, model, versions, alias):
    granted(engine, model, versions[0])
    command = [sys.executable, "-c", KILLED_AT_AN_ALIAS, model, str(versions[1]), alias]
    assert subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode == -signal.SIGKILL
    assert decision_on(engine, f"killed-{model}").state == "pending"
    assert alias_version(model, CHAMPION) == versions[0]
    reconcile(engine, POLICY)
    assert len(decisions(engine, model)) == 2  # what is under way is not taken for moved by hand
    assert work_through(engine)
    assert decision_on(engine, f"killed-{model}").state == "applied"
    assert aliases(model) == champions(engine, model) == (versions[1], versions[0])


def test_a_failing_golden_tile_reverts_the_decision_and_moves_nothing(engine, model, versions):
    granted(engine, model, versions[0])
    granted(engine, model, versions[1])
    failed = granted(engine, model, versions[2])
    assert failed.state == "failed"
    assert "golden tile" in failed.reasons[-1]
    assert aliases(model) == champions(engine, model) == (versions[1], versions[0])
    reversion = decisions(engine, model)[0]
    assert (reversion.kind, reversion.from_version, reversion.to_version) == ("reversion", versions[2], versions[1])
    assert (reversion.asked_by, reversion.state, reversion.generation) == ("registry", "applied", 4)
    assert tag(model, versions[2]).startswith("failed")
    assert standing(engine, model).followed


def test_a_first_promotion_that_fails_leaves_no_champion(engine, model, versions):
    assert granted(engine, model, versions[2]).state == "failed"
    assert aliases(model) == champions(engine, model) == (None, None)
    assert granted(engine, model, versions[0]).state == "applied"


def test_an_outage_delays_a_decision_and_does_not_fail_it(engine, model, versions, monkeypatch):
    def away(*_):
        raise TrackingUnavailable("MLflow is away")

    made = promote(engine, model, versions[0], asked_by="test", policy=POLICY)
    with monkeypatch.context() as outage:
        outage.setattr(outbox, "set_alias", away)
        assert [work_through(engine) for _ in range(outbox.DEPLOYMENTS + 1)] == [False] * (outbox.DEPLOYMENTS + 1)
    with Session(engine) as session:
        assert {item.trouble for item in session.query(OutboxItem).where(OutboxItem.decision == made.id)} == {None, "MLflow is away"}
    assert work_through(engine)
    assert decision_on(engine, made.request).state == "applied"


def test_a_server_that_is_down_is_waited_for_and_the_decision_says_so(engine, model, versions, monkeypatch, capsys):
    made = promote(engine, model, versions[0], asked_by="test", policy=POLICY)
    with monkeypatch.context() as outage:
        outage.setattr(outbox, "deploy", away)
        assert [work_through(engine) for _ in range(2 * outbox.DEPLOYMENTS)] == [False] * 2 * outbox.DEPLOYMENTS
        waits = standing(engine, model)
        assert (waits.pending.id, waits.trouble) == (made.id, "Triton does not answer")
        champions_command()
        told = capsys.readouterr().out.partition(f"{model}: no version serves\n")[2].splitlines()
        assert told[0].startswith(f"  pending: promotion to version {versions[0]}, asked by test, ")
        assert told[1] == "  waits, and is tried again: Triton does not answer"
        outage.setattr(outbox, "deploy", cannot_load)  # it is back, and not yet itself: that counts from here on
        assert not work_through(engine)
    assert work_through(engine)
    assert decision_on(engine, made.request).state == "applied"
    assert standing(engine, model).trouble is None
    champions_command()
    assert f"{model}: version {versions[0]} serves\n" in capsys.readouterr().out


def test_a_server_that_cannot_load_the_model_fails_the_promotion_after_some_attempts(engine, model, versions, monkeypatch):
    monkeypatch.setattr(outbox, "deploy", cannot_load)
    made = promote(engine, model, versions[0], asked_by="test", policy=POLICY)
    assert [work_through(engine) for _ in range(outbox.DEPLOYMENTS)] == [False] * (outbox.DEPLOYMENTS - 1) + [True]
    assert decision_on(engine, made.request).reasons[-1] == "failed: deployment: Triton cannot load it"
    assert champions(engine, model) == (None, None)


def test_a_rollback_is_one_step_and_once_more_leads_forward(engine, model, versions, tmp_path):
    granted(engine, model, versions[0])
    better = make_candidate(tmp_path / "better", model, 0.95, seed="better").version
    granted(engine, model, better)
    back = roll_back(engine, model, asked_by="ada", expected_champion=better)
    assert (back.kind, back.from_version, back.to_version) == ("rollback", better, versions[0])
    assert work_through(engine)
    assert aliases(model) == champions(engine, model) == (versions[0], better)
    assert "golden tile" in decision_on(engine, back.request).reasons[-1]
    roll_back(engine, model, asked_by="ada")
    assert work_through(engine)
    assert aliases(model) == (better, versions[0])


def test_a_rollback_to_a_package_that_was_changed_is_reverted(engine, model, versions, tmp_path):
    granted(engine, model, versions[0])
    granted(engine, model, versions[1])
    path = tmp_path / "a" / "serving" / "serving.json"
    path.write_text(path.read_text().replace('"overlap": 0.25', '"overlap": 0.125'))
    back = roll_back(engine, model, asked_by="test")
    assert work_through(engine)
    assert "not the one that was registered" in decision_on(engine, back.request).reasons[-1]
    assert aliases(model) == champions(engine, model) == (versions[1], versions[0])


def test_a_rollback_withdraws_what_is_still_pending(engine, model, versions):
    granted(engine, model, versions[0])
    pending = promote(engine, model, versions[1], asked_by="test", policy=POLICY)
    back = roll_back(engine, model, asked_by="ada")
    assert (back.kind, back.to_version) == ("reversion", versions[0])
    assert work_through(engine)
    withdrawn = decision_on(engine, pending.request)
    assert (withdrawn.state, withdrawn.reasons[-1]) == ("failed", "failed: withdrawn by ada before it was carried out")
    assert aliases(model) == champions(engine, model) == (versions[0], None)


def test_without_a_previous_champion_there_is_nothing_to_roll_back_to(engine, model, versions):
    granted(engine, model, versions[0])
    with pytest.raises(NothingToRollBackTo, match="no previous champion"):
        roll_back(engine, model, asked_by="test")


def test_promoting_the_champion_changes_nothing_and_is_audited(engine, model, versions):
    granted(engine, model, versions[0])
    again = granted(engine, model, versions[0])
    assert (again.state, again.reasons, again.generation) == ("applied", ["passed: is the champion already"], 1)


def test_a_request_asked_again_gets_its_first_decision(engine, model, versions):
    first = granted(engine, model, versions[0], request=f"named-{model}")
    granted(engine, model, versions[1])
    assert promote(engine, model, versions[0], asked_by="test", request=f"named-{model}").id == first.id
    with pytest.raises(RequestRejected, match="another request has the name"):
        roll_back(engine, model, asked_by="test", request=f"named-{model}")


def test_a_refusal_by_another_policy_neither_answers_for_a_stale_request_nor_frees_its_name(engine, model, versions, monkeypatch):
    strict, name = POLICY.model_copy(update={"min_miou": 0.8}), f"named-{model}"
    assert granted_or_refused(engine, model, versions[0], strict, name) == "refused"
    with pytest.raises(RequestRejected, match="another request has the name"):
        granted_or_refused(engine, model, versions[1], POLICY, name)
    with pytest.raises(RequestRejected, match="another request has the name"):
        roll_back(engine, model, asked_by="test", request=name)
    seen = standing(engine, model)
    granted(engine, model, versions[1])
    with monkeypatch.context() as slow:
        slow.setattr(decide, "standing", lambda *_: seen)
        with pytest.raises(StaleVersion, match=f"is now version {versions[1]}"):
            granted_or_refused(engine, model, versions[0], POLICY, name)
    assert granted_or_refused(engine, model, versions[0], POLICY, name) == "pending"


def granted_or_refused(engine, model, version, policy, request):
    return promote(engine, model, version, asked_by="test", policy=policy, request=request).state


def test_an_alias_moved_by_hand_to_a_good_version_is_granted(engine, model, versions):
    granted(engine, model, versions[0])
    set_alias(model, CHAMPION, versions[1])
    reconcile(engine, POLICY)
    asked = decisions(engine, model)[0]
    assert (asked.asked_by, asked.state, asked.to_version) == ("mlflow", "pending", versions[1])
    assert work_through(engine)
    assert aliases(model) == champions(engine, model) == (versions[1], versions[0])


def test_an_alias_moved_by_hand_to_a_poor_version_is_moved_back_with_the_reason(engine, model, versions, tmp_path):
    granted(engine, model, versions[0])
    poor = make_candidate(tmp_path / "poor", model, 0.2, seed="poor").version
    for _ in range(2):  # tried again it is decided again
        set_alias(model, CHAMPION, poor)
        reconcile(engine, POLICY)
        reconcile(engine, POLICY)  # what is to be moved back is not asked for once more
        assert work_through(engine)
        assert aliases(model) == (versions[0], None)
    assert tag(model, poor).startswith("refused, asked by mlflow: failed: miou 0.200, at least 0.500 asked")
    assert [(decision.asked_by, decision.state) for decision in decisions(engine, model)[:2]] == [("mlflow", "refused")] * 2
    assert standing(engine, model).generation == 1


def test_an_alias_moved_by_hand_to_a_wrong_golden_tile_is_moved_back(engine, model, versions):
    granted(engine, model, versions[0])
    set_alias(model, CHAMPION, versions[2])
    reconcile(engine, POLICY)
    assert work_through(engine)
    assert aliases(model) == champions(engine, model) == (versions[0], None)
    assert "golden tile" in tag(model, versions[2])


def test_an_alias_moved_by_hand_to_a_version_of_others_is_moved_back(engine, model, versions):
    granted(engine, model, versions[0])
    foreign = connect_mlflow().create_model_version(model, source="file:///elsewhere")
    set_alias(model, CHAMPION, int(foreign.version))
    reconcile(engine, POLICY)
    assert work_through(engine)
    assert aliases(model) == (versions[0], None)
    assert "was not registered by EarthEye" in tag(model, int(foreign.version))


def test_a_first_champion_set_by_hand_is_a_request_too(engine, model, versions):
    set_alias(model, CHAMPION, versions[2])
    reconcile(engine, POLICY)
    assert work_through(engine)
    assert aliases(model) == (None, None)
    set_alias(model, CHAMPION, versions[0])
    reconcile(engine, POLICY)
    assert work_through(engine)
    assert aliases(model) == champions(engine, model) == (versions[0], None)


def test_aliases_that_fell_short_are_set_as_decided(engine, model, versions):
    granted(engine, model, versions[0])
    granted(engine, model, versions[1])
    set_alias(model, CHAMPION, None)
    set_alias(model, PREVIOUS, versions[2])
    reconcile(engine, POLICY)
    assert aliases(model) == (versions[1], versions[0])
    assert len(decisions(engine, model)) == 2


def test_a_champion_that_the_server_has_lost_is_deployed_again_once_its_decision_is_followed(engine, model, versions, monkeypatch):
    looked_for = []
    monkeypatch.setattr(reconciling, "deploy_if_lost", lambda folder, name, version: looked_for.append((name, version)))
    promote(engine, model, versions[0], asked_by="test", policy=POLICY)
    reconcile(engine, POLICY)
    assert (model, versions[0]) not in looked_for
    assert work_through(engine)
    reconcile(engine, POLICY)
    assert (model, versions[0]) in looked_for
