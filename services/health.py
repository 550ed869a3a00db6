"""What a role answers to those who watch it: its metrics, whether it lives, and whether it can work."""

import threading
import time
from collections.abc import Callable, Iterable
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from eartheye.bus import check_broker
from eartheye.errors import BusUnavailable, InvalidSettings
from eartheye.settings import Settings
from eartheye.telemetry import PULSE, Pulse

LIMIT_S = 3.0
"""A broker that takes longer counts as away."""
FRESH_S = 2.0
"""For how long an answer is given again: however many ask, the broker is asked this often."""

TEXT = ("Content-Type", "text/plain; charset=utf-8")


def offer_health(settings: Settings) -> None:
    """Answer `/metrics`, `/v1/health/live` and `/v1/health/ready` at the port of the settings from now on, in threads of its own.

    Args:
        settings: the port, on every address of this machine, 0 for not at all; and the broker.

    Raises:
        InvalidSettings: the port cannot be had.
    """
    if not settings.metrics_port:
        return
    answers = Answers(PULSE, Broker(settings).fault)
    try:
        server = make_server("", settings.metrics_port, answers, ThreadingWSGIServer, handler_class=Silent)
    except OSError as error:
        raise InvalidSettings(f"EARTHEYE_METRICS_PORT={settings.metrics_port} cannot be listened on ({error}): choose a free one") from None
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()


class Answers:
    """A WSGI application: 200 where all is well, 503 with the reason where it is not. The paths are those of the admin service.

    It lives while its loops turn, whatever is away: to start it anew would mend nothing. It is ready while it can be given work too.

    Args:
        pulse: the loops.
        broker_fault: says why the broker cannot be reached, None where it can.
    """

    def __init__(self, pulse: Pulse, broker_fault: Callable[[], str | None]) -> None:
        self._pulse, self._broker_fault = pulse, broker_fault
        self._metrics = make_wsgi_app()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        match environ["PATH_INFO"]:
            case "/metrics":
                return self._metrics(environ, start_response)
            case "/v1/health/live":
                fault = self._pulse.fault()
            case "/v1/health/ready":
                fault = self._pulse.fault() or self._broker_fault()
            case _:
                start_response("404 Not Found", [TEXT])
                return [b"there are /metrics, /v1/health/live and /v1/health/ready\n"]
        start_response("503 Service Unavailable" if fault else "200 OK", [TEXT])
        return [f"{fault or 'well'}\n".encode()]


class Broker:
    """Whether the broker can be reached.

    Args:
        settings: where it is, and as whom.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._asked_at_s = float("-inf")
        self._fault: str | None = None

    def fault(self) -> str | None:
        """Return why it cannot, None where it can."""
        with self._lock:
            if time.monotonic() - self._asked_at_s > FRESH_S:
                try:
                    check_broker(self._settings, LIMIT_S)
                    self._fault = None
                except BusUnavailable as error:
                    self._fault = str(error)
                self._asked_at_s = time.monotonic()
            return self._fault


class Silent(WSGIRequestHandler):
    """Says nothing of requests: a probe comes every few seconds."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
