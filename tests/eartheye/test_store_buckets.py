"""Buckets are made where they are missing."""

import pytest

from eartheye.errors import StoreUnavailable
from eartheye.settings import Settings
from eartheye.store.buckets import ensure_buckets


@pytest.mark.server
def test_buckets_are_made_once(s3_bucket, minio_client):
    roots = [s3_bucket, "s3://made-just-now/work", "s3://made-just-now", "/a/directory"]
    expected = sorted([s3_bucket.removeprefix("s3://"), "made-just-now"])
    assert ensure_buckets(roots, Settings()) == expected
    assert minio_client.bucket_exists("made-just-now")
    assert ensure_buckets(roots, Settings()) == expected


@pytest.mark.server
def test_wrong_credentials_are_told(s3_bucket, monkeypatch):
    monkeypatch.setenv("EARTHEYE_S3_SECRET_KEY", "not the one")
    with pytest.raises(StoreUnavailable, match="refuses the credentials"):
        ensure_buckets(["s3://made-never"], Settings())
