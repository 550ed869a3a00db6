"""The broker as the manifests start it, on a real Kafka: whoever has no password gets nothing."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from eartheye.bus import check_broker, open_bus
from eartheye.contracts.messages import PROMOTION_REQUESTS, RollbackRequest
from eartheye.errors import BusUnavailable, ServerNotStarted
from eartheye.settings import Settings
from services.stack.kafka_install import java_program, kafka_jars
from services.stack.place import free_port
from tests.manifests.rendering import ROOT
from tests.waiting import LIMIT_S

SERVERS = ROOT / "base" / "servers"
PROGRAMS = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}
PASSWORDS = {"CLIENTS_PASSWORD": "c0ffee", "BROKERS_PASSWORD": "decaf"}
TOPIC = PROMOTION_REQUESTS


def lay_out(folder: Path, jars: Path, clients: int, controller: int) -> Path:
    """Put the container's files into a folder, with the container's places and addresses replaced by those of a test."""
    places = {
        "/opt/kafka/bin": f"{folder}/bin",
        "/etc/kafka-node": str(folder),
        "/tmp/server.properties": f"{folder}/made.properties",
        "/var/lib/kafka/data": f"{folder}/data",
        "kafka-0.kafka-nodes:9093": f"127.0.0.1:{controller}",
        "$HOSTNAME.kafka-nodes.$NAMESPACE.svc:9092": f"127.0.0.1:{clients}",
        "CLIENTS://:9092": f"CLIENTS://127.0.0.1:{clients}",
        "CONTROLLER://:9093": f"CONTROLLER://127.0.0.1:{controller}",
    }
    for name in ("start-kafka.sh", "server.properties"):
        text = (SERVERS / name).read_text()
        for place, own in places.items():
            text = text.replace(place, own)
        (folder / name).write_text(text)
    (folder / "bin").mkdir()
    for name, main_class in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {java_program()} -Xmx256m -XX:TieredStopAtLevel=1 -cp "{jars}/*" {main_class} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder / "start-kafka.sh"


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """Settings of a client that has the password."""
    try:
        java_program()
        jars = kafka_jars(Settings().cache)
    except ServerNotStarted as reason:
        pytest.skip(str(reason))
    folder, port = tmp_path_factory.mktemp("kafka"), free_port()
    script = lay_out(folder, jars, port, free_port())
    environment = os.environ | PASSWORDS | {"HOSTNAME": "kafka-0", "NAMESPACE": "eartheye", "CLUSTER_ID": "bNnpGmfZTiyTn1xnUSYVyA"}
    client = Settings(kafka_bootstrap=f"127.0.0.1:{port}", kafka_username="eartheye", kafka_password="c0ffee", kafka_timeout_s=60)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["sh", str(script)], env=environment, stdout=log, stderr=log)
    try:
        make_topic(client)
        yield client
    finally:
        process.terminate()
        process.wait(LIMIT_S)


@retry(retry=retry_if_exception_type(BusUnavailable), stop=stop_after_delay(LIMIT_S), wait=wait_fixed(1), reraise=True)
def make_topic(client: Settings) -> None:
    with open_bus(client) as bus:
        bus.ensure_topics([TOPIC])


def send(settings: Settings) -> None:
    with open_bus(settings) as bus:
        bus.publish(TOPIC, "1", RollbackRequest(request="1", model="landcover", asked_by="a test"))


@pytest.mark.server
def test_a_client_with_the_password_is_served(broker):
    send(broker)
    check_broker(broker, 60.0)


@pytest.mark.server
@pytest.mark.parametrize("wrong", [{"kafka_password": "guessed"}, {"kafka_username": "brokers"}, {"kafka_username": ""}])
def test_a_client_without_it_is_not(broker, wrong):
    settings = Settings.model_validate(broker.model_dump() | {"kafka_timeout_s": 2} | wrong)
    with pytest.raises(BusUnavailable):
        check_broker(settings, 2.0)
    with pytest.raises(BusUnavailable):
        send(settings)
