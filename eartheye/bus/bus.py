"""The port: what the platform asks of a message bus."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Self

from kafka.admin import KafkaAdminClient
from kafka.errors import IncompatibleBrokerVersion, KafkaError, TopicAlreadyExistsError, UnknownBrokerIdError
from pydantic import BaseModel

from eartheye.bus.connection import client_options, unavailable
from eartheye.bus.consumption import Consumption, Delivery
from eartheye.bus.publisher import Publisher
from eartheye.bus.replies import Replies, listen
from eartheye.bus.wire import MessageT, Reader
from eartheye.settings import Settings, load


class Bus:
    """Typed messages over Kafka. One bus serves all threads of a process; use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._publisher = Publisher(settings)

    def publish(self, topic: str, key: str, message: BaseModel) -> None:
        """Send a message and wait for the broker's acknowledgement.

        Args:
            topic: where to.
            key: messages of one key keep their order, and are found by it (`replies`).
            message: a model with a field `kind`, as those of `eartheye.contracts.messages`.

        Raises:
            BusUnavailable: the broker did not acknowledge in time; the message may or may not have arrived.
            RequestRejected: the message is too large for the bus.
        """
        self._publisher.publish(topic, key, message)

    def consume(
        self,
        topics: Sequence[str],
        group: str,
        message_types: Sequence[type[MessageT]],
        handle: Callable[[MessageT], None],
        *,
        stop: threading.Event,
        delivery: Delivery | None = None,
    ) -> None:
        """Handle messages one after the other, as a member of a consumer group, until `stop` is set.

        A message is delivered at least once: its offset is committed after `handle` returned, so `handle` must bear seeing one twice.
        It runs in a thread of its own while this one keeps the membership, so that it may take as long as it needs. What it raises is
        tried again, with growing pauses, and then given up; `RequestRejected` is given up at once, and an `Outage` is waited for, however
        long it lasts. What cannot be read or was given up is recorded on `eartheye.rejected`. A broker that goes away is waited for.

        To handle several messages at a time call this in several threads or processes: the group shares the partitions.

        Args:
            topics: topics to read.
            group: members of one group share the messages; each group sees all.
            message_types: the models expected there.
            handle: does the work.
            stop: set it to end; a message in work is given `delivery.shutdown_s` to finish.
            delivery: time limits and retries.

        Raises:
            BusUnavailable: the broker does not answer at the start, or refuses.
        """
        Consumption(self._settings, topics, group, Reader(message_types), handle, self._publisher, stop, delivery or Delivery()).run()

    def replies(self, topic: str, key: str, message_types: Sequence[type[MessageT]]) -> AbstractContextManager[Replies[MessageT]]:
        """Listen for the messages of a key, from now on: open this first, then send the request.

        Raises:
            BusUnavailable: the broker does not answer.
        """
        return listen(self._settings, topic, self._publisher.partitions(topic), key, Reader(message_types))

    def ensure_topics(self, topics: Iterable[str], partitions: int = 8) -> None:
        """Create the topics that are not there, where the broker lets clients do so; the others are asked for and must appear.

        Raises:
            BusUnavailable: the broker does not answer, or a topic is not there and may not be created.
        """
        wanted = list(topics)
        try:
            admin = KafkaAdminClient(**client_options(self._settings))
            try:
                for topic in wanted:
                    self._create(admin, topic, partitions)
            finally:
                admin.close()
        except (UnknownBrokerIdError, IncompatibleBrokerVersion):
            pass  # the embedded broker has no controller to ask; it creates a topic when it is first named, just below
        except KafkaError as error:
            raise unavailable(self._settings, "create topics", error) from error
        for topic in wanted:
            self._publisher.partitions(topic)

    @staticmethod
    def _create(admin: KafkaAdminClient, topic: str, partitions: int) -> None:
        with suppress(TopicAlreadyExistsError):
            admin.create_topics({topic: {"num_partitions": partitions}})

    def close(self) -> None:
        """Close the connection."""
        self._publisher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_bus(settings: Settings | None = None) -> Bus:
    """Return the bus that the settings name; it connects when it is first used."""
    return Bus(settings or load())
