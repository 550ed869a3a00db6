"""The services as processes: their metrics, and the topics they speak on."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from kafka import KafkaConsumer
from tenacity import retry, stop_after_delay, wait_fixed

from eartheye.contracts.messages import TOPICS
from services.stack.broker import API_VERSION, embedded_broker
from tests.waiting import LIMIT_S

EARTHEYE = (sys.executable, "-m", "services.cli.main")


@pytest.fixture
def environment(tmp_path: Path):
    with embedded_broker() as address:
        yield {
            **os.environ,
            "EARTHEYE_KAFKA_BOOTSTRAP": address,
            "EARTHEYE_KAFKA_API_VERSION": "[2, 3]",
            "EARTHEYE_DATABASE_URL": f"sqlite:///{tmp_path}/eartheye.db",
            "EARTHEYE_ALLOWED_ROOTS": f'["{tmp_path}"]',
            "EARTHEYE_JOB_WORK": str(tmp_path / "work"),
        }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@retry(stop=stop_after_delay(LIMIT_S), wait=wait_fixed(0.2), reraise=True)
def own_metrics(port: int) -> str:
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    assert "eartheye_assembly_seconds_count" in text
    return text


@retry(stop=stop_after_delay(LIMIT_S), wait=wait_fixed(0.2), reraise=True)
def admin_answers(port: int) -> dict[str, bool]:
    found: dict[str, bool] = requests.get(f"http://127.0.0.1:{port}/v1/health/ready", timeout=5).json()
    return found


@pytest.mark.server
def test_a_registry_whose_mlflow_is_down_says_so_and_ends_on_sigterm(environment):
    away = environment | {"EARTHEYE_MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"}
    process = subprocess.Popen([*EARTHEYE, "serve", "registry"], env=away, stderr=subprocess.PIPE, text=True)
    try:
        assert any("EARTHEYE_MLFLOW_TRACKING_URI" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
    finally:
        process.kill()


@pytest.mark.server
def test_a_service_offers_its_metrics_and_ends_on_sigterm(environment):
    port = free_port()
    process = subprocess.Popen([*EARTHEYE, "serve", "assembler"], env=environment | {"EARTHEYE_METRICS_PORT": str(port)})
    try:
        assert "process_resident_memory_bytes" in own_metrics(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.server
def test_all_services_run_in_one_process_and_end_together(environment):
    port = free_port()
    command = [*EARTHEYE, "serve", "all"]
    process = subprocess.Popen(command, env=environment | {"EARTHEYE_ADMIN_PORT": str(port)}, stdout=subprocess.PIPE, text=True)
    try:
        assert admin_answers(port) == {"ready": True, "database": True, "schema_current": True}
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
        assert said.count("ek_first_") == 1
    finally:
        process.kill()
        process.wait()


@pytest.mark.server
def test_a_taken_port_ends_all_services_with_a_word_and_no_key_is_wasted(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        more = {"EARTHEYE_ADMIN_PORT": str(port)}
        done = subprocess.run([*EARTHEYE, "serve", "all"], env=environment | more, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"EARTHEYE_ADMIN_PORT={port} cannot be listened on" in done.stderr.splitlines()[-1]
    assert "ek_first_" not in done.stdout


@pytest.mark.server
@pytest.mark.parametrize("role", ["worker", "all"])
def test_a_role_whose_object_store_refuses_its_credentials_ends_with_a_word(role, environment, s3_bucket):
    wrong = {name: value for name, value in os.environ.items() if name.startswith("EARTHEYE_S3")} | {
        "EARTHEYE_S3_SECRET_KEY": "not the one"
    }
    more = wrong | {"EARTHEYE_JOB_WORK": f"{s3_bucket}/work", "EARTHEYE_ADMIN_PORT": str(free_port())}
    done = subprocess.run([*EARTHEYE, "serve", role], env=environment | more, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 2
    assert "refuses the credentials" in done.stderr.splitlines()[-1]


@pytest.mark.server
def test_topics_are_created(environment):
    done = subprocess.run([*EARTHEYE, "topics"], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(TOPICS)
    consumer = KafkaConsumer(bootstrap_servers=environment["EARTHEYE_KAFKA_BOOTSTRAP"], api_version=API_VERSION)
    assert set(TOPICS) <= consumer.topics()
    consumer.close()
