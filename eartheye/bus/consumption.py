"""Receiving: a poll loop that keeps the membership in the group, and a thread that does the work."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Generic

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import OffsetAndMetadata
from pydantic import BaseModel, ConfigDict, Field

from eartheye.bus.connection import PERMANENT, Record, client_options, unavailable
from eartheye.bus.publisher import Publisher
from eartheye.bus.rejected import Rejected, key_text
from eartheye.bus.wire import MessageT, Reader, Unreadable
from eartheye.contracts.messages import REJECTED
from eartheye.errors import BusUnavailable, Outage, RequestRejected, UserError
from eartheye.settings import Settings
from eartheye.telemetry import PULSE, get_logger

log = get_logger(__name__)

POLL_S = 0.2
"""How long a poll waits for a message, and how often the membership is kept while one is in work."""
TURN_S = 120.0
"""A consumer that has not polled for longer stands still: some times what the broker's silence may hold up, or a busy machine."""


class Delivery(BaseModel):
    """Time limits and retries of a consumer."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    attempts: int = Field(5, gt=0)
    """How often a message may fail before it is given up. An `Outage` is no failure of the message: that is waited for."""
    first_pause_s: float = Field(1.0, ge=0)
    """Pause before a message is tried again; it doubles each time."""
    longest_pause_s: float = Field(60.0, ge=0)
    session_s: float = Field(10.0, gt=0)
    """Silence after which the broker gives a dead member's partitions to others. Default: that of Kafka's own client before 3.0."""
    poll_interval_s: float = Field(300.0, gt=0)
    """Longest time between two polls; work may take longer, for it does not hold up the polls. Default: that of Kafka's clients."""
    shutdown_s: float = Field(30.0, ge=0)
    """How long a message in work may take to finish after the stop; then it is left to be delivered again."""


class Ownership(ConsumerRebalanceListener):
    """Notes the partitions that were taken away: what was done there is not to be committed by this member."""

    def __init__(self) -> None:
        self.lost: set[TopicPartition] = set()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called within a poll when partitions go to another member."""
        self.lost.update(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called within a poll when partitions come."""


