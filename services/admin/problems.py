"""Errors as problem documents (RFC 9457): one form for all that can go wrong, with a type to switch on and words to read."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from eartheye import errors
from eartheye.errors import UserError
from eartheye.telemetry import get_logger

log = get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
TYPE = "urn:eartheye:problem:"

STATUS: tuple[tuple[type[UserError], int], ...] = (
    (errors.NotSignedIn, 401),
    (errors.NotAllowed, 403),
    (errors.OutsideRoots, 403),
    (errors.NameTaken, 409),
    (errors.ConflictingOutput, 409),
    (errors.StaleVersion, 409),
    (errors.NothingToRollBackTo, 409),
    (errors.JobRests, 409),
    (errors.NotThere, 404),
    (errors.UnknownModel, 404),
    (errors.NotFinished, 404),
    (errors.MissingBulk, 404),
    (errors.MissingRaster, 404),
    (errors.NotEnoughTiles, 404),
    (errors.BusUnavailable, 503),
    (errors.StoreUnavailable, 503),
    (errors.TrackingUnavailable, 503),
    (errors.PredictorUnavailable, 503),
    (errors.DatabaseUnavailable, 503),
    (errors.TooManyStreams, 503),
    (errors.NoReply, 504),
    (errors.StoreFull, 507),
    (UserError, 422),
)
"""HTTP status of an error; the first line that fits counts."""


class Problem(BaseModel):
    """A problem document."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: str
    """Which problem: `urn:eartheye:problem:` and a name that does not change."""
    title: str
    """The type in words."""
    status: int
    detail: str
    """This case, and what to change."""
    instance: str
    """Path that was asked."""
    request_id: str
    """Also in the service's log, and in the header X-Request-Id."""


def problem_response(
    request: Request, status: int, slug: str, title: str, detail: str, more: Mapping[str, Any] | None = None
) -> JSONResponse:
    """Return a problem document as a response."""
    problem = Problem(
        type=TYPE + slug,
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=request.scope.get("request_id", ""),
        **(more or {}),
    )
    headers = {"X-Request-Id": problem.request_id}  # a fault is answered outside of what adds it to every other response
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


def status_of(error: UserError) -> int:
    """Return the HTTP status that says what kind of error this is."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def add_problem_handlers(app: FastAPI) -> None:
    """Let every error of an app end in a problem document."""

    @app.exception_handler(UserError)
    async def _user_error(request: Request, error: UserError) -> JSONResponse:
        name = type(error).__name__
        title = (type(error).__doc__ or name).strip().splitlines()[0].rstrip(".")
        reasons = getattr(error, "reasons", None)
        return problem_response(request, status_of(error), _slug(name), title, str(error), {"reasons": reasons} if reasons else None)

    @app.exception_handler(OperationalError)
    async def _database_away(request: Request, error: OperationalError) -> JSONResponse:
        log.error("the database does not answer", reason=str(error.orig).strip())
        if _is_full(error):
            detail = "the platform's database has no room, nothing was changed: free space on its disk, and ask again"
            return problem_response(request, 507, "database-full", "The platform's database has no room", detail)
        detail = "the platform's database does not answer: ask again, or see to it"
        return problem_response(request, 503, "database-unavailable", "The platform's database does not answer", detail)

    @app.exception_handler(HTTPException)
    async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        response = problem_response(request, error.status_code, _slug(phrase.title().replace(" ", "")), phrase, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not repeated: it may hold a secret.
        fields = [{"field": ".".join(map(str, found["loc"])), "message": found["msg"]} for found in error.errors()]
        detail = "; ".join(f"{each['field']}: {each['message']}" for each in fields)
        return problem_response(
            request, 422, "invalid-request", "The request does not have the form that is asked", detail, {"errors": fields}
        )

    @app.exception_handler(Exception)
    async def _fault(request: Request, error: Exception) -> JSONResponse:
        log.error("fault of the admin service", path=request.url.path, exc_info=error)
        detail = "a fault of this service; its log has more under the request's id"
        return problem_response(request, 500, "fault", "Internal Server Error", detail)


def _is_full(error: OperationalError) -> bool:
    """Say whether a database found no room on its disk. Source: SQLite's result codes; PostgreSQL's error codes, class 53."""
    return getattr(error.orig, "sqlite_errorname", "") == "SQLITE_FULL" or getattr(error.orig, "sqlstate", "") == "53100"


def _slug(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
