"""What only an S3 server brings: networks that break, credentials, buckets. The server is a real MinIO."""

import io
import pickle
import random
import subprocess
import sys

import pytest
from minio import MinioAdmin
from minio.credentials import StaticProvider

from eartheye.errors import FolderRefused, InvalidSettings, StoreFull, StoreUnavailable
from eartheye.settings import load
from eartheye.store import Folder
from eartheye.store.s3 import PART_BYTES
from services.stack.minio import minio_server as description
from tests.servers.minio import MinioServer
from tests.servers.proxy import breaking_proxy
from tests.servers.stack import running_servers

pytestmark = pytest.mark.server

ON_A_SMALL_DISK = """#!/bin/sh
exec unshare --map-root-user --mount sh -c 'mount -t tmpfs -o size=48m none "$0" && exec "$@"' {data} {program} "$@"
"""


@pytest.fixture
def folder(s3_bucket):
    return Folder(f"{s3_bucket}/runs")


def settings(monkeypatch, **values):
    for name, value in values.items():
        monkeypatch.setenv(f"EARTHEYE_{name.upper()}", str(value))
    load.cache_clear()


def put(folder, name, data):
    with folder.create(name) as file:
        file.write(data)


def first(method, times=1):
    """Break off the answers to the first requests of a method, before a byte has come."""
    left = [times]

    def passing_bytes(line):
        if not line.startswith(method) or not left[0] or "location=" in line:
            return None
        left[0] -= 1
        return 0

    return passing_bytes


class TestBrokenConnections:
    def test_put_once_knows_its_own_object_when_the_answer_was_lost(self, folder, minio_server, monkeypatch):
        with breaking_proxy(minio_server.endpoint, first("PUT")) as proxy:
            settings(monkeypatch, s3_endpoint=proxy.endpoint)
            assert Folder(folder.root).create_once("outcome", b"mine")
            assert sum(line.startswith("PUT") for line in proxy.requests) == 2
            assert not Folder(folder.root).create_once("outcome", b"mine")
        assert folder.read("outcome") == b"mine"

    def test_what_breaks_off_midway_is_read_again(self, folder, minio_server, monkeypatch):
        data = random.Random(0).randbytes(3_000_000)
        put(folder, "x", data)
        lengths = [1_000_000]

        def passing_bytes(line):
            return lengths.pop() if lengths and line.startswith("GET") and "location=" not in line else None

        with breaking_proxy(minio_server.endpoint, passing_bytes) as proxy:
            settings(monkeypatch, s3_endpoint=proxy.endpoint)
            assert Folder(folder.root).read("x") == data
        assert not lengths

    def test_a_part_whose_answer_is_lost_is_sent_again(self, folder, minio_server, minio_client, monkeypatch):
        with breaking_proxy(minio_server.endpoint, first("PUT", times=2)) as proxy:
            settings(monkeypatch, s3_endpoint=proxy.endpoint)
            put(Folder(folder.root), "x", bytes(PART_BYTES + 1))
        bucket = folder.root.split("/")[2]
        assert minio_client.stat_object(bucket, "runs/x").size == PART_BYTES + 1
        assert minio_client.stat_object(bucket, "runs/x").etag.endswith("-2"), "it came in two parts"

    def test_no_answer_at_all_is_told(self, folder, monkeypatch):
        settings(monkeypatch, s3_endpoint="127.0.0.1:1")
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1 does not answer .* set EARTHEYE_S3_ENDPOINT"):
            Folder(folder.root).read("x")


