"""A real MinIO for tests: one server a session, one bucket a test."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio

from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings, load
from services.stack.minio import MinioServer, minio_program, start_minio


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
    data = tmp_path_factory.mktemp("minio") / "data"
    server = start_minio(data, program=minio_binary, access_key=secrets.token_hex(8), secret_key=secrets.token_hex(16))
    yield server
    server.stop()


@pytest.fixture
def minio_client(minio_server: MinioServer) -> Minio:
    """A client of the server, for what goes past the store."""
    return Minio(minio_server.endpoint, minio_server.access_key, minio_server.secret_key, secure=False)


@pytest.fixture
def s3_bucket(minio_server: MinioServer, minio_client: Minio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URI of a new bucket; the settings point to its server and to an empty cache."""
    for name, value in minio_server.settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EARTHEYE_CACHE_DIR", str(tmp_path / "cache"))
    load.cache_clear()
    bucket = f"test-{secrets.token_hex(6)}"
    minio_client.make_bucket(bucket)
    yield f"s3://{bucket}"
    load.cache_clear()
