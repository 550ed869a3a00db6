"""The embedded broker: librdkafka's test cluster, which speaks Kafka's protocol on a port of this machine and keeps nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaException, Producer

from eartheye.errors import BusUnavailable

API_VERSION = (2, 3)
"""The newest protocol of which kafka-python and the embedded broker understand each other; set `EARTHEYE_KAFKA_API_VERSION` to it."""
START_LIMIT_S = 10.0


@contextmanager
def embedded_broker() -> Iterator[str]:
    """Run a broker in this process, for this machine alone.

    It has topics (made when first named, with four partitions), groups and commits. It keeps about 5 MB a partition and then forgets the
    oldest messages, so what is outstanding must be bounded; nothing survives the process.

    Yields:
        Its address, as `127.0.0.1:37423`, for `EARTHEYE_KAFKA_BOOTSTRAP`.

    Raises:
        BusUnavailable: it does not start.
    """
    holder = Producer({"bootstrap.servers": "embedded", "test.mock.num.brokers": 1, "log_level": 0})
    try:
        brokers = holder.list_topics(timeout=START_LIMIT_S).brokers.values()
    except KafkaException as error:
        raise BusUnavailable(f"the embedded broker did not start ({error}): set EARTHEYE_KAFKA_BOOTSTRAP to a Kafka that runs") from error
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    del holder  # the cluster ends with the client that it was made by
