"""The command that says which versions serve."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from services.registry.standing import Standing


def champions() -> None:
    """Say which version of each model serves, and what decisions that are still pending wait for.

    It reads the platform's database, and asks MLflow whether the versions are still there: EARTHEYE_DATABASE_URL,
    EARTHEYE_MLFLOW_TRACKING_URI.

    Example: `eartheye champions`
    """
    import os

    from eartheye.database import answering, connect
    from services.registry.standing import standings
    from services.roles import MLFLOW_PATIENCE
    from services.schema.migrate import require_schema

    for name, value in MLFLOW_PATIENCE.items():
        os.environ.setdefault(name, value)
    engine = connect()
    require_schema(engine)
    with answering(engine):
        found = standings(engine)
        lost, away = _lost(engine, found)
    for stands in found:
        pending, why = stands.pending, lost.get(stands.model)
        serves, before = stands.in_force
        print(f"{stands.model}: {_version(None if why else serves)} serves" + (f", {_version(before)} did before" if before else ""))
        if why:
            print(f"  the champion does not serve: {why}")
        if pending is not None:
            print(
                f"  pending: {pending.kind} to {_version(pending.to_version)}, asked by {pending.asked_by}, {pending.decided_at:%F %R} UTC"
            )
        if stands.trouble:
            print(f"  waits, and is tried again: {stands.trouble}")
    if away:
        print(f"by the decisions; whether MLflow has these versions still cannot be said: {away}")
    if not found:
        print("no version was promoted yet: `eartheye promote MODEL VERSION`")


def _lost(engine: "Engine", found: "Sequence[Standing]") -> tuple[dict[str, str], str | None]:
    """Return why a champion does not serve, by model, and why MLflow could not be asked."""
    from eartheye.errors import TrackingUnavailable
    from services.registry.outbox import why_lost

    lost: dict[str, str] = {}
    try:
        for stands in found:
            serves, _ = stands.in_force
            if serves and (why := why_lost(engine, stands.model, serves)):
                lost[stands.model] = why
    except TrackingUnavailable as error:
        return lost, str(error)
    return lost, None


def _version(version: int | None) -> str:
    return f"version {version}" if version else "no version"