class Consumption(Generic[MessageT]):
    """One member of a consumer group. See `Bus.consume` for what it promises."""

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[str],
        group: str,
        reader: Reader[MessageT],
        handle: Callable[[MessageT], None],
        publisher: Publisher,
        stop: threading.Event,
        delivery: Delivery,
    ) -> None:
        self._settings, self._group, self._delivery = settings, group, delivery
        self._reader, self._handle, self._publisher, self._stop = reader, handle, publisher, stop
        self._ownership = Ownership()
        self._done: dict[TopicPartition, OffsetAndMetadata] = {}
        self._consumer = self._join(topics)

    def run(self) -> None:
        """Receive until the stop."""
        try:
            with PULSE.turning(self._group, TURN_S) as turned:
                while not self._stop.is_set():
                    turned()
                    if (record := self._poll(POLL_S)) is not None:
                        self._work_on(record, turned)
                    self._commit()
        finally:
            self._consumer.close(autocommit=False, timeout_ms=2000)

    def _join(self, topics: Sequence[str]) -> KafkaConsumer:
        for topic in topics:
            self._publisher.partitions(topic)  # the broker answers, and a topic to be created is there before the group shares it out
        try:
            consumer = KafkaConsumer(
                **client_options(self._settings),
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                partition_assignment_strategy=[CooperativeStickyAssignor()],
                session_timeout_ms=int(self._delivery.session_s * 1000),
                heartbeat_interval_ms=int(self._delivery.session_s * 100),
                max_poll_interval_ms=int(self._delivery.poll_interval_s * 1000),
            )
        except KafkaError as error:
            raise unavailable(self._settings, "answer", error) from error
        try:
            consumer.subscribe(list(topics), listener=self._ownership)
            for topic in topics:
                # Known to this member, should it be the one that shares them out. Asked for by hand, for kafka-python 3.0 forgets what
                # it subscribed to while it was still connecting, and looks again after five minutes.
                consumer.partitions_for_topic(topic)
        except KafkaError as error:
            consumer.close(autocommit=False, timeout_ms=0)
            raise unavailable(self._settings, "show its topics", error) from error
        return consumer

    def _poll(self, timeout_s: float) -> Record | None:
        """Return the next record, if there is one. A rebalance or a broker that is away shows as an error that passes."""
        try:
            batches = self._consumer.poll(timeout_ms=timeout_s * 1000, max_records=1)
        except PERMANENT as error:
            raise unavailable(self._settings, f"serve the group '{self._group}'", error) from error
        except KafkaError as error:
            log.warning("the broker did not serve a poll, trying again", group=self._group, reason=str(error))
            self._stop.wait(POLL_S)
            return None
        return next((record for records in batches.values() for record in records), None)

    def _work_on(self, record: Record, turned: Callable[[], None]) -> None:
        """Have a record settled by another thread, and keep the membership meanwhile."""
        partition = TopicPartition(record.topic, record.partition)
        self._ownership.lost.discard(partition)
        settled: Future[bool] = Future()
        threading.Thread(target=self._settle_into, args=(settled, record), name=f"{self._group}-work", daemon=True).start()
        deadline = None
        while not wait_for([settled], timeout=POLL_S).done:
            turned()
            self._keep_membership()
            if deadline is None and self._stop.is_set():
                deadline = time.monotonic() + self._delivery.shutdown_s
            if deadline is not None and time.monotonic() >= deadline:
                log.warning("a message is left unfinished at the stop, and will be delivered again", **place(record))
                return
        self._consumer.resume(*self._consumer.paused())
        if not settled.result():
            return
        if partition in self._ownership.lost:
            log.info("a message was handled, but went to another member meanwhile, which may handle it again", **place(record))
        else:
            self._done[partition] = OffsetAndMetadata(record.offset + 1, "", -1)

    def _keep_membership(self) -> None:
        """Poll without taking records: partitions are paused, and one that has just been assigned is set back."""
        self._commit()
        self._consumer.pause(*self._consumer.assignment())
        if (stray := self._poll(0)) is not None:
            self._consumer.seek(TopicPartition(stray.topic, stray.partition), stray.offset)

    def _commit(self) -> None:
        """Commit what is done; what cannot be committed now is tried again after the next poll."""
        for partition in self._done.keys() & self._ownership.lost:
            del self._done[partition]
        if not self._done:
            return
        try:
            self._consumer.commit(self._done, timeout_ms=min(5.0, self._settings.kafka_timeout_s) * 1000)
        except CommitFailedError as error:
            log.warning("what was handled will be delivered again", group=self._group, reason=str(error))
        except KafkaError as error:
            log.warning("cannot commit, trying again", group=self._group, reason=str(error))
            return
        self._done.clear()

    def _settle_into(self, settled: Future[bool], record: Record) -> None:
        try:
            settled.set_result(self._settle(record))
        except BaseException as error:  # whatever ends the thread must end the consumer, with the record undone
            settled.set_exception(error)

    def _settle(self, record: Record) -> bool:
        """Handle a record or record why not; False when the stop came first."""
        try:
            message = self._reader.read(record.value)
        except Unreadable as error:
            return self._reject(record, str(error), attempts=0)
        pause_s = self._delivery.first_pause_s
        failures = 0
        while True:
            try:
                self._handle(message)
                return True
            except RequestRejected as error:
                return self._reject(record, str(error), failures + 1)
            except Outage as error:
                log.warning("a message waits for the end of an outage", **place(record), reason=str(error))
            except Exception as error:
                failures += 1
                reason, fault = f"{type(error).__name__}: {error}", not isinstance(error, UserError)
                log.warning("a message was not handled", **place(record), attempt=failures, reason=reason, exc_info=fault)
                if failures == self._delivery.attempts:
                    return self._reject(record, f"failed {failures} times; last: {reason}", failures)
            if self._stop.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, self._delivery.longest_pause_s)

    def _reject(self, record: Record, reason: str, attempts: int) -> bool:
        """Put a record on the dead-letter topic; False when the stop came before the broker took it."""
        log.error("a message is rejected", **place(record), group=self._group, reason=reason)
        if record.topic == REJECTED:
            return True  # a dead letter that cannot be read is told in the log alone: recorded there it would come back for ever
        rejected = Rejected.of(record, self._group, reason, attempts)
        while True:
            try:
                self._publisher.publish(REJECTED, key_text(record.key), rejected)
                return True
            except BusUnavailable as error:
                log.warning("a dead letter is not out, trying again", **place(record), reason=str(error))
            if self._stop.wait(self._delivery.first_pause_s):
                return False


def place(record: Record) -> dict[str, str | int]:
    """Return where a record lies, as fields of a log event."""
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
