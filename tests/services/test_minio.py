"""The local MinIO server: started, restarted, refused."""

import io
import socket
from pathlib import Path

import pytest
from minio import Minio

from eartheye.errors import ServerNotStarted
from services.stack.minio import minio_program, start_minio


@pytest.mark.server
def test_buckets_outlive_a_restart(minio_binary, tmp_path):
    for expected in ([], ["kept"]):
        server = start_minio(tmp_path / "data", program=minio_binary, access_key="user", secret_key="password")
        try:
            client = Minio(server.endpoint, "user", "password", secure=False)
            assert [bucket.name for bucket in client.list_buckets()] == expected
            if not expected:
                client.make_bucket("kept")
                client.put_object("kept", "object", io.BytesIO(b"content"), 7)
            else:
                assert client.get_object("kept", "object").data == b"content"
        finally:
            server.stop()
        assert server.process.poll() is not None
    assert server.settings()["EARTHEYE_S3_ENDPOINT"] == server.endpoint


@pytest.mark.server
def test_a_taken_port_is_told_with_the_servers_own_words(minio_binary, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerNotStarted, match=rf"MinIO on 127.0.0.1:{port} ended with code 1(?s:.*)port is already in use"):
            start_minio(tmp_path / "data", program=minio_binary, access_key="user", secret_key="password", port=port)


def test_a_server_that_never_answers_is_ended(tmp_path):
    program = tmp_path / "minio"
    program.write_text("#!/bin/sh\necho still thinking\nexec sleep 600\n")
    program.chmod(0o755)
    with pytest.raises(ServerNotStarted, match=r"did not answer within 0\.5 s; see .*data\.log: still thinking"):
        start_minio(tmp_path / "data", program=program, access_key="user", secret_key="password", timeout_s=0.5)


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
