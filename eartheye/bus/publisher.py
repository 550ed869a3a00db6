"""Sending: a message is out when the broker has acknowledged it."""

import math
import threading
from contextlib import suppress

from kafka import KafkaProducer
from kafka.errors import KafkaError
from pydantic import BaseModel

from eartheye.bus.connection import client_options, unavailable
from eartheye.bus.wire import encode
from eartheye.settings import Settings

EXPIRY_S = 1.0
"""The producer gives a message up at the time limit; this long it may take to say so."""


class Publisher:
    """An idempotent producer that all threads of the process share; it connects at the first message."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None

    def publish(self, topic: str, key: str, message: BaseModel) -> None:
        """Send a message and wait until all in-sync replicas have it.

        Raises:
            BusUnavailable: the broker did not acknowledge in time. The message may still have arrived; sending it again is right,
                for what consumes it must bear a message twice anyway.
            RequestRejected: the message is too large for the bus.
        """
        value = encode(message)
        producer = self._connected()
        try:
            producer.send(topic, key=key.encode(), value=value).get(timeout=self._settings.kafka_timeout_s + EXPIRY_S)
        except KafkaError as error:
            self._give_up(producer)
            raise unavailable(self._settings, f"take a message for '{topic}'", error) from error

    def partitions(self, topic: str) -> set[int]:
        """Return the partitions of a topic; a broker that creates topics on demand creates it.

        Raises:
            BusUnavailable: the broker does not answer, or does not have the topic and does not create it.
        """
        producer = self._connected()
        try:
            return set(producer.partitions_for(topic))
        except KafkaError as error:
            self._give_up(producer)
            raise unavailable(self._settings, f"show topic '{topic}'", error) from error

    def close(self) -> None:
        """Close the connection; nothing is lost, for `publish` waits for what it sends."""
        with self._lock:
            if self._producer is not None:
                self._producer.close(timeout=1)
                self._producer = None

    def _connected(self) -> KafkaProducer:
        timeout_ms = math.ceil(self._settings.kafka_timeout_s * 1000)
        with self._lock:
            if self._producer is None:
                try:
                    self._producer = KafkaProducer(
                        **client_options(self._settings),
                        acks="all",
                        enable_idempotence=True,
                        max_block_ms=timeout_ms,
                        delivery_timeout_ms=timeout_ms,
                        linger_ms=0,
                    )
                except KafkaError as error:
                    raise unavailable(self._settings, "answer", error) from error
            return self._producer

    def _give_up(self, producer: KafkaProducer) -> None:
        """Start with a new producer next time: one that timed out may hold the message back and send it late, out of order."""
        with self._lock:
            if self._producer is producer:
                self._producer = None
        with suppress(KafkaError):  # messages of other threads, which time out themselves
            producer.close(timeout=EXPIRY_S)
