"""What people remove, rename or make anew in MLflow: no version serves without the gate, and there is a way on."""

import pytest

from eartheye import settings
from eartheye.tracking import CHAMPION, register, set_alias
from eartheye.tracking.runs import connect as connect_mlflow
from services.cli.champions import champions as champions_command
from services.registry import outbox
from services.registry import reconcile as reconciling
from services.registry.decide import promote, roll_back
from services.registry.outbox import work_through
from services.registry.reconcile import reconcile
from services.registry.standing import decision_on, decisions, standing
from tests.services.registry.promoting import POLICY, aliases, champions, granted
from tests.services.registry_candidate import make_candidate


@pytest.fixture
def candidate(model, tmp_path):
    """Registers a candidate that scores what is asked for; returns its version."""
    made = []

    def make(miou=0.7):
        made.append(miou)
        return make_candidate(tmp_path / str(len(made)), model, miou, seed=str(len(made))).version

    return make


def look_twice(engine):
    for _ in range(2):
        reconcile(engine, POLICY)
        assert work_through(engine)


def test_a_version_whose_training_run_was_deleted_is_promoted_all_the_same(engine, model, candidate, tmp_path):
    client = connect_mlflow()
    run = client.create_run(client.create_experiment(model)).info.run_id
    packed = make_candidate(tmp_path / "of-a-run", f"{model}-copy", 0.7)
    made = register(model, packed.package, packed.serving, packed.serving_digest, packed.report, run)
    client.delete_run(run)
    assert granted(engine, model, made.version).state == "applied"
    assert aliases(model) == (made.version, None)


def test_where_the_champion_was_deleted_another_version_is_promoted_without_a_comparison(engine, model, candidate):
    best, other = candidate(0.9), candidate(0.6)
    granted(engine, model, best)
    connect_mlflow().delete_model_version(model, str(best))
    look_twice(engine)
    assert (aliases(model), champions(engine, model)) == ((None, None), (best, None))
    refused = promote(engine, model, best, asked_by="test", policy=POLICY)
    assert (refused.state, refused.reasons) == ("refused", [f"failed: the registry has no version {best} of '{model}'"])
    after = granted(engine, model, other)
    assert (after.state, aliases(model)) == ("applied", (other, None))
    assert f"passed: the champion, version {best}, is gone and is not compared" in after.reasons


def test_a_rollback_leads_away_from_a_champion_that_was_deleted_and_never_to_one(engine, model, candidate):
    first, second = candidate(), candidate()
    granted(engine, model, first)
    granted(engine, model, second)
    connect_mlflow().delete_model_version(model, str(second))
    roll_back(engine, model, asked_by="test")
    assert work_through(engine)
    assert (aliases(model), champions(engine, model)) == ((first, None), (first, second))
    forward = roll_back(engine, model, asked_by="test")
    assert work_through(engine)
    assert decision_on(engine, forward.request).reasons[-1] == f"failed: deployment: the registry has no version {second} of '{model}'"
    assert (aliases(model), champions(engine, model)) == ((first, None), (first, second))


def test_a_version_that_is_deleted_before_its_alias_is_set_does_not_become_the_champion(engine, model, candidate, monkeypatch):
    first, second = candidate(), candidate()
    granted(engine, model, first)
    deploy = outbox.deploy

    def deploy_and_delete(*arguments):
        deployed = deploy(*arguments)
        connect_mlflow().delete_model_version(model, str(second))
        return deployed

    monkeypatch.setattr(outbox, "deploy", deploy_and_delete)
    failed = granted(engine, model, second)
    assert (failed.state, failed.reasons[-1]) == ("failed", f"failed: aliases: the registry has no version {second} of '{model}'")
    assert aliases(model) == champions(engine, model) == (first, None)


def test_a_renamed_model_passes_the_gate_under_its_new_name(engine, model, candidate):
    renamed = f"{model}-2025"
    granted(engine, model, candidate())
    connect_mlflow().rename_registered_model(model, renamed)
    look_twice(engine)
    assert [(asked.asked_by, asked.state) for asked in decisions(engine, renamed)] == [("mlflow", "applied")]
    assert aliases(renamed) == champions(engine, renamed) == (1, None)
    connect_mlflow().rename_registered_model(renamed, model)
    look_twice(engine)
    assert (aliases(model), len(decisions(engine, model))) == ((1, None), 1)


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_version_made_anew_under_the_number_of_the_champion_serves_only_by_the_gate(engine, model, candidate, monkeypatch, by_hand):
    kept = []
    monkeypatch.setattr(reconciling, "deploy_if_lost", lambda *version: kept.append(version))
    granted(engine, model, candidate(0.7))
    connect_mlflow().rename_registered_model(model, f"{model}-2025")
    assert candidate(0.2) == 1
    if by_hand:
        set_alias(model, CHAMPION, 1)
    look_twice(engine)
    assert aliases(model) == (None, None)
    assert model not in [name for _, name, _ in kept]
    assert decisions(engine, model)[0].state == ("refused" if by_hand else "applied")
    assert granted(engine, model, 1).state == "refused"
    assert aliases(model) == (None, None)
    good = candidate(0.6)
    assert granted(engine, model, good).state == "applied"
    assert aliases(model) == (good, None)


def test_until_a_decision_is_carried_out_what_it_found_is_in_force(engine, model, candidate):
    def decided(version):
        assert promote(engine, model, version, asked_by="test", policy=POLICY).state == "pending"
        return standing(engine, model).in_force

    assert decided(candidate(0.7)) == (None, None)
    assert work_through(engine)
    assert standing(engine, model).in_force == (1, None)
    assert decided(candidate(0.7)) == (1, None)
    assert work_through(engine)
    connect_mlflow().delete_registered_model(model)
    candidate(0.7)
    assert candidate(0.75) == 2
    assert decided(2) == (2, 1)  # the version that was made anew under the champion's number


def test_a_champion_that_is_gone_or_made_anew_is_told_not_to_serve(engine, model, candidate, capsys):
    granted(engine, model, candidate(0.7))
    for anew, reason in (
        (False, f"the registry has no version 1 of '{model}'"),
        (True, f"version 1 of '{model}' was made anew with another"),
    ):
        if anew:
            candidate(0.2)
        else:
            connect_mlflow().delete_registered_model(model)
        champions_command()
        told = capsys.readouterr().out.partition(f"{model}: ")[2].splitlines()
        assert told[0] == "no version serves"
        assert told[1].startswith(f"  the champion does not serve: {reason}")


def test_while_mlflow_is_away_the_champions_of_the_database_are_told(engine, model, candidate, capsys, monkeypatch):
    granted(engine, model, candidate())
    monkeypatch.setenv("EARTHEYE_MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings.load.cache_clear()
    champions_command()
    told = capsys.readouterr().out.splitlines()
    assert f"{model}: version 1 serves" in told
    assert told[-1].startswith("by the decisions; whether MLflow has these versions still cannot be said: MLflow at http://127.0.0.1:1")


def test_a_good_version_made_anew_under_the_number_of_the_champion_is_deployed_and_champion(engine, model, candidate):
    granted(engine, model, candidate(0.7))
    connect_mlflow().delete_registered_model(model)
    assert candidate(0.6) == 1
    again = granted(engine, model, 1)
    assert (again.state, again.kind, len(decisions(engine, model))) == ("applied", "promotion", 2)
    assert any(reason.startswith("passed: golden tile") for reason in again.reasons)
    assert aliases(model) == champions(engine, model) == (1, None)
    look_twice(engine)
    assert len(decisions(engine, model)) == 2
