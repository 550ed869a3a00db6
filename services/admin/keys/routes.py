"""Routes of the keys."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.admin.access import PrincipalDep
from services.admin.keys.schemas import KeyOut, KeyRequest, Mine, NewKeyOut
from services.admin.keys.store import create_key, list_keys, revoke_key
from services.admin.platform import PlatformDep

router = APIRouter(tags=["keys"])
KeyName = Annotated[str, Path(pattern=r"^[a-z0-9]{1,16}$")]


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
    made = create_key(platform.engine, wanted.name, wanted.role, principal.words, wanted.lifetime)
    return NewKeyOut(**KeyOut.model_validate(made.key).model_dump(), token=made.token)


@router.delete("/v1/keys/{key}")
def delete_key(key: KeyName, platform: PlatformDep) -> KeyOut:
    """Revoke a key for good."""
    return KeyOut.model_validate(revoke_key(platform.engine, key))
