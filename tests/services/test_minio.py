"""The local MinIO server: where its program comes from, and that its buckets outlive it."""

import io
from pathlib import Path

import pytest

from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings
from services.stack.minio import minio_server as description
from services.stack.minio_install import minio_program
from tests.servers.minio import MinioServer
from tests.servers.stack import running_servers


@pytest.mark.server
def test_buckets_outlive_a_restart(minio_binary, tmp_path):
    for expected in (["eartheye"], ["eartheye", "kept"]):
        with running_servers((description(),), tmp_path, Settings().cache) as place:
            client = MinioServer.at(place).client()
            assert [bucket.name for bucket in client.list_buckets()] == expected
            if "kept" not in expected:
                client.make_bucket("kept")
                client.put_object("kept", "object", io.BytesIO(b"content"), 7)
            else:
                assert client.get_object("kept", "object").data == b"content"


def test_without_program_and_go_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerNotStarted, match=r"no Go: put a `minio` program on PATH, or install Go >= 1\.24"):
        minio_program(tmp_path / "cache")


def test_an_old_go_is_not_tried(tmp_path, monkeypatch):
    go = Path(tmp_path / "go")
    go.write_text("#!/bin/sh\necho go1.19.8\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ServerNotStarted, match=r"Go is go1\.19\.8"):
        minio_program(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_program_on_the_path_is_taken_before_building(tmp_path, monkeypatch):
    program = tmp_path / "minio"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert minio_program(tmp_path / "cache") == program
