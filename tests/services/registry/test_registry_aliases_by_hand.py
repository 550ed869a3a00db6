"""Aliases that somebody moved in MLflow are requests, and what is not granted is moved back; on SQLite and on PostgreSQL."""

import pytest

from eartheye.tracking import CHAMPION, PREVIOUS, set_alias
from eartheye.tracking.runs import connect as connect_mlflow
from services.registry import reconcile as reconciling
from services.registry.outbox import work_through
from services.registry.reconcile import reconcile
from services.registry.standing import decisions, standing
from tests.services.registry.promoting import POLICY, aliases, champions, granted, tag
from tests.services.registry_candidate import make_candidate


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


@pytest.mark.parametrize("more", ["", "x" * 128, " of others"])
def test_a_model_of_others_keeps_its_aliases_and_holds_up_no_other(engine, model, versions, more):
    client, name = connect_mlflow(), f"a-{model}{more}"
    client.create_registered_model(name)
    client.create_model_version(name, source="file:///elsewhere")
    set_alias(name, CHAMPION, 1)
    granted(engine, model, versions[0])
    set_alias(model, CHAMPION, None)
    reconcile(engine, POLICY)
    assert work_through(engine)
    assert aliases(model) == (versions[0], None)
    assert (aliases(name), tag(name, 1), decisions(engine, name)) == ((1, None), None, [])


def test_a_fault_with_one_model_holds_up_no_other(engine, model, versions, monkeypatch):
    def fail_first(engine, name):
        if name == f"a-{model}":
            raise RuntimeError("a fault")
        return standing(engine, name)

    connect_mlflow().create_registered_model(f"a-{model}")
    granted(engine, model, versions[0])
    set_alias(model, CHAMPION, None)
    monkeypatch.setattr(reconciling, "standing", fail_first)
    reconcile(engine, POLICY)
    assert aliases(model) == (versions[0], None)


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
