"""Commands that look after the platform's database."""

from cyclopts import App

database = App(name="database", help="Bring the platform's database to the schema of this release.")


@database.command
def upgrade() -> None:
    """Bring the database of the settings to the schema of this release; all of it or nothing.

    Example: `EARTHEYE_DATABASE_URL=postgresql://eartheye@db/eartheye eartheye database upgrade`
    """
    from eartheye.database import connect
    from services.schema.migrate import status, upgrade

    engine = connect()
    before, after = upgrade(engine), status(engine)
    print(f"schema {after.found}, nothing to do" if before.current else f"schema {before.found or 'none'} -> {after.found}")


@database.command
def status() -> None:
    """Say which schema the database of the settings has, and which this release needs.

    Example: `eartheye database status`
    """
    from eartheye.database import connect
    from services.schema.migrate import status

    stands = status(connect())
    word = "current" if stands.current else "behind: run `eartheye database upgrade`" if stands.known else "ahead: upgrade this release"
    print(f"schema {stands.found or 'none'}, this release needs {stands.newest}: {word}")
