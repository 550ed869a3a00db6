"""The stack's MinIO: one node, one disk, one bucket."""

import json
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from eartheye.errors import ServerNotStarted
from services.stack.minio_install import minio_program
from services.stack.place import Place
from services.stack.server import Launch, Server

NAME = "minio"
ACCESS_KEY = "eartheye"
BUCKET = "eartheye"
ENVIRONMENT = {"MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
"""Variables beside the account; docker/compose.yaml has the same."""
SYSTEM = ".minio.sys"
FORMAT = Path(SYSTEM) / "format.json"
"""By it the server knows a folder as its own; it writes it at its first start, and takes whatever else lies there for buckets."""
ANSWER_LIMIT_S = 2
MADE_BEFORE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def minio_server() -> Server:
    """Return the description of the server; it has no web console."""
    return Server(
        name=NAME,
        ports={NAME: 9000},
        prepare=_prepare,
        ready=_is_ready,
        furnish=_furnish,
        settings=_settings,
    )


def _prepare(place: Place) -> Launch:
    program, folder = minio_program(place.cache), place.folder(NAME)
    certificates = folder / "certs"  # else it would look into the home of whoever starts it
    certificates.mkdir(exist_ok=True)
    data = folder / "data"
    _refuse_damaged(data)
    command = [str(program), "server", "--quiet", "--address", place.address(NAME), "--certs-dir", str(certificates), str(data)]
    environment = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": place.secret("minio_password")}
    return Launch(command, environment | ENVIRONMENT, without=("MINIO_",))


def _refuse_damaged(data: Path) -> None:
    """Refuse a folder that the server would fail on, or make its own although it holds somebody's files."""
    try:
        json.loads((data / FORMAT).read_text())
    except FileNotFoundError:
        if data.exists() and any(entry.name != SYSTEM for entry in data.iterdir()):
            raise ServerNotStarted(f"{data} holds files but no {FORMAT}: move it away, or put back what is missing") from None
    except ValueError:
        raise ServerNotStarted(f"{data / FORMAT} is damaged: put back what it was, or move {data} away") from None


def _settings(place: Place) -> dict[str, str]:
    return {
        "EARTHEYE_S3_ENDPOINT": place.address(NAME),
        "EARTHEYE_S3_ACCESS_KEY": ACCESS_KEY,
        "EARTHEYE_S3_SECRET_KEY": place.secret("minio_password"),
        "EARTHEYE_S3_SECURE": "false",
    }


def _client(place: Place) -> Minio:
    pool = urllib3.PoolManager(retries=False, timeout=ANSWER_LIMIT_S)
    return Minio(place.address(NAME), ACCESS_KEY, place.secret("minio_password"), secure=False, http_client=pool)


def _is_ready(place: Place) -> bool:
    """Say whether the server takes signed requests; its own health page says so some time before."""
    try:
        _client(place).list_buckets()
    except (MinioException, HTTPError):
        return False
    return True


def _furnish(place: Place) -> None:
    """Make the bucket."""
    try:
        _client(place).make_bucket(BUCKET)
    except (MinioException, HTTPError) as error:
        if not (isinstance(error, S3Error) and error.code in MADE_BEFORE):
            raise ServerNotStarted(f"it runs, and does not make the bucket {BUCKET}: {error}") from error
