"""Submitting to a Kubeflow that is not there."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import kfp.client.client
import pytest

from eartheye.errors import PipelinesUnavailable
from pipelines.config import ChainConfig
from pipelines.submission import submit

CHAIN = ChainConfig.model_validate({"name": "small", "heads": []})


@pytest.fixture
def another_server():
    """The address of a server that answers, and is no Kubeflow."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def refusal(endpoint: str) -> str:
    """Return why a run cannot be submitted."""
    with pytest.raises(PipelinesUnavailable) as caught:
        submit(CHAIN, "s3://data/world", "s3://data/world/catalogue.yaml", "s3://runs/mine", endpoint)
    return str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [("http://127.0.0.1:9", "Connection refused"), ("nonsense.invalid", "resolve"), ("http://127.0.0.1:99999", "parse")],
)
def test_an_address_where_nobody_answers_is_told_in_one_line(endpoint, told, capfd):
    reason = refusal(endpoint)
    assert reason.startswith(f"Kubeflow Pipelines at {endpoint} does not take the run (")
    assert told in reason
    assert len(reason.splitlines()) == 1
    assert capfd.readouterr().err == ""


def test_another_server_is_told_in_one_line(another_server, monkeypatch, caplog):
    monkeypatch.setattr(kfp.client.client.time, "sleep", lambda _: None)  # between five attempts
    assert "Failed getting healthz endpoint" in refusal(another_server)
    assert caplog.records == []
