"""Waiting for the answer to a request, without a race between asking and listening."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from eartheye.bus.connection import PERMANENT, client_options, unavailable
from eartheye.bus.wire import MessageT, Reader, Unreadable
from eartheye.errors import NoReply
from eartheye.settings import Settings
from eartheye.telemetry import get_logger

log = get_logger(__name__)


class Replies(Generic[MessageT]):
    """Messages of one key that arrive on a topic from the moment this was opened."""

    def __init__(self, consumer: KafkaConsumer, settings: Settings, topic: str, key: str, reader: Reader[MessageT]) -> None:
        self._consumer, self._settings = consumer, settings
        self._topic, self._key, self._reader = topic, key, reader
        self._arrived: list[bytes | None] = []

    def next(self, timeout_s: float, stopped: Callable[[], bool] = lambda: False) -> MessageT:
        """Return the next message of the key.

        Args:
            timeout_s: how long to wait for it.
            stopped: asked several times a second; True ends the wait before its time.

        Raises:
            NoReply: none arrived in time, or it cannot be read by this release.
            BusUnavailable: the broker refuses to be read.
        """
        deadline = time.monotonic() + timeout_s
        while not self._arrived:
            if stopped() or time.monotonic() >= deadline:
                raise NoReply(
                    f"no answer to '{self._key}' on '{self._topic}' within {timeout_s:g} s: see that the service that answers it runs, "
                    "and its log"
                )
            self._poll()
        value = self._arrived.pop(0)
        try:
            return self._reader.read(value)
        except Unreadable as error:
            raise NoReply(f"the answer to '{self._key}' on '{self._topic}' cannot be read ({error}): upgrade the older side") from None

    def _poll(self) -> None:
        try:
            batches = self._consumer.poll(timeout_ms=200)
        except PERMANENT as error:
            raise unavailable(self._settings, f"let '{self._topic}' be read", error) from error
        except KafkaError as error:
            log.warning("the broker did not serve a poll, trying again", topic=self._topic, key=self._key, reason=str(error))
            time.sleep(0.2)
            return
        key = self._key.encode()
        self._arrived += [record.value for records in batches.values() for record in records if record.key == key]


@contextmanager
def listen(settings: Settings, topic: str, partitions: set[int], key: str, reader: Reader[MessageT]) -> Iterator[Replies[MessageT]]:
    """Note the end of each partition of a topic, and read from there."""
    try:
        consumer = KafkaConsumer(**client_options(settings), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
    except KafkaError as error:
        raise unavailable(settings, "answer", error) from error
    try:
        assigned = [TopicPartition(topic, partition) for partition in sorted(partitions)]
        consumer.assign(assigned)
        try:
            for partition, offset in consumer.end_offsets(assigned, timeout_ms=settings.kafka_timeout_s * 1000).items():
                consumer.seek(partition, offset)
        except KafkaError as error:
            raise unavailable(settings, f"tell the end of '{topic}'", error) from error
        yield Replies(consumer, settings, topic, key, reader)
    finally:
        consumer.close(autocommit=False, timeout_ms=1000)
