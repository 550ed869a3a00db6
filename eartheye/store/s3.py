"""A bucket of an S3 server, or a folder in it, as a store of objects."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from minio import Minio
from minio.error import S3Error

from eartheye.errors import InvalidName, MissingBulk
from eartheye.settings import Settings
from eartheye.store.draft import make_local_directory, nameless_draft
from eartheye.store.names import LONGEST_NAME_BYTES
from eartheye.store.patience import patience
from eartheye.store.room import room
from eartheye.store.s3_requests import BACKOFF, CONNECT_TIMEOUT_S, ask

PART_BYTES = 64 * 2**20
"""Objects above this size are sent in parts of it, three at a time; S3 allows 10,000 parts."""
PAGE_KEYS = 1000
"""Keys that S3 lists in one answer."""
MAKER = "x-amz-meta-eartheye-maker"
"""Where an object that is put once carries the mark of the call that put it."""

Answer = TypeVar("Answer")


class S3Store:
    """Objects below a prefix of a bucket; a new one is written to local disk first and sent when it is whole.

    A multipart upload whose process dies is invisible; MinIO removes it after a day, another S3 needs a lifecycle rule
    (AbortIncompleteMultipartUpload).

    Args:
        bucket: must exist.
        prefix: without slashes at its ends, may be empty.
        settings: endpoint, credentials, and the cache folder that new objects are written in.
    """

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._settings = settings

    @property
    def root(self) -> str:
        """The URI of bucket and prefix."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def read(self, name: str) -> bytes | None:
        """Return an object's bytes, None where there is none."""
        return self._ask(lambda client: _get(client, self._bucket, self._key(name)))

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return a part of an object by a ranged request."""
        # a range of no bytes cannot be asked for: a length of 0 means all
        data = self._ask(lambda client: _get(client, self._bucket, self._key(name), start, max(length, 1)))
        if data is None:
            raise MissingBulk(f"{self.root}/{name} is not there: run the step that makes it")
        return data[:length]

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes, None where there is none."""

        def stat(client: Minio) -> int | None:
            try:
                return client.stat_object(self._bucket, self._key(name)).size
            except S3Error as error:
                if error.code == "NoSuchKey":
                    return None
                raise

        return self._ask(stat)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names, a page of keys a request."""
        last: str | None = None
        while True:

            def page(client: Minio, after: str | None = last) -> list[str]:
                found = client.list_objects(self._bucket, prefix=self._prefix + prefix, recursive=True, start_after=after)
                return [str(entry.object_name) for entry in islice(found, PAGE_KEYS)]

            keys = self._ask(page)
            # an empty object whose key ends in a slash is how other programs make a folder
            yield from (key.removeprefix(self._prefix) for key in keys if not key.endswith("/"))
            if len(keys) < PAGE_KEYS:
                return
            last = keys[-1]

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Give a local file to write; it is sent when the block ends well."""
        key, spool = self._key(name), self._settings.cache / "spool"
        make_local_directory(spool)
        what_for, remedy = f"in {spool} to write {self.root}/{name}", "free space, or set EARTHEYE_CACHE_DIR to a larger disk"
        with room(what_for, remedy), nameless_draft(spool) as file:
            yield file
            file.flush()
            self._put(key, file)

    def create_once(self, name: str, data: bytes) -> bool:
        """Put an object under the condition that there is none.

        Where an answer is lost and the request repeated, the server refuses the repetition: the mark tells whose object it is.
        """
        key, mark = self._key(name), secrets.token_hex(16)

        def put(client: Minio) -> bool:
            try:
                # put_object knows no conditions; its own request function signs any header
                client._execute("PUT", self._bucket, key, body=data, headers={"If-None-Match": "*", MAKER: mark})
            except S3Error as error:
                if error.code != "PreconditionFailed":
                    raise
                return _mark(client, self._bucket, key) == mark
            return True

        return self._ask(put)

    def upload(self, name: str, path: Path) -> None:
        """Send a local file, in parts where it is large."""
        with path.open("rb") as file:
            self._put(self._key(name), file)

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._ask(lambda client: client.remove_object(self._bucket, self._key(name)))

    def local_path(self, name: str) -> Path | None:
        """There is no local path."""
        return None

    def gdal_path(self, name: str) -> str:
        """Return the path in GDAL's S3 file system."""
        return f"/vsis3/{self._bucket}/{self._key(name)}"

    def gdal_options(self) -> dict[str, str]:
        """Return endpoint, credentials, time limits, and that GDAL must not remember closed files, nor look for neighbours of open ones."""
        signed = {
            "AWS_ACCESS_KEY_ID": self._settings.s3_access_key,
            "AWS_SECRET_ACCESS_KEY": self._settings.s3_secret_key.get_secret_value(),
        }
        return {
            **(signed if self._settings.s3_access_key else {"AWS_NO_SIGN_REQUEST": "YES"}),
            "AWS_S3_ENDPOINT": self._settings.s3_endpoint,
            "AWS_HTTPS": "YES" if self._settings.s3_secure else "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
            "GDAL_HTTP_CONNECTTIMEOUT": str(CONNECT_TIMEOUT_S),
            "GDAL_HTTP_LOW_SPEED_TIME": str(patience().silence_s),
            "GDAL_HTTP_LOW_SPEED_LIMIT": "1",  # byte a second
            "GDAL_HTTP_MAX_RETRY": str(patience().repeats),
            "GDAL_HTTP_RETRY_DELAY": str(BACKOFF),  # doubled each time; GDAL's own is 30 s
            "CPL_VSIL_CURL_NON_CACHED": "/vsis3/",  # GDAL would remember an outage as a missing file, and an object that was replaced
            "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        }

    def _ask(self, request: Callable[[Minio], Answer]) -> Answer:
        return ask(self._settings, self._bucket, request)

    def _key(self, name: str) -> str:
        key = self._prefix + name
        if len(key.encode()) > LONGEST_NAME_BYTES:
            raise InvalidName(f"the key {key!r} is longer than the {LONGEST_NAME_BYTES} bytes that S3 takes: choose a shorter name")
        return key

    def _put(self, key: str, file: BinaryIO) -> None:
        size = file.seek(0, os.SEEK_END)

        def put(client: Minio) -> None:
            file.seek(0)
            client.put_object(self._bucket, key, file, size, part_size=PART_BYTES)

        self._ask(put)


def _get(client: Minio, bucket: str, key: str, start: int = 0, length: int = 0) -> bytes | None:
    """Return an object's bytes, all for a length of 0; None where there is no object."""
    try:
        response = client.get_object(bucket, key, offset=start, length=length)
    except S3Error as error:
        if error.code == "NoSuchKey":
            return None
        if error.code == "InvalidRange":  # it begins where the object has ended
            return b""
        raise
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def _mark(client: Minio, bucket: str, key: str) -> str | None:
    """Return the mark of the call that put an object once, None where another way made it, or it is gone again."""
    try:
        metadata = client.stat_object(bucket, key).metadata
    except S3Error as error:
        if error.code == "NoSuchKey":
            return None
        raise
    return metadata.get(MAKER) if metadata else None