class TestRefusals:
    @pytest.mark.parametrize(
        ("wrong", "raised", "told"),
        [
            ({"s3_secret_key": "not the secret"}, StoreUnavailable, "SignatureDoesNotMatch.*set EARTHEYE_S3_ACCESS_KEY and .*_SECRET_KEY"),
            ({"s3_access_key": "nobody"}, StoreUnavailable, "InvalidAccessKeyId.*set EARTHEYE_S3_ACCESS_KEY and .*_SECRET_KEY"),
            ({"s3_access_key": "", "s3_secret_key": ""}, FolderRefused, "denies access to s3://test-.*set another user"),
        ],
        ids=["secret", "user", "nobody"],
    )
    def test_wrong_credentials_are_told(self, folder, monkeypatch, wrong, raised, told):
        settings(monkeypatch, **wrong)
        other = Folder(folder.root)
        uses = [lambda: other.read("x"), lambda: other.exists("x"), lambda: list(other.list()), lambda: other.create_once("x", b"")]
        for use in [*uses, lambda: put(other, "x", b""), lambda: other.delete("x")]:
            with pytest.raises(raised, match=told):
                use()

    def test_a_missing_bucket_is_told(self, s3_bucket):
        folder = Folder(f"{s3_bucket}-other/runs")
        for use in (
            lambda: folder.read("x"),
            lambda: folder.exists("x"),
            lambda: list(folder.list()),
            lambda: folder.create_once("x", b""),
        ):
            with pytest.raises(FolderRefused, match=r"there is no bucket test-.*-other at .*: make it"):
                use()

    def test_tls_to_a_server_without_it_is_told(self, folder, monkeypatch):
        settings(monkeypatch, s3_secure="true")
        with pytest.raises(StoreUnavailable, match="set EARTHEYE_S3_SECURE=false"):
            Folder(folder.root).read("x")

    def test_an_endpoint_that_is_no_host_is_told(self, folder, monkeypatch):
        settings(monkeypatch, s3_endpoint="http://127.0.0.1:9000/path")
        with pytest.raises(InvalidSettings, match="EARTHEYE_S3_ENDPOINT is host and port"):
            Folder(folder.root).read("x")

    def test_a_cache_folder_that_cannot_be_is_told(self, folder, tmp_path, monkeypatch):
        (tmp_path / "file").write_bytes(b"")
        settings(monkeypatch, cache_dir=tmp_path / "file")
        with pytest.raises(StoreUnavailable, match="set EARTHEYE_CACHE_DIR"):
            put(Folder(folder.root), "x", b"")

    def test_a_full_server_is_told(self, minio_binary, tmp_path, monkeypatch):
        if subprocess.run(["unshare", "--map-root-user", "--mount", "true"], capture_output=True, check=False).returncode:
            pytest.skip("this system lets nobody make a mount namespace")
        data, program = tmp_path / "stack" / "minio" / "data", tmp_path / "programs" / "bin" / "minio"
        for folder in (data, program.parent):
            folder.mkdir(parents=True)
        program.write_text(ON_A_SMALL_DISK.format(data=data, program=minio_binary))
        program.chmod(0o755)
        with running_servers((description(),), tmp_path / "stack", tmp_path / "programs") as place:
            server = MinioServer.at(place)
            settings(monkeypatch, cache_dir=tmp_path / "cache", **{k.removeprefix("EARTHEYE_"): v for k, v in server.settings.items()})
            server.client().make_bucket("full")
            folder = Folder("s3://full")
            put(folder, "fits", bytes(1_000_000))
            with pytest.raises(StoreFull, match="no room in s3://full"):
                put(folder, "too large", random.Random(0).randbytes(80_000_000))
            assert list(folder.list()) == ["fits"]
        load.cache_clear()

    def test_a_bucket_with_a_quota_that_is_reached_is_told(self, folder, minio_server):
        bucket = folder.root.split("/")[2]
        administrator = StaticProvider(minio_server.access_key, minio_server.secret_key)
        MinioAdmin(endpoint=minio_server.endpoint, credentials=administrator, secure=False).bucket_quota_set(bucket, 1_000_000)
        for use in (lambda: put(folder, "x", bytes(2_000_000)), lambda: folder.create_once("x", bytes(2_000_000))):
            with pytest.raises(StoreFull, match=rf"no room in s3://{bucket} at {minio_server.endpoint} \(Bucket quota exceeded"):
                use()
        assert list(folder.list()) == []


class TestUnfinished:
    def test_an_upload_in_parts_is_not_seen_before_its_end(self, folder, minio_client):
        bucket = folder.root.split("/")[2]
        upload = minio_client._create_multipart_upload(bucket, "runs/x", {})
        minio_client._upload_part(bucket, "runs/x", bytes(5 * 2**20), None, upload, 1)
        assert list(folder.list()) == []
        assert folder.read("x") is None

    def test_a_killed_writer_leaves_no_local_file(self, folder, tmp_path):
        script = "import os, signal, sys\nfrom eartheye.store import Folder\nwith Folder(sys.argv[1]).create('x') as file:\n"
        script += "    file.write(bytes(10**6)); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
        assert subprocess.run([sys.executable, "-c", script, folder.root], check=False).returncode == -9
        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []

    def test_folders_that_other_programs_make_are_no_objects(self, folder, minio_client):
        bucket = folder.root.split("/")[2]
        minio_client.put_object(bucket, "runs/made-by-console/", io.BytesIO(b""), 0)
        put(folder, "x", b"")
        assert list(folder.list()) == ["x"]


def test_the_secret_is_in_no_message_and_no_pickle(folder, minio_server):
    assert minio_server.secret_key not in repr(folder)
    assert minio_server.secret_key.encode() not in pickle.dumps(folder)
