"""Routes of the keys."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from services.admin.access import PrincipalDep
from services.admin.keys.store import create_key, list_keys, revoke_key
from services.admin.platform import PlatformDep
from services.admin.roles import Role

router = APIRouter(tags=["keys"])
KeyName = Annotated[str, Path(pattern=r"^[a-z0-9]{1,16}$")]


class KeyRequest(BaseModel):
    """Ask for a key."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=100)
    """Whose it is, or what for."""
    role: Role
    days: int | None = Field(None, gt=0, le=3650)
    """How long it is in force; without it, until it is revoked."""


class KeyOut(BaseModel):
    """A key, without its secret."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)

    key: str
    name: str
    role: Role
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None
    """To the minute."""


class NewKeyOut(KeyOut):
    """A key that was just given."""

    token: str
    """Shown this once."""


class Mine(BaseModel):
    """Who asks."""

    key: str
    name: str
    role: Role


@router.get("/v1/keys")
def get_keys(platform: PlatformDep) -> list[KeyOut]:
    """All keys, the newest first."""
    return [KeyOut.model_validate(key) for key in list_keys(platform.engine)]


@router.get("/v1/keys/mine")
def get_mine(principal: PrincipalDep) -> Mine:
    """The key of this request."""
    return Mine(key=principal.key, name=principal.name, role=principal.role)


@router.post("/v1/keys", status_code=201)
def post_key(wanted: KeyRequest, platform: PlatformDep, principal: PrincipalDep) -> NewKeyOut:
    """Give a key; its token is in this answer and nowhere else."""
    lifetime = None if wanted.days is None else dt.timedelta(days=wanted.days)
    made = create_key(platform.engine, wanted.name, wanted.role, principal.words, lifetime)
    return NewKeyOut(**KeyOut.model_validate(made.key).model_dump(), token=made.token)


@router.delete("/v1/keys/{key}")
def delete_key(key: KeyName, platform: PlatformDep) -> KeyOut:
    """Revoke a key for good."""
    return KeyOut.model_validate(revoke_key(platform.engine, key))
