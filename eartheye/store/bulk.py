"""A bulk object as a manifest names it: how large it is, and what is in it."""

import hashlib
import os
from typing import Annotated, BinaryIO

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from eartheye.errors import CorruptBulk
from eartheye.store.names import check_name

READ_CHUNK_BYTES = 2**20


class Bulk(BaseModel):
    """Name, size and digest of an object."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, AfterValidator(check_name)]
    """Relative to the folder that the manifest lies in."""
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Digest of the content, in hexadecimal."""


_verified: set[tuple[int, int, int, str]] = set()
"""Device, inode, time of change and digest of the files that this process has read and found right."""


def describe(name: str, file: BinaryIO) -> Bulk:
    """Return the bulk that an open file's whole content makes; reads it once, and leaves it at its end."""
    content = hashlib.sha256()
    file.seek(0)
    while data := file.read(READ_CHUNK_BYTES):
        content.update(data)
    return Bulk(name=name, size=file.tell(), sha256=content.hexdigest())


def verify(file: BinaryIO, bulk: Bulk, where: str) -> None:
    """Compare an open local file with what its manifest says; a process reads an unchanged file once.

    Args:
        file: a file on disk; left at its beginning.
        bulk: what it should be.
        where: root of its folder, for the message.

    Raises:
        CorruptBulk: size or digest differ.
    """
    facts = os.fstat(file.fileno())
    identity = (facts.st_dev, facts.st_ino, facts.st_mtime_ns, bulk.sha256)
    check_size(facts.st_size, bulk, where)
    if identity not in _verified:
        sha256 = describe(bulk.name, file).sha256
        if sha256 != bulk.sha256:
            raise CorruptBulk(f"{where}/{bulk.name} has SHA-256 {sha256} and should have {bulk.sha256}: {way_out(where)}")
        _verified.add(identity)
    file.seek(0)


def check_size(size: int, bulk: Bulk, where: str) -> None:
    """Raise `CorruptBulk` unless the object has the size, in bytes, that its manifest says."""
    if size != bulk.size:
        raise CorruptBulk(f"{where}/{bulk.name} has {size} bytes and should have {bulk.size}: {way_out(where)}")


def way_out(where: str) -> str:
    """Say what to do about a damaged or missing object of a finished folder: while its manifest is there, its step does nothing.

    Args:
        where: root of the folder.
    """
    return f"remove {where} and run the step that makes it again, or copy the object anew from where it came"
