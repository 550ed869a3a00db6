"""The dead letter: a message that could not be read or handled, and why."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from eartheye.bus.connection import Record

MAX_PAYLOAD_BYTES = 4096


class Rejected(BaseModel):
    """A message that a consumer gave up. The original stays where topic, partition and offset say. Key: the original's."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    kind: Literal["rejected/1"] = "rejected/1"
    reason: str
    group: str
    """Consumer group that rejected it."""
    attempts: int
    """How often its handler was tried; 0 for a message that could not be read."""
    topic: str
    partition: int
    offset: int
    payload: str
    """The first 4,096 bytes; what is not UTF-8 is written as `\\\\xNN`."""
    payload_bytes: int
    """Size of the whole payload."""

    @classmethod
    def of(cls, record: Record, group: str, reason: str, attempts: int) -> Self:
        """Describe a record that `group` gave up after `attempts` tries."""
        value = record.value or b""
        return cls(
            reason=reason[:2000],
            group=group,
            attempts=attempts,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            payload=value[:MAX_PAYLOAD_BYTES].decode(errors="backslashreplace"),
            payload_bytes=len(value),
        )


def key_text(key: bytes | None) -> str:
    """Return a record's key as text of bounded length, whatever its bytes."""
    return (key or b"")[:256].decode(errors="backslashreplace")
