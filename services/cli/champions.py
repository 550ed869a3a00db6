"""The command that says which versions serve."""


def champions() -> None:
    """Say which version of each model serves, and what decisions that are still pending wait for.

    It reads the platform's database: EARTHEYE_DATABASE_URL.

    Example: `eartheye champions`
    """
    from eartheye.database import answering, connect
    from services.registry.standing import standings
    from services.schema.migrate import require_schema

    engine = connect()
    require_schema(engine)
    with answering(engine):
        found = standings(engine)
    for stands in found:
        pending = stands.pending
        serves, before = (stands.champion, stands.previous) if pending is None else (pending.from_version, pending.from_previous)
        print(f"{stands.model}: {_version(serves)} serves" + (f", {_version(before)} did before" if before else ""))
        if pending is not None:
            print(
                f"  pending: {pending.kind} to {_version(pending.to_version)}, asked by {pending.asked_by}, {pending.decided_at:%F %R} UTC"
            )
        if stands.trouble:
            print(f"  waits, and is tried again: {stands.trouble}")
    if not found:
        print("no version was promoted yet: `eartheye promote MODEL VERSION`")


def _version(version: int | None) -> str:
    return f"version {version}" if version else "no version"
