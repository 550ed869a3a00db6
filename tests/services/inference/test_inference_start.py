"""A role that may not use the folder of the blocks takes no part. The server is a real MinIO; the broker is none, for it comes later."""

import os
import threading

import pytest

from eartheye.errors import BusUnavailable, CredentialsRefused, FolderRefused
from eartheye.settings import Settings, load
from services.inference.service import run_assembler, run_planner, run_worker
from services.stack.place import free_port

pytestmark = [pytest.mark.server, pytest.mark.parametrize("role", [run_planner, run_worker, run_assembler])]


@pytest.fixture
def settings(s3_bucket, tmp_path) -> Settings:
    broker = f"127.0.0.1:{free_port()}"
    return Settings(kafka_bootstrap=broker, kafka_timeout_s=0.5, database_url=f"sqlite:///{tmp_path}/jobs.db", job_work=f"{s3_bucket}/work")


def test_a_role_whose_credentials_are_refused_ends(role, settings, monkeypatch):
    monkeypatch.setenv("EARTHEYE_S3_SECRET_KEY", "not the one")
    with pytest.raises(CredentialsRefused, match="refuses the credentials"):
        role(settings, threading.Event())


def test_a_role_whose_bucket_is_not_there_ends(role, settings):
    elsewhere = settings.model_copy(update={"job_work": "s3://made-never/work"})
    with pytest.raises(FolderRefused, match="there is no bucket made-never"):
        role(elsewhere, threading.Event())


def test_a_role_waits_for_a_store_that_is_silent(role, settings, minio_server, monkeypatch):
    class Starting(threading.Event):
        """The store comes up while the role waits."""

        def wait(self, timeout: float | None = None) -> bool:
            monkeypatch.setenv("EARTHEYE_S3_ENDPOINT", minio_server.endpoint)
            load.cache_clear()
            return False

    monkeypatch.setenv("EARTHEYE_S3_ENDPOINT", f"127.0.0.1:{free_port()}")
    with pytest.raises(BusUnavailable):
        role(settings, Starting())
    assert os.environ["EARTHEYE_S3_ENDPOINT"] == minio_server.endpoint
