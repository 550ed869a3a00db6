"""Deciding which version is the champion: `promote` and `roll_back`, for whoever asks."""

from dataclasses import dataclass
from typing import TypedDict

from sqlalchemy import Engine

from eartheye.contracts import GatePolicy
from eartheye.errors import NothingToRollBackTo, RequestRejected, StaleVersion, UnknownModel
from eartheye.tracking import RegisteredModel, require_model, version_of
from services.registry.gate import Check, examine
from services.registry.record import name_of, new_decision, record, stale, take_back
from services.registry.standing import Standing, decision_on, is_as_granted, standing
from services.registry.tables import Decision


class _About(TypedDict):
    """What a promotion's decision notes, however it ends."""

    asked_by: str
    request: str | None
    policy: str
    serving_digest: str


@dataclass(frozen=True)
class Following:
    """Work that follows a decision, each in order: `deploy`, `aliases`, `answer`."""

    granted: tuple[str, ...] = ("deploy", "aliases")
    refused: tuple[str, ...] = ()

    @property
    def deployed_already(self) -> tuple[str, ...]:
        """What follows a decision for a version that serves."""
        return tuple(work for work in self.granted if work != "deploy")


BY_CALL = Following()
BY_BUS = Following(("deploy", "aliases", "answer"), ("answer",))
BY_ALIAS = Following(("deploy", "aliases"), ("aliases",))
"""An alias that was moved by hand is moved back when its request is refused."""


def promote(
    engine: Engine,
    model: str,
    version: int,
    *,
    asked_by: str,
    policy: GatePolicy = GatePolicy(),
    expected_champion: int | None = None,
    request: str | None = None,
    follow: Following = BY_CALL,
) -> Decision:
    """Decide whether a version becomes the champion.

    A granted decision is `pending` when this returns: the registry service deploys the version, runs its golden tile and moves the
    aliases; then it is `applied`, or `failed` and reverted. The gate looks before the transaction, for it reads files; the transaction
    holds only if the model's state is still the one that the gate looked at. So of two promotions at once one wins and the other is told.

    Args:
        engine: the platform's database.
        model: name of the registered model.
        version: the candidate.
        asked_by: who asks, for the audit.
        policy: what the gate asks.
        expected_champion: champion that the asker saw, 0 for none; None to take the one that reigns now.
        request: name of the request; asked again, the first decision is given again, but a refusal only while the policy is the one
            that refused. By default a new one.
        follow: work that follows.

    Returns:
        The decision, whose `state` is `refused`, `pending`, or `applied` where the version is the champion already.

    Raises:
        StaleVersion: another version is the champion than expected, or is about to be.
        RequestRejected: another request has the name.
        UnknownModel: there is no such model; nothing was decided.
        StoreUnavailable: the candidate cannot be looked at now; nothing was decided.
        TrackingUnavailable: MLflow does not answer; nothing was decided.
    """
    by = policy.model_dump_json()
    if known := _known(engine, request, model, version, by):
        return known
    seen = _seen(engine, model, expected_champion)
    if seen.pending is not None:
        raise StaleVersion(f"{name_of(seen.pending)}, is still being carried out: wait for it, or roll it back")
    candidate = _registered(model, version)
    about = _About(asked_by=asked_by, request=request, policy=by, serving_digest=candidate.serving_digest if candidate else "")
    if seen.champion == version and candidate is not None and is_as_granted(engine, candidate):
        made = new_decision(seen, "promotion", version, "applied", ["passed: is the champion already"], **about)
        return record(engine, seen, made, follow.deployed_already)
    checks = judge(seen, version, policy)
    granted = all(check.passed for check in checks)
    reasons = [("passed: " if check.passed else "failed: ") + check.words for check in checks]
    made = new_decision(seen, "promotion", version, "pending" if granted else "refused", reasons, **about)
    return record(engine, seen, made, follow.granted if granted else follow.refused)


def roll_back(
    engine: Engine,
    model: str,
    *,
    asked_by: str,
    expected_champion: int | None = None,
    request: str | None = None,
    follow: Following = BY_CALL,
) -> Decision:
    """Decide that the champion before becomes the champion again; asked once more it leads forward again.

    No score is asked for, but the golden tile is. A decision that is still pending is withdrawn instead: then the state that it found is
    restored at once, and the decision returned is a `reversion`.

    Args:
        engine: the platform's database.
        model: name of the registered model.
        asked_by: who asks, for the audit.
        expected_champion: champion that the asker saw, 0 for none; None to take the one that reigns now.
        request: name of the request; asked again, the first decision is given again. By default a new one.
        follow: work that follows.

    Raises:
        NothingToRollBackTo: the model has no previous champion.
        StaleVersion: another version is the champion than expected.
        RequestRejected: another request has the name.
    """
    if known := _known(engine, request, model, None):
        return known
    seen = _seen(engine, model, expected_champion)
    if seen.pending is not None:
        reason = f"withdrawn by {asked_by} before it was carried out"
        if made := take_back(engine, seen.pending, reason, asked_by=asked_by, request=request, works=follow.deployed_already):
            return made
        before, seen = seen, standing(engine, model)
        if seen.generation != before.generation:
            raise stale(seen, before.champion)
        # else it was carried out a moment before, and is rolled back as any other
    if seen.previous is None:
        raise NothingToRollBackTo(f"{model} has no previous champion: promote another version")
    reasons = [f"passed: version {seen.previous} was the champion before"]
    made = new_decision(seen, "rollback", seen.previous, "pending", reasons, asked_by=asked_by, request=request)
    return record(engine, seen, made, follow.granted)


def judge(seen: Standing, version: int, policy: GatePolicy = GatePolicy()) -> list[Check]:
    """Return the gate's checks of a version beside the champion; nothing is decided.

    Args:
        seen: where the model stands.
        version: the candidate.
        policy: what the gate asks.

    Raises:
        UnknownModel: there is no such model; a version that it has not fails its check.
        StoreUnavailable: the candidate cannot be looked at now.
        TrackingUnavailable: MLflow does not answer.
    """
    try:
        candidate = version_of(seen.model, version)
    except UnknownModel as error:
        require_model(seen.model)
        return [Check(False, str(error))]
    if seen.champion is None:
        return examine(candidate, None, policy)
    champion = _registered(seen.model, seen.champion)
    if champion is None:
        return [*examine(candidate, None, policy), Check(True, f"the champion, version {seen.champion}, is gone and is not compared")]
    return examine(candidate, champion, policy)


def _registered(model: str, version: int) -> RegisteredModel | None:
    """Return a version as MLflow has it, None where it has none of the number, or one of others."""
    try:
        return version_of(model, version)
    except UnknownModel:
        return None


def _seen(engine: Engine, model: str, expected_champion: int | None) -> Standing:
    seen = standing(engine, model)
    if expected_champion is not None and expected_champion != (seen.champion or 0):
        raise stale(seen, expected_champion)
    return seen


def _known(engine: Engine, request: str | None, model: str, version: int | None, policy: str = "") -> Decision | None:
    """Return the decision on a request that stands; `version` is None for a rollback."""
    if request is None or (named := decision_on(engine, request)) is None:
        return None
    if named.model != model or (named.kind == "promotion") != (version is not None) or version not in (None, named.to_version):
        raise RequestRejected(f"another request has the name '{request}': give this one another")
    return decision_on(engine, request, policy)
