"""The API: every slice's routes behind one check of keys, one form of errors, one limit of bodies."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRouter
from starlette.middleware.sessions import SessionMiddleware

from eartheye import __version__
from services.admin.access import Sessions, authorise
from services.admin.health.probes import Probes
from services.admin.health.routes import router as health
from services.admin.keys.routes import router as keys
from services.admin.metrics.routes import router as metrics
from services.admin.platform import Platform
from services.admin.problems import MEDIA_TYPE, Problem, add_problem_handlers
from services.admin.requests import BodyLimit, RequestSurroundings
from services.admin.roles import ACCESS

ROUTERS: tuple[APIRouter, ...] = (health, metrics, keys)
OPENAPI = "/v1/openapi.json"
DESCRIPTION = """Steer the platform: promote models, submit mapping jobs and look at their maps, look at datasets.

Every error is a problem document (RFC 9457) with a `type` to switch on. Every route but health and metrics asks for an API key."""
SESSION_S = 12 * 3600
"""How long a browser stays signed in: a working day."""


def create_app(platform: Platform) -> FastAPI:
    """Return the API of a platform.

    Args:
        platform: what it works on.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        app.state.probes.close()

    app = FastAPI(
        title="EarthEye",
        version=__version__,
        description=DESCRIPTION,
        dependencies=[Depends(authorise)],
        openapi_url=OPENAPI,
        docs_url=None,  # these pages load their scripts from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.platform, app.state.probes, app.state.sessions = platform, Probes(platform), Sessions()
    for router in ROUTERS:
        app.include_router(router)
    add_problem_handlers(app)
    # Signed with a secret of this process: a session cannot be made up, and ends with the process that keeps it.
    app.add_middleware(
        SessionMiddleware,
        secret_key=secrets.token_hex(32),
        session_cookie="eartheye_session",
        same_site="strict",
        max_age=SESSION_S,
    )
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestSurroundings)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with problem documents, and without a key where none is asked."""
    if app.openapi_schema is None:
        described = FastAPI.openapi(app)
        described["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                needed = ACCESS[f"{method.upper()} {path}"]
                if needed is None:
                    operation.pop("security", None)
                else:
                    operation["x-role"] = needed.value
                operation["responses"].pop("422", None)
                content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
                operation["responses"]["default"] = {"description": "A problem document.", "content": content}
        for unused in ("HTTPValidationError", "ValidationError"):
            described["components"]["schemas"].pop(unused, None)
    return app.openapi_schema or {}
