"""What probes are told: a role lives while its loops turn, and is ready while it reaches the broker."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from tenacity import retry, stop_after_delay, wait_fixed

from eartheye.errors import InvalidSettings
from eartheye.settings import Settings
from services.health import Broker, offer_health
from services.stack.broker import embedded_broker
from services.stack.place import free_port
from tests.waiting import LIMIT_S


@pytest.fixture
def answer_of():
    """Asks a path at a port until it answers with a status, and returns what it says."""

    @retry(stop=stop_after_delay(LIMIT_S), wait=wait_fixed(0.2), reraise=True)
    def ask(port: int, path: str, status: int) -> str:
        answer = requests.get(f"http://127.0.0.1:{port}{path}", timeout=10)
        assert answer.status_code == status, answer.text
        return answer.text

    return ask


def asked(*ports: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "services.probe", *map(str, ports)]
    environment = os.environ | {"http_proxy": f"http://127.0.0.1:{free_port()}", "no_proxy": "", "NO_PROXY": ""}
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)


def probe(*ports: int) -> int:
    return asked(*ports).returncode


@pytest.mark.server
def test_a_role_whose_broker_went_away_lives_and_is_not_ready(answer_of, tmp_path: Path):
    port = free_port()
    process = None
    try:
        with embedded_broker() as address:
            environment = {
                **os.environ,
                "EARTHEYE_KAFKA_BOOTSTRAP": address,
                "EARTHEYE_KAFKA_API_VERSION": "[2, 3]",
                "EARTHEYE_DATABASE_URL": f"sqlite:///{tmp_path}/eartheye.db",
                "EARTHEYE_METRICS_PORT": str(port),
            }
            process = subprocess.Popen([sys.executable, "-m", "services.cli.main", "serve", "assembler"], env=environment)
            assert answer_of(port, "/v1/health/ready", 200) == "well\n"
            assert "process_resident_memory_bytes" in answer_of(port, "/metrics", 200)
            assert probe(free_port(), port) == 0
        assert f"Kafka at {address} did not answer" in answer_of(port, "/v1/health/ready", 503)
        assert answer_of(port, "/v1/health/live", 200) == "well\n"
        process.send_signal(signal.SIGSTOP)
        assert probe(port) == 1
        process.send_signal(signal.SIGCONT)
    finally:
        if process:
            process.kill()
            process.wait()


def test_a_process_without_a_loop_does_not_live_yet(answer_of):
    port = free_port()
    offer_health(Settings(metrics_port=port))
    assert answer_of(port, "/v1/health/live", 503) == "no loop has begun\n"
    assert answer_of(port, "/v1/health/ready", 503) == "no loop has begun\n"
    assert "/v1/health/live" in answer_of(port, "/elsewhere", 404)
    told = asked(port)
    assert (told.returncode, told.stderr) == (1, f"port {port}: HTTP Error 503: Service Unavailable: no loop has begun\n")


def test_a_port_that_is_taken_is_told():
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        with pytest.raises(InvalidSettings, match=r"EARTHEYE_METRICS_PORT=.*choose a free one"):
            offer_health(Settings(metrics_port=taken.getsockname()[1]))


def test_the_broker_is_not_asked_again_at_once():
    broker = Broker(Settings(kafka_bootstrap=f"127.0.0.1:{free_port()}"))
    fault = broker.fault()
    assert fault is not None
    assert "EARTHEYE_KAFKA_BOOTSTRAP" in fault
    assert broker.fault() is fault
