"""The admin service as a process."""

import socket
import threading

import uvicorn

from eartheye.errors import InvalidSettings
from eartheye.settings import Settings
from eartheye.telemetry import get_logger
from services.admin.app import create_app
from services.admin.keys.store import create_first_key
from services.admin.pages.mount import mount_pages
from services.admin.platform import open_platform

log = get_logger(__name__)
GRACE_S = 10
"""How long requests in work may take to finish after the stop; a stream of progress would never end by itself."""
BACKLOG = 2048
"""Connections that may wait to be accepted. Source: uvicorn."""
FIRST_WORDS = """First key, role admin; it is shown this once, and in force until {until:%Y-%m-%d}:

    {token}

Replace it before: `eartheye admin key create NAME --role admin`, then `eartheye admin key revoke first`.
"""


def run_admin(settings: Settings, stop: threading.Event) -> None:
    """Serve API and pages until `stop` is set.

    Args:
        settings: the platform, and the address to listen on.
        stop: ends it.

    Raises:
        DatabaseUnavailable: the database does not answer.
        InvalidSettings: the address cannot be listened on.
        SchemaMismatch: it has the schema of another release.
    """
    with open_platform(settings) as platform, listen(settings.admin_host, settings.admin_port) as listening:
        if first := create_first_key(platform.engine):
            print(FIRST_WORDS.format(token=first.token, until=first.key.expires_at), flush=True)
        app = create_app(platform)
        mount_pages(app)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            server_header=False,
        )
        server = uvicorn.Server(config)

        def end() -> None:
            stop.wait()
            server.should_exit = True

        threading.Thread(target=end, name="admin-end", daemon=True).start()
        log.info("admin service listens", address=f"http://{settings.admin_host}:{listening.getsockname()[1]}")
        server.run([listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket on which the service is asked.

    Raises:
        InvalidSettings: the address cannot be had.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG)
    except OSError as error:
        raise InvalidSettings(
            f"EARTHEYE_ADMIN_HOST={host}, EARTHEYE_ADMIN_PORT={port} cannot be listened on ({error}): choose another"
        ) from None
