"""A real MinIO for tests: one server a session, one bucket a test."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from minio import Minio

from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings, load
from services.stack.minio import minio_server as description
from services.stack.minio_install import minio_program
from services.stack.place import Place
from tests.servers.stack import running_servers


@dataclass(frozen=True)
class MinioServer:
    """A running server and what leads to it."""

    endpoint: str
    access_key: str
    secret_key: str
    settings: dict[str, str]

    @classmethod
    def at(cls, place: Place) -> "MinioServer":
        """Return the server of a stack."""
        settings = description().settings(place)
        return cls(place.address("minio"), settings["EARTHEYE_S3_ACCESS_KEY"], settings["EARTHEYE_S3_SECRET_KEY"], settings)

    def client(self) -> Minio:
        """Return a client of its administrator."""
        return Minio(self.endpoint, self.access_key, self.secret_key, secure=False)


@pytest.fixture(scope="session")
def minio_binary() -> Path:
    """The server's program; tests that need it are skipped where it can neither be found nor built."""
    try:
        return minio_program(Settings().cache)
    except ServerNotStarted as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def minio_server(minio_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    """A running server with credentials of its own."""
    with running_servers((description(),), tmp_path_factory.mktemp("minio"), Settings().cache) as place:
        yield MinioServer.at(place)


@pytest.fixture
def minio_client(minio_server: MinioServer) -> Minio:
    """A client of the server, for what goes past the store."""
    return minio_server.client()


@pytest.fixture
def s3_bucket(minio_server: MinioServer, minio_client: Minio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URI of a new bucket; the settings point to its server and to an empty cache."""
    for name, value in minio_server.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EARTHEYE_CACHE_DIR", str(tmp_path / "cache"))
    load.cache_clear()
    bucket = f"test-{secrets.token_hex(6)}"
    minio_client.make_bucket(bucket)
    yield f"s3://{bucket}"
    load.cache_clear()
