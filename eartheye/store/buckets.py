"""Buckets of an S3 server that is our own: a store expects its bucket to be there."""

from collections.abc import Iterable

from minio import Minio
from minio.error import S3Error

from eartheye.settings import Settings
from eartheye.store.s3_requests import ask

MADE_BY_ANOTHER = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def ensure_buckets(roots: Iterable[str], settings: Settings) -> list[str]:
    """Make the buckets that are not there.

    Args:
        roots: folders, as `s3://bucket/prefix`; those that lie elsewhere need no bucket.
        settings: endpoint and credentials.

    Returns:
        The buckets, in order of name.

    Raises:
        StoreUnavailable: the server does not answer, or refuses the credentials.
        FolderRefused: it denies access to a bucket.
    """
    buckets = sorted({root.removeprefix("s3://").partition("/")[0] for root in roots if root.startswith("s3://")})
    for bucket in buckets:

        def make(client: Minio, name: str = bucket) -> None:
            if client.bucket_exists(name):
                return
            try:
                client.make_bucket(name)
            except S3Error as error:
                if error.code not in MADE_BY_ANOTHER:
                    raise

        ask(settings, bucket, make)
    return buckets
