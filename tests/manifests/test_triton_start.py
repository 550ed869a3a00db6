"""Triton as the manifests start it, on a real one: what does not belong to it, and what it cannot load, keeps nothing else away."""

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from tenacity import retry, stop_after_delay, wait_fixed
from tritonclient.grpc import InferenceServerClient

from eartheye.errors import ServerNotStarted
from eartheye.settings import Settings
from services.stack.place import free_port
from services.stack.triton_install import triton_program
from tests.manifests.rendering import named, pod_of
from tests.waiting import LIMIT_S

PASSED_ON = ("--model-control-mode", "--load-model", "--exit-on-error", "--strict-readiness")
MODEL = """
class TritonPythonModel:
    def execute(self, requests):
        return []
"""
CONFIG = """
backend: "python"
input [ { name: "in", data_type: TYPE_FP32, dims: [1] } ]
output [ { name: "out", data_type: TYPE_FP32, dims: [1] } ]
instance_group [ { kind: KIND_CPU } ]
"""


@pytest.fixture(scope="module")
def options(rendered):
    """How the manifests have it treat its repository."""
    (triton,) = (found for found in rendered["production"] if named(found) == "Deployment/triton")
    return [option for option in pod_of(triton)["containers"][0]["args"] if option.startswith(PASSED_ON)]


def put(entry: Path, code: str) -> None:
    (entry / "1").mkdir(parents=True)
    (entry / "config.pbtxt").write_text(CONFIG)
    (entry / "1" / "model.py").write_text(code)


@retry(stop=stop_after_delay(LIMIT_S), wait=wait_fixed(0.2), reraise=True)
def loaded(url: str) -> set[str]:
    """Return the models that a server answers for, once it is ready."""
    with closing(InferenceServerClient(url)) as client:
        assert client.is_server_ready()
        return {model.name for model in client.get_model_repository_index().models if model.state == "READY"}


@pytest.mark.server
def test_a_broken_model_and_a_draft_leave_the_others_in_service(options, tmp_path):
    try:
        program = triton_program(Settings().cache)
    except ServerNotStarted as reason:
        pytest.skip(str(reason))
    put(tmp_path / "landcover_v1", MODEL)
    put(tmp_path / "broken_v1", "no Python")
    put(tmp_path / ".part-x1" / "landcover_v2", MODEL)  # what a deployment leaves that was killed
    url = f"127.0.0.1:{free_port()}"
    place = [f"--model-repository={tmp_path}", f"--backend-directory={program.backends}", f"--grpc-port={url.partition(':')[2]}"]
    environment = os.environ | {"PATH": f"{program.root / 'bin'}:{os.environ['PATH']}", "LD_LIBRARY_PATH": program.libraries}
    quiet = [
        "--grpc-address=127.0.0.1",
        "--allow-http=false",
        "--allow-metrics=false",
        "--backend-config=python,shm-default-byte-size=1048576",
    ]
    process = subprocess.Popen([str(program.server), *place, *options, *quiet], env=environment)
    try:
        assert loaded(url) == {"landcover_v1"}
    finally:
        process.terminate()
        process.wait(LIMIT_S)
