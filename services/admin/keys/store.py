"""Giving, checking and revoking keys."""

import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from eartheye.database import now
from eartheye.errors import NotSignedIn, NotThere
from services.admin.keys.tables import ApiKey
from services.admin.roles import Role

TOKEN = re.compile(r"ek_([a-z0-9]{1,16})_([0-9a-f]{64})")
FIRST = "first"
"""The key that is made when there is none; two services that start at once cannot both make it."""
FIRST_LIFETIME = dt.timedelta(days=7)
"""How long that key is in force. It stands in whatever keeps the output of a first start: time enough to give others in its place."""
NO_SECRET = "-" * 64
"""Kept of no secret: a digest has no such character."""
NOTED_EVERY = dt.timedelta(minutes=1)
"""How exactly the last use is noted: a request that only reads does not write each time."""


@dataclass(frozen=True)
class NewKey:
    """A key that was just given, with the one sight of its token."""

    key: ApiKey
    token: str


def create_key(
    engine: Engine, name: str, role: Role, created_by: str, lifetime: dt.timedelta | None = None, key: str | None = None
) -> NewKey:
    """Give a key. Its token is not kept and cannot be shown again.

    Args:
        engine: the platform's database.
        name: whose it is, or what for.
        role: what it may do.
        created_by: who gives it.
        lifetime: how long it is in force; None for as long as it is not revoked.
        key: its visible part; drawn at random by default.
    """
    key, secret = key or secrets.token_hex(6), secrets.token_hex(32)
    created = ApiKey(
        key=key,
        name=name,
        role=role.value,
        secret_sha256=_digest(secret),
        created_at=now(),
        created_by=created_by,
        expires_at=now() + lifetime if lifetime is not None else None,
    )
    with Session(engine, expire_on_commit=False) as session, session.begin():
        session.add(created)
    return NewKey(created, f"ek_{key}_{secret}")


def create_first_key(engine: Engine) -> NewKey | None:
    """Give a key of the role admin, for a week, where no key was ever given; None otherwise."""
    with Session(engine) as session:
        if session.scalar(select(exists().select_from(ApiKey))):
            return None
    try:
        return create_key(engine, "first key", Role.ADMIN, "first start", FIRST_LIFETIME, FIRST)
    except IntegrityError:
        return None


def list_keys(engine: Engine) -> Sequence[ApiKey]:
    """Return all keys, the newest first."""
    with Session(engine) as session:
        return session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.key)).all()


def revoke_key(engine: Engine, key: str) -> ApiKey:
    """End a key for good; one that was revoked before keeps its time.

    Raises:
        NotThere: there is no such key.
    """
    with Session(engine, expire_on_commit=False) as session, session.begin():
        if (found := session.get(ApiKey, key)) is None:
            raise NotThere(f"there is no key '{key}': `eartheye admin key list` shows those there are")
        found.revoked_at = found.revoked_at or now()
        return found


def check_token(engine: Engine, token: str) -> ApiKey:
    """Return the key of a token that is in force, and note its use.

    Raises:
        NotSignedIn: the token is none of this platform, expired, or revoked.
    """
    parts = TOKEN.fullmatch(token)
    with Session(engine, expire_on_commit=False) as session:
        found = session.get(ApiKey, parts[1]) if parts else None
        # An unknown key and a wrong secret are the same answer after the same work: keys cannot be found out one part at a time.
        kept = found.secret_sha256 if found else NO_SECRET
        if parts is None or not hmac.compare_digest(kept, _digest(parts[2])) or found is None:
            raise NotSignedIn("this is no key of this platform: ask an admin for one")
        if found.revoked_at is not None:
            raise NotSignedIn(f"key '{found.key}' was revoked: ask an admin for another")
        if found.expires_at is not None and found.expires_at <= now():
            raise NotSignedIn(f"key '{found.key}' expired on {found.expires_at:%Y-%m-%d}: ask an admin for another")
        if found.last_used_at is None or now() - found.last_used_at >= NOTED_EVERY:
            session.execute(update(ApiKey).where(ApiKey.key == found.key).values(last_used_at=now()))
            session.commit()
    return found


def key_in_force(engine: Engine, key: str) -> ApiKey | None:
    """Return a key by its visible part, for somebody who has shown its token before; None where it is no longer in force."""
    with Session(engine) as session:
        found = session.get(ApiKey, key)
    ended = found is None or found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= now())
    return None if ended else found


def _digest(secret: str) -> str:
    """Return what is kept of a secret.

    A slow hash (argon2) protects what people can think up, which can be guessed. These secrets are 256 random bits: no machine can try
    them all, however fast the hash, so a plain SHA-256 is as good, and does not cost a tenth of a second in each request.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
