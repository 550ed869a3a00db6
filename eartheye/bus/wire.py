"""Messages as bytes, and bytes as messages: nothing that arrives is trusted."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from eartheye.errors import RequestRejected

MessageT = TypeVar("MessageT", bound=BaseModel)

MAX_MESSAGE_BYTES = 256 * 1024
"""Messages carry references and windows; a quarter of Kafka's default limit is far more than they need."""


class Unreadable(Exception):
    """What arrived is no message of the kinds asked for; the text is the reason. A fact about a message, no fault of this process."""


def encode(message: BaseModel) -> bytes:
    """Return a message's bytes: JSON in UTF-8.

    Raises:
        RequestRejected: the message is too large for the bus.
    """
    value = message.model_dump_json().encode()
    if len(value) > MAX_MESSAGE_BYTES:
        raise RequestRejected(
            f"{type(message).__name__} has {len(value):,} bytes, the bus carries {MAX_MESSAGE_BYTES:,}: "
            "put what is large into the object store and send its URI"
        )
    return value


class Reader(Generic[MessageT]):
    """Reads messages of given types, told apart by the name in their field `kind`.

    Args:
        message_types: models with a field `kind`, whose default is as `job-request/1`: the name, and the newest version they read.
    """

    def __init__(self, message_types: Sequence[type[MessageT]]) -> None:
        self._types: dict[str, tuple[type[MessageT], int]] = {}
        for message_type in message_types:
            name, _, version = str(message_type.model_fields["kind"].default).partition("/")
            self._types[name] = (message_type, int(version))

    def read(self, value: bytes | None) -> MessageT:
        """Return the message that the bytes hold.

        Raises:
            Unreadable: too large, no JSON object, of an unknown kind, of a newer schema, or with fields that the kind does not allow.
        """
        if not value:
            raise Unreadable("empty")
        if len(value) > MAX_MESSAGE_BYTES:
            raise Unreadable(f"{len(value):,} bytes, more than {MAX_MESSAGE_BYTES:,}")
        try:
            fields = from_json(value)
        except ValueError as error:
            raise Unreadable(f"not JSON: {error}") from None
        if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
            raise Unreadable("not a JSON object with a field 'kind'")
        name, _, version = fields["kind"].partition("/")
        if name not in self._types:
            raise Unreadable(f"unknown kind {name[:100]!r}; expected here: {', '.join(sorted(self._types))}")
        message_type, newest = self._types[name]
        if version.isascii() and version.isdecimal() and len(version) < 10 and int(version) > newest:
            raise Unreadable(f"schema {name}/{version} is newer than {name}/{newest}: upgrade this service")
        try:
            return message_type.model_validate_json(value)
        except ValidationError as error:
            # The input is left out: it may be hostile, and the dead letter has it.
            faults = (f"{'.'.join(map(str, fault['loc']))[:100]}: {fault['msg'][:200]}" for fault in error.errors(include_input=False)[:5])
            raise Unreadable(f"{name}: {'; '.join(faults)}") from None
