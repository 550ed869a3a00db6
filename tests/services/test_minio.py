"""The local MinIO server: where its program comes from, and that its buckets outlive it."""

import io
from pathlib import Path

import pytest

from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings
from services.stack.minio import minio_server as description
from services.stack.minio_install import minio_program
from services.stack.place import Place, free_port
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


def test_data_that_are_damaged_or_not_its_own_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("services.stack.minio.minio_program", lambda cache: Path("minio"))
    place = Place(tmp_path, tmp_path)
    place.choose_ports({"minio": free_port()})
    data = tmp_path / "minio" / "data"
    (data / ".minio.sys" / "tmp").mkdir(parents=True)  # of a first start that was killed
    description().prepare(place)
    (data / "photographs").mkdir()
    with pytest.raises(ServerNotStarted, match=r"data holds files but no \.minio\.sys/format\.json: move it away"):
        description().prepare(place)
    (data / ".minio.sys" / "format.json").touch()
    with pytest.raises(ServerNotStarted, match=r"format\.json is damaged: put back what it was, or move .*/data away"):
        description().prepare(place)
    (data / ".minio.sys" / "format.json").write_text('{"version": "1"}')
    assert description().prepare(place).command[-1] == str(data)


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
