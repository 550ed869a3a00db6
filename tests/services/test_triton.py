"""The embedded Triton: a real server, and a client that gets from it what ONNX Runtime gives in the process."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from components.deployer.run import deploy, deploy_if_lost
from eartheye.errors import NotDeployed, PredictorSilent, PredictorUnavailable, TritonCannotRun
from eartheye.predictor.onnxruntime import OnnxRuntimePredictor
from eartheye.predictor.signature import Signature
from eartheye.predictor.triton import DIGEST, TritonPredictor, served_name
from eartheye.settings import Settings, load
from eartheye.store import Folder
from services.stack import triton_install
from services.stack.place import free_port
from services.stack.triton import embedded_triton
from services.stack.triton_install import check_machine, triton_program
from tests.services.registry_candidate import write_serving
from tests.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.server
PYTHON_MODEL = Path(__file__).parents[2] / "components" / "deployer" / "python_backend.py.txt"
DENSE = Signature(image=(3, 70, 70), output=(7, 70, 70), output_dtype=np.dtype(np.uint8), batch_size=4)


def segmentation_model(path: Path, signature: Signature, seed: int = 0) -> Path:
    """A convolution, softmax over the classes, and 255 times the probability as bytes."""
    kinds, channels = signature.output[0], signature.image[0]
    weights = np.random.default_rng(seed).normal(size=(kinds, channels, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["images", "weights"], ["logits"], pads=[1, 1, 1, 1]),
        helper.make_node("Softmax", ["logits"], ["shares"], axis=1),
        helper.make_node("Mul", ["shares", "scale"], ["scaled"]),
        helper.make_node("Round", ["scaled"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], ["probabilities"], to=TensorProto.UINT8),
    ]
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.float32(255), "scale")]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", *signature.image])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.UINT8, ["N", *signature.output])
    graph = helper.make_graph(nodes, "segmentation", [images], [probabilities], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def put_in_repository(repository: Path, name: str, version: int, model: Path, signature: Signature, digest: str) -> None:
    served = served_name(name, version)
    folder = repository / served / str(version)
    folder.mkdir(parents=True)
    shutil.copy(model, folder / "model.onnx")
    shutil.copy(PYTHON_MODEL, folder / "model.py")
    (repository / served / "config.pbtxt").write_text(f"""
