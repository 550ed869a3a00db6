"""What follows a decision while servers are away, or a registry is killed in between; on SQLite and on PostgreSQL."""

import os
import signal
import subprocess
import sys

import pytest
from sqlalchemy.orm import Session

from eartheye.errors import PredictorSilent, PredictorUnavailable, TrackingUnavailable
from eartheye.tracking import CHAMPION, PREVIOUS, alias_version, set_alias
from services.cli.champions import champions as champions_command
from services.registry import outbox
from services.registry import reconcile as reconciling
from services.registry.decide import promote
from services.registry.outbox import work_through
from services.registry.reconcile import reconcile
from services.registry.standing import decision_on, decisions, standing
from services.registry.tables import OutboxItem
from tests.services.registry.promoting import POLICY, aliases, champions, granted
from tests.services.registry_candidate import make_candidate

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


def away(*_):
    raise PredictorSilent("Triton does not answer")


def cannot_load(*_):
    raise PredictorUnavailable("Triton cannot load it")


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


def test_a_deployment_that_was_cut_off_before_it_was_noted_stands_in_the_audit_once(engine, model, versions, monkeypatch):
    def cut_off(*_):
        raise KeyboardInterrupt

    made = promote(engine, model, versions[0], asked_by="test", policy=POLICY)
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "_note", cut_off)
        with pytest.raises(KeyboardInterrupt):
            work_through(engine)
    assert work_through(engine)
    assert sum("golden tile" in reason for reason in decision_on(engine, made.request).reasons) == 1


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


def test_a_champion_that_the_server_has_lost_is_deployed_again_once_its_decision_is_followed(engine, model, versions, monkeypatch):
    looked_for = []
    monkeypatch.setattr(reconciling, "deploy_if_lost", lambda folder, name, version: looked_for.append((name, version)))
    promote(engine, model, versions[0], asked_by="test", policy=POLICY)
    reconcile(engine, POLICY)
    assert (model, versions[0]) not in looked_for
    assert work_through(engine)
    reconcile(engine, POLICY)
    assert (model, versions[0]) in looked_for
