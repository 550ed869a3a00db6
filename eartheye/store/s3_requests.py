"""Requests to an S3 server: the connection, what is tried again, and what a failure means to the user."""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import tenacity
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError, SSLError

from eartheye.errors import CredentialsRefused, FolderRefused, InvalidSettings, StoreFull, StoreUnavailable, UserError
from eartheye.settings import Settings
from eartheye.store.patience import Patience, patience

CONNECT_TIMEOUT_S = 5
CONNECTIONS = 16
BACKOFF = 0.3
"""A request is repeated after 0, 0.6, 1.2 and 2.4 s. Every request may be."""
PASSING_CODES = ("ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "SlowDown", "SlowDownRead", "SlowDownWrite")
WRONG_CREDENTIALS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "InvalidTokenId", "ExpiredToken")
FULL = ("XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "EntityTooLarge")

Answer = TypeVar("Answer")


def ask(settings: Settings, bucket: str, request: Callable[[Minio], Answer]) -> Answer:
    """Make a request, and again where it broke off midway, as patiently as the caller is; `request` must bear being called several times.

    Args:
        settings: endpoint and credentials.
        bucket: what the request is about, for messages.
        request: called with the client of this process.

    Raises:
        StoreUnavailable: no answer, or not an S3 server; CredentialsRefused: wrong credentials.
        FolderRefused: no such bucket, or no access to it.
        StoreFull: the server has no room left.
    """
    patient = patience()
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(patient.attempts),
        wait=tenacity.wait_exponential_jitter(initial=0.2, max=5),
        retry=tenacity.retry_if_exception(_passes),
        reraise=True,
    )
    client = _connect(settings, os.getpid(), patient)
    try:
        return attempts(request, client)
    except (MinioException, HTTPError) as error:
        raise _explain(error, settings.s3_endpoint, bucket) from error


@lru_cache(maxsize=8)
def _connect(settings: Settings, process: int, patient: Patience) -> Minio:
    """Return the client of this process; a child of a fork must not go on with its parent's connections."""
    try:
        return Minio(
            settings.s3_endpoint,
            access_key=settings.s3_access_key or None,
            secret_key=settings.s3_secret_key.get_secret_value() or None,
            secure=settings.s3_secure,
            http_client=connections(patient),
        )
    except ValueError as error:
        raise InvalidSettings(
            f"{error}: EARTHEYE_S3_ENDPOINT is host and port, as minio:9000; EARTHEYE_S3_ACCESS_KEY and _SECRET_KEY go together"
        ) from error


def connections(patient: Patience) -> urllib3.PoolManager:
    """Return a pool of connections with the time limits and repetitions of all requests."""
    return urllib3.PoolManager(
        maxsize=CONNECTIONS,
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=patient.silence_s),
        retries=urllib3.Retry(
            total=patient.repeats,
            backoff_factor=BACKOFF,
            status_forcelist=(500, 502, 503, 504),
            raise_on_status=False,
            respect_retry_after_header=False,  # MinIO asks for a minute whatever it is; while it starts up it means a second
        ),
    )


def _passes(error: BaseException) -> bool:
    """Say whether the same request may well succeed in a moment."""
    if isinstance(error, S3Error):
        return error.code in PASSING_CODES
    return isinstance(error, (ProtocolError, ReadTimeoutError))


def _explain(error: MinioException | HTTPError, endpoint: str, bucket: str) -> UserError | MinioException:
    """Return the error to raise: what the user can mend, or the fault itself."""
    if isinstance(error, S3Error):
        if error.code in WRONG_CREDENTIALS:
            return CredentialsRefused(
                f"the object store {endpoint} refuses the credentials ({error.code}): set EARTHEYE_S3_ACCESS_KEY and EARTHEYE_S3_SECRET_KEY"
            )
        if error.code == "AccessDenied":
            return FolderRefused(
                f"the object store {endpoint} denies access to s3://{bucket}: give the user of EARTHEYE_S3_ACCESS_KEY a policy "
                "that lists, reads and writes it, or set another user"
            )
        if error.code == "NoSuchBucket":
            return FolderRefused(f"there is no bucket {bucket} at {endpoint}: make it, or choose another folder")
        if error.code == "RequestTimeTooSkewed":
            return StoreUnavailable(f"the clocks of this machine and of {endpoint} differ too much: set them")
        if error.code in FULL or "no space left" in (error.message or ""):
            return StoreFull(f"no room in s3://{bucket} at {endpoint} ({error.message}): free space there, or choose another bucket")
        if error.response.status < 500:
            return error
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, SSLError):
        return StoreUnavailable(
            f"no trusted TLS connection to the object store {endpoint} ({reason}): set EARTHEYE_S3_SECURE=false if it speaks plain "
            "HTTP, or SSL_CERT_FILE to its authority's certificate"
        )
    return StoreUnavailable(
        f"the object store {endpoint} does not answer as S3 does ({reason}): start it, or set EARTHEYE_S3_ENDPOINT, and "
        "EARTHEYE_S3_SECURE=true if it speaks TLS"
    )
