"""The stack's Kafka: one node, broker and controller in one process (KRaft)."""

import logging
import secrets
import subprocess
from pathlib import Path

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from eartheye.bus import open_bus
from eartheye.contracts.messages import TOPICS
from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings
from services.stack.data_folder import make_whole
from services.stack.kafka_install import java_program, kafka_jars
from services.stack.place import LOOPBACK, Place, is_free
from services.stack.server import Launch, Server

NAME = "kafka"
HEAP = "-Xmx384m"
JAVA_OPTIONS = (HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For a broker that starts quickly on a small machine, beside its clients."""
BROKER = {
    "num.partitions": "8",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}
"""What is not about where it lies and listens; docker/compose.yaml has the same."""
CLUSTER_ID_BYTES = 16
FORMAT_LIMIT_S = 120
ANSWER_LIMIT_MS = 3000


def kafka_server() -> Server:
    """Return the description of the broker: no password, since it listens on loopback alone."""
    return Server(
        name=NAME,
        ports={NAME: 9092, "kafka-controller": 9093},
        prepare=_prepare,
        ready=_is_ready,
        furnish=_furnish,
        settings=lambda place: {"EARTHEYE_KAFKA_BOOTSTRAP": place.address(NAME)},
        start_limit_s=240,
    )


def _prepare(place: Place) -> Launch:
    java, jars = java_program(), kafka_jars(place.cache)
    folder = place.folder(NAME)
    properties = folder / "server.properties"
    log_settings = folder / "log4j2.yaml"
    log_settings.write_text(LOGGING)

    def format_data(data: Path) -> None:
        draft = folder / "format.properties"
        draft.write_text(_properties(place, data))
        tool = [java, *JAVA_OPTIONS, "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format", "-t", cluster_id(), "-c", str(draft)]
        done = subprocess.run(tool, capture_output=True, text=True, timeout=FORMAT_LIMIT_S, check=False)
        if done.returncode:
            raise ServerNotStarted(f"Kafka could not format its data folder: {(done.stdout + done.stderr).strip()[-500:]}")

    data = make_whole(folder / "data", "meta.properties", format_data)
    properties.write_text(_properties(place, data))
    command = [java, *JAVA_OPTIONS, f"-Dlog4j2.configurationFile={log_settings}", "-cp", f"{jars}/*", "kafka.Kafka", str(properties)]
    return Launch(command)


def cluster_id() -> str:
    """Return a random mark for a new data folder: 16 bytes in url-safe base64, none that Kafka's tool would take for an option."""
    return next(drawn for drawn in iter(lambda: secrets.token_urlsafe(CLUSTER_ID_BYTES), None) if not drawn.startswith("-"))


def _properties(place: Place, data: Path) -> str:
    controller = place.address("kafka-controller")
    broker = "\n".join(f"{name}={value}" for name, value in BROKER.items())
    return f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{place.address(NAME)},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{place.address(NAME)}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
{broker}
"""


def _is_ready(place: Place) -> bool:
    """Say whether the broker answers; that somebody listens is asked first, for the client waits long for nobody."""
    if is_free(place.ports[NAME]):
        return False
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=[f"{LOOPBACK}:{place.ports[NAME]}"],
            bootstrap_timeout_ms=ANSWER_LIMIT_MS,
            request_timeout_ms=ANSWER_LIMIT_MS,
        )
        try:
            return bool(admin.describe_cluster()["brokers"])
        finally:
            admin.close()
    except KafkaError:
        return False


def _furnish(place: Place) -> None:
    """Make the platform's topics; that they are not there yet the client would report as errors."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with open_bus(Settings(kafka_bootstrap=place.address(NAME), kafka_username="", kafka_api_version=None)) as bus:
        bus.ensure_topics(TOPICS)


LOGGING = """Configuration:
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "%d %p %m (%c)%n"}}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: out}}
    Logger: [{name: kafka.server, level: INFO}]
"""
"""Warnings, and that the broker came up or went down."""
