"""A broker that is away: told in time to who asks, waited for by who serves."""

import socket
import threading

import pytest
from kafka import KafkaConsumer, TopicPartition

from eartheye.bus import Bus
from eartheye.contracts.messages import Assembly, JobResult
from eartheye.errors import BusUnavailable
from eartheye.settings import Settings
from services.stack.broker import API_VERSION, embedded_broker
from tests.waiting import LIMIT_S, wait_until


def ask(number):
    return Assembly(job=f"job-{number}", plan="p")


@pytest.fixture(params=["closed", "mute"])
def silent(request):
    """An address where nobody listens, or where somebody accepts and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        if request.param == "mute":
            listener.listen()
        yield address


@pytest.mark.parametrize("api_version", [API_VERSION, None])
def test_a_broker_that_does_not_answer_is_told_in_time_with_what_to_change(silent, api_version):
    said = rf"Kafka at {silent} did not .* within 0.7 s.*set EARTHEYE_KAFKA_BOOTSTRAP"
    with Bus(Settings(kafka_bootstrap=silent, kafka_api_version=api_version, kafka_timeout_s=0.7)) as bus:
        with pytest.raises(BusUnavailable, match=said):
            bus.publish("t", "k", ask(1))
        with pytest.raises(BusUnavailable, match=said):
            bus.consume(["t"], "g", (Assembly,), print, stop=threading.Event())
        with pytest.raises(BusUnavailable, match=said):
            bus.ensure_topics(["t"])
        with pytest.raises(BusUnavailable, match=said):
            bus.replies("t", "k", (JobResult,))


def test_consumers_and_listeners_go_on_when_the_broker_is_back(cluster, settings, topic, consuming):
    seen = []
    with Bus(settings.model_copy(update={"kafka_timeout_s": 4.0})) as bus, consuming(topic, seen.append):
        bus.publish(topic, "a", ask(1))
        wait_until(lambda: seen)
        with bus.replies(topic, "b", (Assembly,)) as replies:
            cluster.down()
            try:
                with pytest.raises(BusUnavailable, match="did not take a message"):
                    bus.publish(topic, "a", ask(2))
            finally:
                cluster.up()
            bus.publish(topic, "b", ask(3))
            assert replies.next(timeout_s=LIMIT_S) == ask(3)
        wait_until(lambda: ask(3) in seen)


def test_what_was_handled_during_an_outage_is_committed_afterwards(cluster, settings, bus, topic, consuming):
    begun, release, seen = threading.Event(), threading.Event(), []

    def handle(message):
        begun.set()
        release.wait(LIMIT_S)
        seen.append(message)

    bus.publish(topic, "a", ask(1))
    onlooker = KafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, api_version=API_VERSION, group_id=topic, enable_auto_commit=False)
    with consuming(topic, handle, session_s=30.0):
        begun.wait(LIMIT_S)
        cluster.down()
        release.set()
        wait_until(lambda: seen)
        cluster.up()
        wait_until(lambda: any(onlooker.committed(TopicPartition(topic, partition), timeout_ms=5000) == 1 for partition in range(4)))
    onlooker.close()
    assert seen == [ask(1)]


def test_the_embedded_broker_carries_a_request_and_its_reply():
    with embedded_broker() as address, Bus(Settings(kafka_bootstrap=address, kafka_api_version=API_VERSION)) as bus:
        bus.ensure_topics(["requests", "results"])
        stop = threading.Event()

        def serve(message):
            bus.publish("results", message.job, JobResult(job=message.job, state="done"))

        server = threading.Thread(target=bus.consume, args=(["requests"], "service", (Assembly,), serve), kwargs={"stop": stop})
        server.start()
        try:
            with bus.replies("results", "job-1", (JobResult,)) as replies:
                bus.publish("requests", "job-1", ask(1))
                assert replies.next(timeout_s=LIMIT_S) == JobResult(job="job-1", state="done")
        finally:
            stop.set()
            server.join(LIMIT_S)
        assert not server.is_alive()


def test_an_embedded_broker_ends_with_its_block():
    with embedded_broker() as address:
        host, port = address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
