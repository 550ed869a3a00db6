"""Who asks, and whether the role suffices: one check before every route, and before every action of a page."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from eartheye.errors import NotAllowed, NotSignedIn
from services.admin.keys.store import check_token
from services.admin.keys.tables import ApiKey
from services.admin.platform import Platform, PlatformDep
from services.admin.roles import ACCESS, Role
from services.admin.sessions import Sessions

BEARER = HTTPBearer(auto_error=False, scheme_name="API key", description="A key as `ek_...`, sent as `Authorization: Bearer ek_...`.")


@dataclass(frozen=True)
class Principal:
    """The holder of a key that is in force."""

    key: str
    name: str
    role: Role

    @classmethod
    def of(cls, key: ApiKey) -> "Principal":
        """Return the holder of a key."""
        return cls(key.key, key.name, Role(key.role))

    @property
    def words(self) -> str:
        """Name and key, for an audit."""
        return f"{self.name} ({self.key})"

    def may(self, action: str) -> bool:
        """Say whether the role suffices for a route, as `POST /v1/jobs`."""
        needed = ACCESS[action]
        return needed is None or self.role.may(needed)

    def require(self, action: str) -> None:
        """See to it that the role suffices for a route.

        Raises:
            NotAllowed: it does not.
        """
        if not self.may(action):
            raise NotAllowed(f"{self.name} is {self.role}, {action} asks for {ACCESS[action]}: use a key of that role")


async def authorise(
    request: Request, platform: PlatformDep, bearer: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
) -> Principal | None:
    """Let a request pass whose key's role suffices for the route.

    Raises:
        NotSignedIn: no key, or one that is not in force.
        NotAllowed: the role does not suffice.
    """
    action = f"{request.method} {request.scope['route'].path}"
    if ACCESS[action] is None:
        return None
    return await run_in_threadpool(_authorised, action, request, platform, bearer)


def _authorised(action: str, request: Request, platform: Platform, bearer: HTTPAuthorizationCredentials | None) -> Principal:
    if bearer is not None:
        principal = Principal.of(check_token(platform.engine, bearer.credentials))
    elif found := _signed_in(request, platform):
        principal = found
    else:
        raise NotSignedIn("this needs a key: send it as 'Authorization: Bearer ek_...'")
    principal.require(action)
    return principal


def _signed_in(request: Request, platform: Platform) -> Principal | None:
    """Return who signed in with this browser. Only for what changes nothing: another site's page could send the cookie as well."""
    if request.method not in ("GET", "HEAD"):
        return None
    sessions: Sessions = request.app.state.sessions
    session = request.session.get("id", "")
    found = sessions.key(session, platform)
    sessions.note_use(session)
    return Principal.of(found) if found else None


async def _principal(principal: Annotated[Principal | None, Depends(authorise)]) -> Principal:
    assert principal is not None, "a route that is open to everyone has no principal"
    return principal


PrincipalDep = Annotated[Principal, Depends(_principal)]
"""Who asks, as an argument of a route that needs a key."""
