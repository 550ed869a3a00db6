"""A user of a MinIO that is our own, who may do nothing but work in the platform's buckets."""

from collections.abc import Iterable

from minio import MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException
from urllib3.exceptions import HTTPError

from eartheye.errors import InvalidSettings, StoreUnavailable
from eartheye.settings import Settings
from eartheye.store.patience import PATIENT
from eartheye.store.s3_requests import connections

POLICY = "eartheye"
IN_BUCKET = ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads")
ON_OBJECTS = ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts")


def as_administrator(settings: Settings) -> Settings:
    """Return settings under which the object store is asked by its administrator."""
    return settings.model_copy(update={"s3_access_key": settings.s3_root_user, "s3_secret_key": settings.s3_root_password})


def ensure_user(buckets: Iterable[str], settings: Settings) -> None:
    """Make the user of `s3_access_key`, or give it the secret key and the buckets of now.

    Args:
        buckets: where it may list, read, write and remove.
        settings: endpoint, the administrator, and the user.

    Raises:
        InvalidSettings: the user is not named, or is the administrator.
        StoreUnavailable: the server does not answer, refuses, or is no MinIO.
    """
    user, password = settings.s3_access_key, settings.s3_secret_key.get_secret_value()
    if not user or not password or user == settings.s3_root_user:
        raise InvalidSettings(
            "EARTHEYE_S3_ACCESS_KEY and EARTHEYE_S3_SECRET_KEY name the user to be made: set both, and another than EARTHEYE_S3_ROOT_USER"
        )
    administrator = MinioAdmin(
        endpoint=settings.s3_endpoint,
        credentials=StaticProvider(settings.s3_root_user, settings.s3_root_password.get_secret_value()),
        secure=settings.s3_secure,
        http_client=connections(PATIENT),
    )
    try:
        administrator.policy_add(POLICY, policy=policy_of(buckets))
        administrator.user_add(user, password)
        administrator.policy_set(POLICY, user=user)
    except (MinioAdminException, HTTPError) as error:
        raise StoreUnavailable(
            f"MinIO at {settings.s3_endpoint} did not make the user of EARTHEYE_S3_ACCESS_KEY ({error}): set EARTHEYE_S3_ENDPOINT, "
            "EARTHEYE_S3_ROOT_USER and EARTHEYE_S3_ROOT_PASSWORD to those of a MinIO that runs"
        ) from error


def policy_of(buckets: Iterable[str]) -> dict[str, object]:
    """Return what a user of the buckets may do, as S3 writes it."""
    names = sorted(buckets)
    statements = [
        {"Effect": "Allow", "Action": [f"s3:{verb}" for verb in IN_BUCKET], "Resource": [f"arn:aws:s3:::{name}" for name in names]},
        {"Effect": "Allow", "Action": [f"s3:{verb}" for verb in ON_OBJECTS], "Resource": [f"arn:aws:s3:::{name}/*" for name in names]},
    ]
    return {"Version": "2012-10-17", "Statement": statements}
