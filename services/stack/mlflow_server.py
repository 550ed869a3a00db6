"""The stack's MLflow: tracking and registry on PostgreSQL."""

import sys
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from services.stack.place import LOOPBACK, Place
from services.stack.postgres import MLFLOW, database_url
from services.stack.postgres import NAME as POSTGRES
from services.stack.server import Launch, Server

NAME = "mlflow"
OPTIONS = ("--workers", "1", "--serve-artifacts", "--artifacts-destination")
"""Behind address and port; the folder of artifacts follows. docker/compose.yaml has the same."""
ENVIRONMENT = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Variables beside the address of the database; docker/compose.yaml has the same."""
ANSWER_LIMIT_S = 5


def mlflow_server() -> Server:
    """Return the description of the server. It keeps figures and addresses; weights and pictures lie in the object store."""
    return Server(
        name=NAME,
        ports={NAME: 5000},
        prepare=_prepare,
        ready=_is_ready,
        settings=lambda place: {"EARTHEYE_MLFLOW_TRACKING_URI": f"http://{place.address(NAME)}"},
        needs=(POSTGRES,),
        start_limit_s=240,  # the first start makes the tables
    )


def _prepare(place: Place) -> Launch:
    command = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(place.ports[NAME])]
    command += [*OPTIONS, str(place.folder(NAME) / "artifacts")]
    return Launch(command, {"MLFLOW_BACKEND_STORE_URI": database_url(place, MLFLOW)} | ENVIRONMENT, without=("MLFLOW_",))


def _is_ready(place: Place) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(f"http://{place.address(NAME)}/health", timeout=ANSWER_LIMIT_S) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
