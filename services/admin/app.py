"""The API: every slice's routes behind one check of keys, one form of errors, one limit of bodies."""

import json
import secrets
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.routing import APIRouter
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import compile_path

from eartheye import __version__
from eartheye.tracking import registered_versions
from services.admin.access import authorise
from services.admin.datasets.routes import router as datasets
from services.admin.health.probes import Probes
from services.admin.health.routes import router as health
from services.admin.jobs.progress import Streams
from services.admin.jobs.routes import router as jobs
from services.admin.keys.routes import router as keys
from services.admin.metrics.routes import router as metrics
from services.admin.models.routes import router as models
from services.admin.platform import Platform
from services.admin.probe import Probe
from services.admin.problems import MEDIA_TYPE, Problem, add_problem_handlers
from services.admin.requests import BodyLimit, Hurry, RequestSurroundings
from services.admin.roles import ACCESS
from services.admin.sessions import LIMIT_S, Sessions

ROUTERS: tuple[APIRouter, ...] = (health, metrics, keys, models, jobs, datasets)
OPENAPI = "/v1/openapi.json"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
DESCRIPTION = """Steer the platform: promote models, submit mapping jobs and look at their maps, look at datasets.

Every error is a problem document (RFC 9457) with a `type` to switch on. Every route but health and metrics asks for an API key."""
REGISTRY_LIMIT_S = 20.0
"""A page does not wait longer for MLflow; its client asks twice, 10 s each (`services/roles.py`)."""
REGISTRY_FRESH_S = 10.0
"""Pages ask MLflow this often together; a version that was registered is shown after that time."""


def create_app(platform: Platform) -> FastAPI:
    """Return the API of a platform.

    Args:
        platform: what it works on.
    """
    app = _routes()
    app.state.platform, app.state.probes, app.state.sessions = platform, Probes(platform), Sessions()
    app.state.streams = Streams()
    app.state.registry = Probe(registered_versions, REGISTRY_LIMIT_S, REGISTRY_FRESH_S)
    add_problem_handlers(app)
    # Signed with a secret of this process: a session cannot be made up, and ends with the process that keeps it.
    app.add_middleware(
        SessionMiddleware,
        secret_key=secrets.token_hex(32),
        session_cookie="eartheye_session",
        same_site="strict",
        https_only=platform.settings.admin_secure,
        max_age=LIMIT_S,
    )
    app.add_middleware(BodyLimit)
    app.add_middleware(Hurry)
    app.add_middleware(RequestSurroundings)
    return app


def describe() -> str:
    """Return the OpenAPI document of this release, as it is committed in `docs/openapi.json`."""
    return json.dumps(_routes().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _routes() -> FastAPI:
    """Return the routes, with nothing behind them yet."""
    app = FastAPI(
        title="EarthEye",
        version=__version__,
        description=DESCRIPTION,
        dependencies=[Depends(authorise)],
        openapi_url=OPENAPI,
        docs_url=None,  # these pages load their scripts from another host
        redoc_url=None,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_route("/v1/{path:path}", _no_route, METHODS, include_in_schema=False)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


async def _no_route(request: Request) -> Response:
    """Answer for the API's paths that have no route of the method asked: the pages, which lie beneath, know nothing of them."""
    paths = [action.split(" ") for action in ACCESS]
    allowed = sorted(method for method, path in paths if compile_path(path)[0].match(request.url.path))
    if allowed:
        raise HTTPException(405, f"{request.url.path} takes {', '.join(allowed)}", {"Allow": ", ".join(allowed)})
    raise HTTPException(404, f"there is nothing at {request.url.path}: {OPENAPI} describes what there is")


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
