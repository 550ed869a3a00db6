"""Routes of health: for the cluster's probes, and with words for people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from services.admin.health.probes import Probes, Ready, ServerHealth

router = APIRouter(tags=["health"])


async def _probes(request: Request) -> Probes:
    probes: Probes = request.app.state.probes
    return probes


ProbesDep = Annotated[Probes, Depends(_probes)]


class Live(BaseModel):
    """This process answers."""

    live: bool = True


# Live and ready run in the event loop: where each thread waits for a server that hangs, the cluster must not end this service for it.
@router.get("/v1/health/live")
async def live() -> Live:
    """This process answers; asks no server."""
    return Live()


@router.get("/v1/health/ready", responses={503: {"model": Ready, "description": "The database does not answer, or has another schema."}})
async def ready(probes: ProbesDep, response: Response) -> Ready:
    """Whether this service can answer requests: 200 when its database does and has the schema of this release, 503 otherwise.

    Other servers have no say in it, for this service is the one that names the culprit; `/v1/health/servers` asks them.
    """
    found = await probes.ready()
    response.status_code = 200 if found.ready else 503
    return found


@router.get("/v1/health/servers")
def servers(probes: ProbesDep) -> list[ServerHealth]:
    """Each server behind the ports, and in words what it is or why it does not answer."""
    return probes.ask()
