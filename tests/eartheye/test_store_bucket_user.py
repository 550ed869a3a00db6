"""The platform's own user of a MinIO works in its buckets, and does nothing else."""

import pytest
from minio import MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException

from eartheye.errors import FolderRefused, InvalidSettings, StoreUnavailable
from eartheye.settings import Settings, load
from eartheye.store import Folder
from eartheye.store.bucket_user import as_administrator, ensure_user
from eartheye.store.buckets import ensure_buckets
from services.cli.buckets import buckets

pytestmark = pytest.mark.server


@pytest.fixture
def platform(s3_bucket, minio_server, monkeypatch):
    """Settings as the job of the cluster has them; the user is not made yet."""
    given = {
        "EARTHEYE_S3_ROOT_USER": minio_server.access_key,
        "EARTHEYE_S3_ROOT_PASSWORD": minio_server.secret_key,
        "EARTHEYE_S3_ACCESS_KEY": "platform",
        "EARTHEYE_S3_SECRET_KEY": "a password of its own",
        "EARTHEYE_ALLOWED_ROOTS": f'["{s3_bucket}/scenes"]',
        "EARTHEYE_JOB_WORK": "s3://work-of-jobs/blocks",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    load.cache_clear()
    yield load()
    load.cache_clear()


def test_the_user_works_in_the_buckets_and_in_no_other(platform, s3_bucket, minio_client):
    if not minio_client.bucket_exists("of-another"):
        minio_client.make_bucket("of-another")
    buckets()
    buckets()  # once more changes nothing
    folder = Folder(f"{s3_bucket}/scenes")
    with folder.create("scene.tif") as file:
        file.write(b"pixels")
    with folder.open(folder.bulk("scene.tif")) as file:
        assert file.read() == b"pixels"
    assert folder.create_once("once.json", b"{}")
    folder.delete_all("")
    assert list(folder.list()) == []
    assert not Folder("s3://work-of-jobs/blocks").exists("outcome.json")
    with pytest.raises(FolderRefused, match="denies access to s3://of-another"):
        Folder("s3://of-another").exists("anything")
    with pytest.raises(FolderRefused, match="denies access"):
        ensure_buckets(["s3://made-never"], platform)


def test_the_user_is_no_administrator(platform, minio_server):
    buckets()
    credentials = StaticProvider(platform.s3_access_key, platform.s3_secret_key.get_secret_value())
    with pytest.raises(MinioAdminException, match="Access Denied"):
        MinioAdmin(endpoint=minio_server.endpoint, credentials=credentials, secure=False).user_list()


def test_a_user_that_is_the_administrator_is_refused(platform):
    same = as_administrator(platform)
    with pytest.raises(InvalidSettings, match="another than EARTHEYE_S3_ROOT_USER"):
        ensure_user(["work-of-jobs"], same)


def test_a_wrong_password_of_the_administrator_is_told(platform, monkeypatch):
    monkeypatch.setenv("EARTHEYE_S3_ROOT_PASSWORD", "not the one")
    with pytest.raises(StoreUnavailable, match="EARTHEYE_S3_ROOT_PASSWORD"):
        ensure_user(["work-of-jobs"], Settings())
