"""What surrounds every request: an id, a limit to its body, little patience with the object store, a line in the log, a count."""

import re
import time
import uuid
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eartheye.store import hurried
from eartheye.telemetry import get_logger
from services.admin.metrics.counters import REQUEST_SECONDS, REQUESTS
from services.admin.problems import problem_response

log = get_logger(__name__)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
BODY_LIMIT_BYTES = 1024 * 1024
"""The largest body that is read. The API takes small JSON; imagery goes to the object store."""
SECURITY = {
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""Sent with every response. A page may load from this host alone; NiceGUI's own scripts lie within the page."""
SCRIPTS = "/_nicegui/"
"""Where the pages' scripts lie, which a browser may keep. All else may hold what only a key opens, a token even: it is kept nowhere, unless
its route says otherwise."""


class RequestSurroundings:
    """Give each request an id (its own, where the caller sent one), and note how it ended.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        scope["request_id"] = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        status, began = HTTPStatus.INTERNAL_SERVER_ERROR.value, time.perf_counter()

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY | {"X-Request-Id": scope["request_id"]})
                if not scope["path"].startswith(SCRIPTS):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=scope["request_id"]):
            try:
                await self._app(scope, receive, send_noted)
            finally:
                route = getattr(scope.get("route"), "path", "other")
                seconds = time.perf_counter() - began
                REQUESTS.labels(scope["method"], route, status).inc()
                REQUEST_SECONDS.labels(route).observe(seconds)
                if route.startswith("/v1/"):
                    log.info("request", method=scope["method"], path=scope["path"], status=status, seconds=round(seconds, 4))


class Hurry:
    """Give the object store up after some silent seconds: whoever asks this service waits for the answer, and holds a thread of it.

    That goes for pages too: their looks and clicks run in tasks that begin in a request or in its web socket.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        with hurried():
            await self._app(scope, receive, send)


class BodyLimit:
    """Refuse a body over the limit: by its announced length before a byte is read, otherwise as soon as it has grown too large.

    Args:
        app: the application inside.
        limit_bytes: the largest body that is read.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int = BODY_LIMIT_BYTES) -> None:
        self._app, self._limit_bytes = app, limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self._limit_bytes:
            await self._refuse(scope, receive, send)
            return
        seen, refused = 0, False

        async def receive_counted() -> Message:
            nonlocal seen, refused
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit_bytes and not refused:
                refused = True
                await self._refuse(scope, receive, send)
            return {"type": "http.disconnect"} if refused else message

        async def send_unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        await self._app(scope, receive_counted, send_unless_refused)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"the body is larger than {self._limit_bytes:,} bytes: put imagery into the object store and send its address"
        response = problem_response(Request(scope), 413, "body-too-large", "Content Too Large", detail)
        response.headers["Connection"] = "close"  # what was not read must not be taken for the next request
        await response(scope, receive, send)