name: "{served}"
backend: "python"
max_batch_size: {signature.batch_size}
version_policy {{ specific {{ versions: [{version}] }} }}
input [ {{ name: "images", data_type: TYPE_FP32, dims: {list(signature.image)} }} ]
output [ {{ name: "probabilities", data_type: TYPE_UINT8, dims: {list(signature.output)} }} ]
instance_group [ {{ kind: KIND_CPU, count: 1 }} ]
parameters {{ key: "{DIGEST}", value {{ string_value: "{digest}" }} }}
""")


def ask_to_load(url: str, name: str, version: int) -> None:
    client = InferenceServerClient(url)
    client.load_model(served_name(name, version), client_timeout=LIMIT_S)
    client.close()


@pytest.fixture(scope="module")
def program():
    try:
        return triton_program(load().cache)
    except TritonCannotRun as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    root = tmp_path_factory.mktemp("triton")
    with embedded_triton(root / "repository", root / "triton.log", load().cache) as server:
        yield server


@pytest.fixture(scope="module")
def deployed(server, tmp_path_factory):
    model = segmentation_model(tmp_path_factory.mktemp("model") / "model.onnx", DENSE)
    put_in_repository(server.repository, "landcover", 3, model, DENSE, "d" * 64)
    ask_to_load(server.url, "landcover", 3)
    return model


def test_triton_gives_the_same_bits_as_onnxruntime_in_the_process(server, deployed):
    images = np.random.default_rng(1).normal(size=(11, *DENSE.image)).astype(np.float32)
    here = OnnxRuntimePredictor(deployed, DENSE)
    there = TritonPredictor(server.url, "landcover", 3, "d" * 64, DENSE, timeout_s=LIMIT_S)
    expected = here(images)
    assert expected.std() > 10
    np.testing.assert_array_equal(there(images), expected)
    np.testing.assert_array_equal(there(images[4:5]), expected[4:5])
    there.close()


def test_a_batch_of_full_size_maps_fits_through_the_shared_memory(server, tmp_path):
    large = Signature(image=(3, 518, 518), output=(7, 518, 518), output_dtype=np.dtype(np.uint8), batch_size=8)
    model = segmentation_model(tmp_path / "model.onnx", large)
    put_in_repository(server.repository, "large", 1, model, large, "e" * 64)
    ask_to_load(server.url, "large", 1)
    images = np.random.default_rng(2).normal(size=(8, *large.image)).astype(np.float32)
    predict = TritonPredictor(server.url, "large", 1, "e" * 64, large, timeout_s=LIMIT_S)
    np.testing.assert_array_equal(predict(images), OnnxRuntimePredictor(model, large)(images))
    predict.close()


def test_two_versions_are_served_side_by_side(server, deployed, tmp_path):
    model = segmentation_model(tmp_path / "model.onnx", DENSE, seed=5)
    put_in_repository(server.repository, "landcover", 4, model, DENSE, "f" * 64)
    ask_to_load(server.url, "landcover", 4)
    images = np.random.default_rng(1).normal(size=(4, *DENSE.image)).astype(np.float32)
    third = TritonPredictor(server.url, "landcover", 3, "d" * 64, DENSE, timeout_s=LIMIT_S)(images)
    fourth = TritonPredictor(server.url, "landcover", 4, "f" * 64, DENSE, timeout_s=LIMIT_S)(images)
    np.testing.assert_array_equal(fourth, OnnxRuntimePredictor(model, DENSE)(images))
    assert (third != fourth).any()


def test_another_package_under_the_same_version_is_refused(server, deployed):
    with pytest.raises(NotDeployed, match=r"'landcover-v3' from another serving package \(dddd.*deploy the model again"):
        TritonPredictor(server.url, "landcover", 3, "0" * 64, DENSE, timeout_s=LIMIT_S)


def test_a_model_that_is_not_deployed_is_named(server):
    with pytest.raises(NotDeployed, match=r"cannot run 'nothing-v1'.*deploy the model again"):
        TritonPredictor(server.url, "nothing", 1, "0" * 64, DENSE, timeout_s=LIMIT_S)


def test_a_model_that_gives_another_shape_than_promised_is_refused(server, deployed):
    fewer = DENSE._replace(output=(5, 70, 70))
    predict = TritonPredictor(server.url, "landcover", 3, "d" * 64, fewer, timeout_s=LIMIT_S)
    with pytest.raises(PredictorUnavailable, match=r"gave \(4, 7, 70, 70\) uint8.*promises \(4, 5, 70, 70\)"):
        predict(np.zeros((1, *DENSE.image), np.float32))


def test_a_model_that_cannot_be_loaded_says_why(server, tmp_path):
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no model")
    put_in_repository(server.repository, "broken", 1, broken, DENSE, "a" * 64)
    with pytest.raises(InferenceServerException, match=r"model\.onnx"):
        ask_to_load(server.url, "broken", 1)


def test_what_was_deployed_is_served_again_by_the_next_server_and_broken_entries_are_passed_over(program, tmp_path):
    repository, serving = tmp_path / "repository", Folder(tmp_path / "serving")
    package = write_serving(serving)
    with embedded_triton(repository, tmp_path / "triton.log", load().cache) as server:
        deploy(serving, "landcover", 3, settings_of(server))
    cut_off = repository / ".part-x" / "landcover-v4"
    shutil.copytree(repository / "landcover-v3", cut_off)
    shutil.copytree(repository / "landcover-v3", repository / "half-v1")
    (repository / "half-v1" / "3" / "model.onnx").unlink()
    shutil.copytree(repository / "landcover-v3", repository / "damaged-v1")
    (repository / "damaged-v1" / "3" / "model.onnx").write_bytes(b"no model")
    with embedded_triton(repository, tmp_path / "triton.log", load().cache) as server:
        predict = TritonPredictor(server.url, "landcover", 3, package.digest, Signature.of(package), timeout_s=LIMIT_S)
        assert predict(np.zeros((1, 3, 32, 32), np.float32)).any()
        predict.close()
        for lost in ("half", "damaged"):
            with pytest.raises(PredictorUnavailable, match=f"cannot run '{lost}-v1'"):
                TritonPredictor(server.url, lost, 1, package.digest, Signature.of(package), timeout_s=LIMIT_S)


def test_a_server_of_this_machine_is_asked_past_a_proxy(program, tmp_path, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with embedded_triton(tmp_path / "repository", tmp_path / "triton.log", load().cache) as server:
        for name, value in server.settings().items():
            monkeypatch.setenv(name, value)
        with closing(InferenceServerClient(server.url)) as client:
            assert client.is_server_ready(client_timeout=LIMIT_S)


def test_a_version_is_deployed_again_where_the_server_has_lost_it(server, tmp_path):
    serving = Folder(tmp_path / "serving")
    write_serving(serving, title="lost")
    assert deploy_if_lost(serving, "lost", 2, settings_of(server)).difference == 0
    assert deploy_if_lost(serving, "lost", 2, settings_of(server)) is None
    write_serving(serving, title="found")
    assert deploy_if_lost(serving, "lost", 2, settings_of(server)).difference == 0
    assert [entry.name for entry in server.repository.iterdir() if entry.name.startswith((".", "lost"))] == ["lost-v2"]


def test_a_deployment_without_a_server_says_what_to_change_and_leaves_nothing(tmp_path):
    write_serving(Folder(tmp_path / "serving"))
    away = Settings(
        predictor="triton", triton_url=f"127.0.0.1:{free_port()}", triton_repository=tmp_path / "repository", predictor_timeout_s=0.5
    )
    with pytest.raises(PredictorSilent, match=r"did not answer within 0.5 s .*start it, set EARTHEYE_TRITON_URL"):
        deploy(Folder(tmp_path / "serving"), "landcover", 1, away)
    assert not (tmp_path / "repository").exists()


def test_a_version_that_cannot_be_loaded_leaves_the_repository_as_it_was(server, tmp_path):
    serving, settings = Folder(tmp_path / "serving"), settings_of(server)
    package = write_serving(serving)
    deploy(serving, "kept", 1, settings)
    files = {path: path.stat().st_mtime_ns for path in server.repository.rglob("*")}
    with serving.create("model.onnx") as file:
        file.write(b"no model")
    broken = package.model_copy(update={"onnx": Folder(serving.root).bulk("model.onnx")}).finish(serving)
    for name in ("kept", "new"):
        with pytest.raises(PredictorUnavailable, match=rf"cannot load '{name}-v1' \(.*InvalidProtobuf.*EARTHEYE_TRITON_REPOSITORY") as told:
            deploy(serving, name, 1, settings)
        assert not isinstance(told.value, PredictorSilent)
    assert {path: path.stat().st_mtime_ns for path in server.repository.rglob("*")} == files
    predict = TritonPredictor(server.url, "kept", 1, package.digest, Signature.of(package), timeout_s=LIMIT_S)
    assert predict(np.zeros((1, 3, 32, 32), np.float32)).any()
    predict.close()
    assert broken.digest != package.digest


def test_a_server_that_dies_while_it_loads_is_away_and_has_not_refused_the_model(program, tmp_path, monkeypatch):
    serving, load_model = Folder(tmp_path / "serving"), InferenceServerClient.load_model
    write_serving(serving)
    with embedded_triton(tmp_path / "repository", tmp_path / "triton.log", load().cache) as server:

        def die_and_load(client, *arguments, **more):
            os.kill(server.pid, signal.SIGKILL)
            load_model(client, *arguments, **more)

        monkeypatch.setattr(InferenceServerClient, "load_model", die_and_load)
        with pytest.raises(PredictorSilent, match="did not answer within 1 s"):
            deploy(serving, "landcover", 1, settings_of(server).model_copy(update={"predictor_timeout_s": 1}))
    assert list((tmp_path / "repository").iterdir()) == []


def test_nothing_is_lost_in_the_process(tmp_path):
    assert deploy_if_lost(Folder(tmp_path), "landcover", 1, Settings(predictor="onnxruntime")) is None


def settings_of(server):
    return Settings(predictor="triton", triton_url=server.url, triton_repository=server.repository, triton_backend="python")


def processes_of(folder: Path) -> list[int]:
    """Process ids of whatever has the folder in its command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            if str(folder).encode() in command:
                found.append(int(entry.name))
    return found


