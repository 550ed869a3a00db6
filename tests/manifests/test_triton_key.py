"""Whom Triton loads models for, as the manifests start it, on a real one."""

import os
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from components.deployer.triton import load_model, wait_for_server
from eartheye.errors import PredictorUnavailable, ServerNotStarted
from eartheye.settings import Settings
from services.stack.place import free_port
from services.stack.triton_install import triton_program
from tests.manifests.rendering import named, pod_of
from tests.waiting import LIMIT_S

pytestmark = pytest.mark.server
KEY = "0123abcd"
MODEL = """
import triton_python_backend_utils as triton

class TritonPythonModel:
    def execute(self, requests):
        given = [triton.get_input_tensor_by_name(request, "in").as_numpy() for request in requests]
        return [triton.InferenceResponse([triton.Tensor("out", -values)]) for values in given]
"""
CONFIG = """
backend: "python"
input [ { name: "in", data_type: TYPE_FP32, dims: [1] } ]
output [ { name: "out", data_type: TYPE_FP32, dims: [1] } ]
instance_group [ { kind: KIND_CPU } ]
"""


@pytest.fixture(scope="module")
def ports(rendered, tmp_path_factory):
    """Ports of a server for gRPC and HTTP, with a model in its repository that is not loaded."""
    try:
        program = triton_program(Settings().cache)
    except ServerNotStarted as reason:
        pytest.skip(str(reason))
    (triton,) = (found for found in rendered["production"] if named(found) == "Deployment/triton")
    asked = [option.replace("$(ADMIN_KEY)", KEY) for option in pod_of(triton)["containers"][0]["args"] if "-restricted-" in option]
    repository: Path = tmp_path_factory.mktemp("repository")
    (repository / "minus" / "1").mkdir(parents=True)
    (repository / "minus" / "config.pbtxt").write_text(CONFIG)
    (repository / "minus" / "1" / "model.py").write_text(MODEL)
    ports = {"grpc": free_port(), "http": free_port()}
    command = [str(program.server), f"--model-repository={repository}", f"--backend-directory={program.backends}", *asked]
    command += ["--model-control-mode=explicit", "--allow-metrics=false", "--backend-config=python,shm-default-byte-size=1048576"]
    command += [option for name, port in ports.items() for option in (f"--{name}-address=127.0.0.1", f"--{name}-port={port}")]
    environment = os.environ | {"PATH": f"{program.root / 'bin'}:{os.environ['PATH']}", "LD_LIBRARY_PATH": program.libraries}
    process = subprocess.Popen(command, env=environment)
    try:
        with closing(InferenceServerClient(f"127.0.0.1:{ports['grpc']}")) as client:
            wait_for_server(client, settings_of(ports))
        yield ports
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def client(ports):
    with closing(InferenceServerClient(f"127.0.0.1:{ports['grpc']}")) as client:
        yield client


def settings_of(ports, key=""):
    return Settings(triton_url=f"127.0.0.1:{ports['grpc']}", triton_repository=Path("models"), triton_key=key, predictor_timeout_s=LIMIT_S)


@pytest.mark.parametrize("key", ["", "a guess"])
def test_without_the_key_nothing_is_loaded_and_the_setting_is_named(ports, client, key):
    with pytest.raises(PredictorUnavailable, match=r"cannot load 'minus' \(.*is restricted.*EARTHEYE_TRITON_KEY"):
        load_model(client, "minus", 1, settings_of(ports, key))


def test_a_model_loaded_with_the_key_predicts_for_everyone(ports, client):
    load_model(client, "minus", 1, settings_of(ports, KEY))
    given = InferInput("in", [1], "FP32")
    given.set_data_from_numpy(np.array([3], np.float32))
    assert client.infer("minus", [given]).as_numpy("out").tolist() == [-3]


@pytest.mark.parametrize(
    "ask",
    [
        InferenceServerClient.get_model_repository_index,
        InferenceServerClient.get_system_shared_memory_status,
        InferenceServerClient.get_log_settings,
        InferenceServerClient.get_trace_settings,
        lambda client: client.unload_model("minus"),
    ],
)
def test_what_no_client_needs_is_refused(client, ask):
    with pytest.raises(InferenceServerException, match="is restricted"):
        ask(client)


@pytest.mark.parametrize("path", ["repository/index", "repository/models/minus/load", "repository/models/minus/unload", "logging"])
def test_http_asks_for_the_key_as_well(ports, path):
    with pytest.raises(HTTPError, match="403"):
        urllib.request.urlopen(f"http://127.0.0.1:{ports['http']}/v2/{path}", data=b"{}")
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['http']}/v2/health/ready") as answer:
        assert answer.status == 200
