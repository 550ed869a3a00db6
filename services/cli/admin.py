"""Commands that look after the keys of the admin service."""

import datetime as dt
from typing import Annotated

from cyclopts import App, Parameter
from pydantic import ConfigDict

from services.admin.keys.schemas import KeyRequest
from services.admin.roles import Role

admin = App(name="admin", help="Give, list and revoke the keys of the admin service.")
key = App(name="key", help="Give, list and revoke API keys.")
admin.command(key)


class KeyWanted(KeyRequest):
    """What is asked for, as a command line gives it: every value is text. Without a role, the least."""

    model_config = ConfigDict(strict=False)
    role: Role = Role.VIEWER


@key.command
def create(wanted: Annotated[KeyWanted, Parameter(name="*")]) -> None:
    """Give an API key. Its token is printed once and kept nowhere.

    Example: `eartheye admin key create dashboards --role viewer --days 90`
    """
    from services.admin.keys.store import create_key

    print(create_key(_engine(), wanted.name, wanted.role, "command line", wanted.lifetime).token)


@key.command(name="list")
def list_keys() -> None:
    """List the API keys, the newest first.

    Example: `eartheye admin key list`
    """
    from rich.console import Console
    from rich.table import Column, Table

    from eartheye.database import now
    from services.admin.keys.store import list_keys

    columns = (Column(title, overflow="fold") for title in ("name", "role", "created", "expires", "last used", "state"))
    table = Table(Column("key", no_wrap=True), *columns)  # `revoke` asks for all of it
    for key in list_keys(_engine()):
        expired = key.expires_at is not None and key.expires_at <= now()
        state = "revoked" if key.revoked_at else "expired" if expired else "in force"
        table.add_row(key.key, key.name, key.role, *map(_day, (key.created_at, key.expires_at, key.last_used_at)), state)
    Console(highlight=False).print(table)


@key.command(name="revoke")
def revoke(key: str) -> None:
    """End an API key for good.

    Example: `eartheye admin key revoke 1f09a3c2b7de`

    Parameters
    ----------
    key
        Its visible part, as the list shows it.
    """
    from services.admin.keys.store import revoke_key

    revoked = revoke_key(_engine(), key)
    print(f"key {revoked.key} ({revoked.name}) is revoked")


def _engine():  # type: ignore[no-untyped-def]
    from eartheye.database import connect
    from services.schema.migrate import require_schema

    engine = connect()
    require_schema(engine)
    return engine


def _day(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
