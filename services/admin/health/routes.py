"""Routes of health: for the cluster's probes, and with words for people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from services.admin.health.probes import Probes, ServerHealth

router = APIRouter(tags=["health"])


def _probes(request: Request) -> Probes:
    probes: Probes = request.app.state.probes
    return probes


ProbesDep = Annotated[Probes, Depends(_probes)]


class Live(BaseModel):
    """This process answers."""

    live: bool = True


class Ready(BaseModel):
    """Whether each server behind the ports answers; the reasons need a key."""

    ready: bool
    servers: dict[str, bool]


@router.get("/v1/health/live")
def live() -> Live:
    """This process answers; asks no server."""
    return Live()


@router.get("/v1/health/ready", responses={503: {"model": Ready, "description": "A server does not answer."}})
def ready(probes: ProbesDep, response: Response) -> Ready:
    """Whether each server behind the ports answers: 200 when all do, 503 otherwise."""
    servers = {answer.server: answer.ok for answer in probes.ask()}
    is_ready = all(servers.values())
    response.status_code = 200 if is_ready else 503
    return Ready(ready=is_ready, servers=servers)


@router.get("/v1/health/servers")
def servers(probes: ProbesDep) -> list[ServerHealth]:
    """Each server behind the ports, and in words what it is or why it does not answer."""
    return probes.ask()