def test_the_server_and_its_models_are_gone_after_the_block(program, tmp_path):
    model = segmentation_model(tmp_path / "model.onnx", DENSE)
    with embedded_triton(tmp_path / "repository", tmp_path / "triton.log", load().cache) as server:
        put_in_repository(server.repository, "landcover", 1, model, DENSE, "d" * 64)
        ask_to_load(server.url, "landcover", 1)
        assert server.pid in processes_of(tmp_path)
    wait_until(lambda: not processes_of(tmp_path))
    predict_nowhere = pytest.raises(PredictorSilent, match=rf"Triton at {server.url} did not answer.*EARTHEYE_PREDICTOR=onnxruntime")
    with predict_nowhere:
        TritonPredictor(server.url, "landcover", 1, "d" * 64, DENSE, timeout_s=0.5)


def test_the_server_dies_with_a_process_that_is_killed(program, tmp_path):
    starter = f"""
import time
from pathlib import Path
from services.stack.triton import embedded_triton
with embedded_triton(Path({str(tmp_path)!r}) / "repository", Path({str(tmp_path)!r}) / "triton.log", Path({str(load().cache)!r})) as server:
    print("pid", server.pid, flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    server_pid = next(int(line.split()[1]) for line in process.stdout if line.startswith("pid "))
    assert server_pid in processes_of(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not processes_of(tmp_path))


def test_a_machine_without_the_shared_library_of_python_is_told_before_anything_is_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(triton_install, "python_libraries", lambda: "/nowhere")
    monkeypatch.setattr(triton_install, "PYTHONS", ("3.8",))
    monkeypatch.setattr(triton_install, "this_python", lambda: "3.8")
    with pytest.raises(TritonCannotRun, match=r"needs libpython3\.8\.so\.1\.0.*apt-get install libpython3\.8"):
        triton_program(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_another_system_is_told(monkeypatch):
    monkeypatch.setattr(triton_install.sys, "platform", "darwin")
    with pytest.raises(TritonCannotRun, match="runs on Linux on x86-64"):
        check_machine()


def test_another_python_is_told(monkeypatch):
    monkeypatch.setattr(triton_install, "this_python", lambda: "3.19")
    with pytest.raises(TritonCannotRun, match=r"runs models on Python 3\.11 or 3\.12, this is 3\.19"):
        check_machine()


def test_an_installation_that_fails_leaves_nothing_that_looks_finished(program, monkeypatch, tmp_path):
    monkeypatch.setattr(triton_install, "PYTRITON", "0.0.0.dev0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(TritonCannotRun, match=r"pip could not install nvidia-pytriton==0.0.0.dev0: .*No matching distribution"):
        triton_program(tmp_path / "cache")
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [".triton.lock"]


def test_a_stub_that_misses_a_library_is_told_before_the_start(program, monkeypatch, tmp_path):
    stub = tmp_path / "backends" / "python" / "triton_python_backend_stub"
    stub.parent.mkdir(parents=True)
    lone = program.root.joinpath("backends", "python", "triton_python_backend_stub").read_bytes()
    stub.write_bytes(lone)
    monkeypatch.setattr(triton_install, "python_libraries", lambda: "/nowhere")
    with pytest.raises(TritonCannotRun, match=r"misses .*libcudart"):
        triton_install._probe_stub(triton_install.TritonProgram(tmp_path))
