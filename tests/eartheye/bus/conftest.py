"""A broker for the tests of the bus, and what they share."""

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import confluent_kafka
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from eartheye.bus import Bus, Delivery, Rejected
from eartheye.contracts.messages import REJECTED, Assembly
from eartheye.settings import Settings
from services.stack.broker import API_VERSION
from tests.waiting import LIMIT_S, wait_until

QUICK = Delivery(attempts=3, first_pause_s=0.05, longest_pause_s=0.1, session_s=4, shutdown_s=LIMIT_S)


class Cluster:
    """librdkafka's broker as `embedded_broker` runs it, held by its C interface: that can take it down and bring it back.

    Its groups also form at once. By default they wait three seconds for further members.
    """

    def __init__(self, library: Path) -> None:
        self._c = ctypes.CDLL(str(library))
        for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
            getattr(self._c, name).restype = ctypes.c_void_p
        self._c.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        error = ctypes.create_string_buffer(256)
        self._client = ctypes.c_void_p(self._c.rd_kafka_new(0, ctypes.c_void_p(self._c.rd_kafka_conf_new()), error, 256))
        assert self._client, error.value
        self._cluster = ctypes.c_void_p(self._c.rd_kafka_mock_cluster_new(self._client, 1))
        self._c.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 1)
        self.address = self._c.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def down(self) -> None:
        self._c.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        self._c.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def close(self) -> None:
        self._c.rd_kafka_mock_cluster_destroy(self._cluster)
        self._c.rd_kafka_destroy(self._client)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    package = Path(confluent_kafka.__file__).parent
    libraries = [*package.with_name("confluent_kafka.libs").glob("librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    if not libraries:
        pytest.skip("this confluent-kafka does not carry librdkafka as a library of its own")
    cluster = Cluster(libraries[0])
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def settings(cluster: Cluster) -> Settings:
    return Settings(kafka_bootstrap=cluster.address, kafka_api_version=API_VERSION, kafka_timeout_s=60)


@pytest.fixture
def bus(settings: Settings) -> Iterator[Bus]:
    with Bus(settings) as bus:
        yield bus


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    return f"{request.node.originalname[5:60]}-{time.monotonic_ns()}"


class Consume(Protocol):
    def __call__(
        self, topic: str, handle: Callable[[Assembly], object], *, group: str = "", **changes: float
    ) -> AbstractContextManager[threading.Event]: ...


@pytest.fixture
def consuming(bus: Bus) -> Consume:
    """Consume assemblies in a thread; what ends it too early is raised at the end."""

    @contextmanager
    def consume(topic: str, handle: Callable[[Assembly], object], *, group: str = "", **changes: float) -> Iterator[threading.Event]:
        stop, failures = threading.Event(), []

        def run() -> None:
            try:
                bus.consume([topic], group or topic, (Assembly,), handle, stop=stop, delivery=QUICK.model_copy(update=changes))
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join(LIMIT_S)
            assert not thread.is_alive(), "the consumer did not end"
        if failures:
            raise failures[0]

    return consume


@pytest.fixture
def send_raw(settings: Settings) -> Iterator[Callable[..., None]]:
    """Send bytes past the port, as a stranger would."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap, api_version=API_VERSION)
    yield lambda topic, value, key=b"k": producer.send(topic, key=key, value=value).get(timeout=LIMIT_S)
    producer.close()


@pytest.fixture
def rejected(bus: Bus, settings: Settings) -> Callable[[str, int], list[Rejected]]:
    """Return the dead letters of a topic by offset, when there are as many as expected."""

    def read(topic: str, count: int) -> list[Rejected]:
        bus.ensure_topics([REJECTED])
        consumer = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, api_version=API_VERSION, auto_offset_reset="earliest")
        consumer.assign([TopicPartition(REJECTED, partition) for partition in consumer.partitions_for_topic(REJECTED)])
        found: list[Rejected] = []

        def enough() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                letters = [Rejected.model_validate_json(record.value) for record in records if b"rejected/1" in record.value]
                found.extend(letter for letter in letters if letter.topic == topic)
            return len(found) >= count

        wait_until(enough)
        consumer.close()
        return sorted(found, key=lambda letter: letter.offset)

    return read
