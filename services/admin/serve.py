"""The admin service as a process."""

import os
import signal

import uvicorn

from eartheye.settings import Settings
from eartheye.telemetry import get_logger
from services.admin.app import create_app
from services.admin.keys.store import create_first_key
from services.admin.pages.mount import mount_pages
from services.admin.platform import open_platform

log = get_logger(__name__)
GRACE_S = 10
"""How long requests in work may take to finish after the stop; a stream of progress would never end by itself."""
MLFLOW_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""MLflow's client would ask a server that is down for minutes; whoever looks at a page is told sooner."""


def run_admin(settings: Settings) -> None:
    """Serve API and pages until SIGTERM or Ctrl-C; uvicorn sees to both.

    Args:
        settings: the platform, and the address to listen on.

    Raises:
        DatabaseUnavailable: the database does not answer.
        SchemaMismatch: it has the schema of another release.
    """
    for name, value in MLFLOW_PATIENCE.items():
        os.environ.setdefault(name, value)
    with open_platform(settings) as platform:
        if first := create_first_key(platform.engine):
            print(f"First key, role admin; it is shown this once:\n\n    {first.token}\n", flush=True)
        app = create_app(platform)
        mount_pages(app)
        config = uvicorn.Config(
            app,
            host=settings.admin_host,
            port=settings.admin_port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            server_header=False,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)  # uvicorn ends at them, and then raises them again for whoever listened before
        uvicorn.Server(config).run()
