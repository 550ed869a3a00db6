"""What is asked about models, and asked of them: MLflow says what there is, the platform's database what was decided."""

from collections import Counter
from collections.abc import Iterable, Mapping

from eartheye.contracts import Report, Score
from eartheye.errors import GateNotPassed, StoreUnavailable, UnknownModel, UserError
from eartheye.store import Folder
from eartheye.tracking import RegisteredModel, newest_versions
from services.admin.models.schemas import DecisionOut, GateCheckOut, GateOut, ModelOut, ModelStanding, VersionOut
from services.admin.platform import Platform
from services.registry.decide import judge, promote, roll_back
from services.registry.outbox import why_lost
from services.registry.standing import Standing, decisions, is_as_granted, standing, standings


def list_models(platform: Platform, versions: Iterable[RegisteredModel]) -> list[ModelOut]:
    """Return all registered models by name.

    Args:
        platform: whose decisions say where they stand.
        versions: what MLflow has, or had some seconds ago.

    Raises:
        TrackingUnavailable: MLflow does not answer, and a champion is not as it was promoted among `versions`.
    """
    known = {(version.name, version.version): version for version in versions}
    counted = Counter(name for name, _ in known)
    found = [(standing(platform.engine, name), count) for name, count in sorted(counted.items())]
    return [
        ModelOut.model_validate(_stands(stands) | {"versions": count, "lost": _why_lost(platform, stands, known)})
        for stands, count in found
    ]


def list_standings(platform: Platform) -> list[ModelStanding]:
    """Return where each model stands that something was granted for, by name; the platform's database knows that without MLflow."""
    return [ModelStanding.model_validate(_stands(stands)) for stands in standings(platform.engine)]


def list_versions(platform: Platform, model: str, limit: int, before: int | None = None) -> list[VersionOut]:
    """Return versions of a model, the newest first.

    Args:
        platform: whose decisions say where they stand.
        model: name of the registered model.
        limit: how many at most.
        before: only versions older than this one.

    Raises:
        UnknownModel: there is no such model.
        TrackingUnavailable: MLflow does not answer.
        StoreUnavailable: the reports cannot be looked at now.
    """
    versions = newest_versions(model, limit, before)
    if not versions and before is None:
        raise UnknownModel(f"the registry has no model '{model}': register one first")
    stands = standing(platform.engine, model)
    return [_version(platform, version, stands) for version in versions]


def ask_gate(platform: Platform, model: str, version: int) -> GateOut:
    """Return what the gate says of a version today; nothing is decided.

    Raises:
        UnknownModel: there is no such model.
        TrackingUnavailable: MLflow does not answer.
        StoreUnavailable: the candidate cannot be looked at now.
    """
    checks = tuple(GateCheckOut.model_validate(check) for check in judge(standing(platform.engine, model), version, platform.settings.gate))
    return GateOut(model=model, version=version, passed=bool(checks) and all(check.passed for check in checks), checks=checks)


def list_decisions(platform: Platform, model: str, limit: int, before: int | None = None) -> list[DecisionOut]:
    """Return the audit of a model, the newest first.

    Args:
        platform: whose decisions.
        model: name of the registered model.
        limit: how many at most.
        before: only decisions older than the one of this number.
    """
    return [DecisionOut.model_validate(decision) for decision in decisions(platform.engine, model, limit, before)]


def decide_promotion(platform: Platform, model: str, version: int, expected_champion: int | None, asked_by: str) -> DecisionOut:
    """Decide whether a version becomes the champion.

    Raises:
        UnknownModel: there is no such model.
        GateNotPassed: it was refused, and the refusal is in the audit.
        StaleVersion: another version is the champion than expected, or one is about to be.
    """
    made = promote(
        platform.engine, model, version, asked_by=asked_by, policy=platform.settings.gate, expected_champion=expected_champion
    )  # fmt: skip
    if made.state == "refused":
        failed = [reason.removeprefix("failed: ") for reason in made.reasons if reason.startswith("failed: ")]
        raise GateNotPassed(f"{model} version {version} was not promoted: {'; '.join(failed)}")
    return DecisionOut.model_validate(made)


def decide_rollback(platform: Platform, model: str, expected_champion: int | None, asked_by: str) -> DecisionOut:
    """Decide that the champion before becomes the champion again.

    Raises:
        NothingToRollBackTo: the model has no previous champion.
        StaleVersion: another version is the champion than expected.
    """
    return DecisionOut.model_validate(roll_back(platform.engine, model, asked_by=asked_by, expected_champion=expected_champion))


def _stands(stands: Standing) -> dict[str, object]:
    return {
        "model": stands.model,
        "champion": stands.champion,
        "previous": stands.previous,
        "generation": stands.generation,
        "pending": stands.pending is not None,
        "trouble": stands.trouble,
    }


def _why_lost(platform: Platform, stands: Standing, known: Mapping[tuple[str, int], RegisteredModel]) -> str | None:
    """Say why the champion does not serve; MLflow is asked again before it counts as lost, for what is known may be older than it."""
    if stands.champion is None or stands.pending is not None:
        return None
    champion = known.get((stands.model, stands.champion))
    if champion is not None and is_as_granted(platform.engine, champion):
        return None
    return why_lost(platform.engine, stands.model, stands.champion)


def _version(platform: Platform, version: RegisteredModel, stands: Standing) -> VersionOut:
    place = {stands.previous: "previous"} | {stands.champion: "champion"}
    if version.version in place and not is_as_granted(platform.engine, version):
        place = {}  # made anew under the number, it is a candidate as any other
    return VersionOut.model_validate(
        {
            "model": version.name,
            "version": version.version,
            "standing": place.get(version.version, "candidate"),
            "package": version.package,
            "serving": version.serving,
            "serving_digest": version.serving_digest,
            "report": version.report,
            "scores": _scores(version.report),
        }
    )


def _scores(report: str) -> tuple[Score, ...]:
    """Return the model's own scores; a report that is gone does not hide the version."""
    try:
        return tuple(score for score in Report.read(Folder(report)).scores if score.model == "pretrained")
    except StoreUnavailable:
        raise
    except UserError:
        return ()
