"""Decisions: carried out or failed, asked again, rolled back, and their audit; on SQLite and on PostgreSQL."""

import pytest

from eartheye.errors import NothingToRollBackTo, RequestRejected, StaleVersion
from services.registry import decide
from services.registry.decide import promote, roll_back
from services.registry.outbox import work_through
from services.registry.standing import decision_on, decisions, standing
from tests.services.registry.promoting import POLICY, aliases, champions, granted, tag
from tests.services.registry_candidate import make_candidate


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


def granted_or_refused(engine, model, version, policy, request):
    return promote(engine, model, version, asked_by="test", policy=policy, request=request).state


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
