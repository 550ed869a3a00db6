"""Of decisions at once one is made, and none that was made is undone; on SQLite and on PostgreSQL."""

import threading

import pytest

from components.deployer.run import deploy
from eartheye.database import connect
from eartheye.errors import StaleVersion, TrackingUnavailable
from eartheye.tracking import CHAMPION, PREVIOUS, set_alias
from eartheye.tracking.runs import connect as connect_mlflow
from services.registry import decide, outbox
from services.registry import reconcile as reconciling
from services.registry.decide import judge, promote, roll_back
from services.registry.outbox import work_through
from services.registry.reconcile import reconcile
from services.registry.record import new_decision, record, take_back
from services.registry.standing import decision_on, decisions, standing
from tests.services.registry.promoting import POLICY, aliases, champions, granted
from tests.services.registry_candidate import make_candidate
from tests.waiting import LIMIT_S


@pytest.fixture
def promote_at_once(model, monkeypatch):
    """Promotes two versions, each after the gate has looked at both; returns what was decided and what was told."""

    def promote_both(*versions):
        both_have_looked = threading.Barrier(2)

        def look_together(*arguments):
            both_have_looked.wait(LIMIT_S)
            return judge(*arguments)

        made, told = [], []

        def ask(version):
            own = connect()
            try:
                made.append(promote(own, model, version, asked_by=f"asker {version}", policy=POLICY))
            except StaleVersion as error:
                told.append(str(error))
            own.dispose()

        threads = [threading.Thread(target=ask, args=(version,)) for version in versions]
        with monkeypatch.context() as patched:
            patched.setattr(decide, "judge", look_together)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return made, told

    return promote_both


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(engine, model, versions, promote_at_once):
    made, told = promote_at_once(*versions[:2])
    assert [len(made), len(told)] == [1, 1]
    assert f"is now version {made[0].to_version} (generation 1), not none as expected" in told[0]
    assert champions(engine, model) == (made[0].to_version, None)
    assert [decision.request for decision in decisions(engine, model)] == [made[0].request]


def test_of_two_promotions_at_once_of_a_champion_that_was_made_anew_one_wins(engine, model, tmp_path, promote_at_once):
    make_candidate(tmp_path / "a", model, 0.7, seed="a")
    granted(engine, model, 1)
    connect_mlflow().delete_registered_model(model)
    make_candidate(tmp_path / "b", model, 0.7, seed="b")
    made, told = promote_at_once(1, 1)
    assert [len(made), len(told)] == [1, 1]
    assert "is now version 1 (generation 2), by another decision than was seen" in told[0]
    assert (standing(engine, model).pending.id, made[0].generation) == (made[0].id, 2)
    assert work_through(engine)
    assert (aliases(model), decision_on(engine, made[0].request).state) == ((1, None), "applied")


def test_a_promotion_that_is_taken_back_leaves_its_champion_as_it_was_and_counts(engine, model, tmp_path):
    make_candidate(tmp_path / "a", model, 0.7, seed="a")
    granted(engine, model, 1)
    connect_mlflow().delete_registered_model(model)
    make_candidate(tmp_path / "b", model, 0.7, seed="b")
    promote(engine, model, 1, asked_by="test", policy=POLICY)
    assert roll_back(engine, model, asked_by="test").generation == 3
    assert (champions(engine, model), standing(engine, model).generation) == ((1, None), 3)


def test_the_database_keeps_a_second_pending_decision_out(engine, model, versions):
    promote(engine, model, versions[0], asked_by="test", policy=POLICY)
    seen = standing(engine, model)
    with pytest.raises(StaleVersion):
        record(engine, seen, new_decision(seen, "promotion", versions[1], "pending", [], asked_by="another"), ())
    assert champions(engine, model) == (versions[0], None)
    assert len(decisions(engine, model)) == 1


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


def test_a_roll_back_while_the_golden_tile_is_run_is_the_last_word_of_the_audit(engine, model, versions, monkeypatch):
    def deploy_and_be_overtaken(*arguments):
        deployed = deploy(*arguments)
        roll_back(engine, model, asked_by="night shift")
        return deployed

    granted(engine, model, versions[0])
    monkeypatch.setattr(outbox, "deploy", deploy_and_be_overtaken)
    withdrawn = granted(engine, model, versions[1])
    assert (withdrawn.state, withdrawn.reasons[-1]) == ("failed", "failed: withdrawn by night shift before it was carried out")
    assert aliases(model) == champions(engine, model) == (versions[0], None)


def test_a_roll_back_that_saw_less_keeps_the_reasons_that_came_since(engine, model, versions, monkeypatch):
    def fail(*_):
        raise TrackingUnavailable("MLflow is away")

    made = promote(engine, model, versions[0], asked_by="test", policy=POLICY)
    seen = standing(engine, model)
    with monkeypatch.context() as outage:
        outage.setattr(outbox, "set_alias", fail)
        assert not work_through(engine)
    monkeypatch.setattr(decide, "standing", lambda *_: seen)
    roll_back(engine, model, asked_by="night shift")
    told = decision_on(engine, made.request).reasons[-2:]
    assert told[0].startswith("passed: golden tile")
    assert told[1] == "failed: withdrawn by night shift before it was carried out"


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_roll_back_of_a_decision_that_ended_a_moment_before(engine, model, versions, monkeypatch, carried_out):
    """One that was carried out is rolled back as any other; of one that failed there is nothing left to withdraw."""

    def be_overtaken(*arguments, **how):
        assert work_through(engine)
        return take_back(*arguments, **how)

    granted(engine, model, versions[0])
    asked = versions[1] if carried_out else versions[2]
    promote(engine, model, asked, asked_by="test", policy=POLICY)
    monkeypatch.setattr(decide, "take_back", be_overtaken)
    if carried_out:
        made = roll_back(engine, model, asked_by="test", expected_champion=asked)
        assert (made.kind, made.from_version, made.to_version) == ("rollback", asked, versions[0])
    else:
        with pytest.raises(StaleVersion, match=rf"is now version {versions[0]} \(generation 3\), not version {asked} as expected"):
            roll_back(engine, model, asked_by="test")
    assert work_through(engine)
    assert champions(engine, model) == (versions[0], asked if carried_out else None)
