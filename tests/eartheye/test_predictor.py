"""Predictors: the same answer for an image whatever lies beside it, and clear words when there is none."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import service_pb2, service_pb2_grpc

from eartheye.contracts import ClassSpec, ImageSpec, ServingPackage
from eartheye.errors import CorruptBulk, PredictorSilent, PredictorUnavailable
from eartheye.predictor import Signature, open_predictor
from eartheye.predictor.triton import DIGEST, TritonPredictor
from eartheye.settings import Settings
from eartheye.store import Folder
from tests.waiting import LIMIT_S

SIDE, KINDS, BATCH = 56, 5, 4


def transformer(output_dtype, dense):
    """Patches of 14 pixels, self-attention, and a head: the kinds of sums that a served model has."""
    random = np.random.default_rng(0)
    width, cells = 48, SIDE // 14

    def weights(name, *shape):
        return numpy_helper.from_array((random.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32), name)

    constants = [weights("patch", width, 3, 14, 14), weights("query", width, width), weights("key", width, width)]
    constants += [weights("value", width, width), weights("head", width, KINDS), numpy_helper.from_array(np.float32(255), "scale")]
    constants += [numpy_helper.from_array(np.array([0, width, -1]), "tokens_shape"), numpy_helper.from_array(np.array([2]), "last")]
    nodes = [
        helper.make_node("Conv", ["images", "patch"], ["cells"], strides=[14, 14]),
        helper.make_node("Reshape", ["cells", "tokens_shape"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["tokens", "query"], ["queries"]),
        helper.make_node("MatMul", ["tokens", "key"], ["keys"]),
        helper.make_node("MatMul", ["tokens", "value"], ["values"]),
        helper.make_node("Transpose", ["keys"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["queries", "turned"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "values"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "head"], ["logits"]),
    ]
    if dense:
        constants += [numpy_helper.from_array(np.array([0, KINDS, cells, cells]), "map_shape")]
        constants += [numpy_helper.from_array(np.array([1, 1, 14, 14], np.float32), "zoom")]
        nodes += [
            helper.make_node("Transpose", ["logits"], ["by_class"], perm=[0, 2, 1]),
            helper.make_node("Reshape", ["by_class", "map_shape"], ["coarse"]),
            helper.make_node("Resize", ["coarse", "", "zoom"], ["fine"], mode="linear"),
            helper.make_node("Softmax", ["fine"], ["shares"], axis=1),
            helper.make_node("Mul", ["shares", "scale"], ["scaled"]),
            helper.make_node("Round", ["scaled"], ["rounded"]),
            helper.make_node("Cast", ["rounded"], ["probabilities"], to=output_dtype),
        ]
    else:
        nodes += [
            helper.make_node("ReduceMean", ["logits"], ["pooled"], axes=[1], keepdims=0),
            helper.make_node("Softmax", ["pooled"], ["probabilities"], axis=-1),
        ]
    output = [KINDS, SIDE, SIDE] if dense else [KINDS]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
    probabilities = helper.make_tensor_value_info("probabilities", output_dtype, ["N", *output])
    graph = helper.make_graph(nodes, "transformer", [images], [probabilities], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def packed(folder, task):
    """A serving package as the exporter leaves it."""
    dense = task == "segmentation"
    for name, content in {
        "model.onnx": transformer(TensorProto.UINT8 if dense else TensorProto.FLOAT, dense),
        "golden.npz": b"not read here",
    }.items():
        with folder.create(name) as file:
            file.write(content)
    return ServingPackage(
        made_from="0" * 64,
        title="land cover",
        task=task,
        model_digest="1" * 64,
        onnx=folder.bulk("model.onnx"),
        golden=folder.bulk("golden.npz"),
        image=ImageSpec(bands=("red", "green", "blue"), dtype="uint8", mean=(0, 0, 0), std=(1, 1, 1), gsd_m=1.0, gsd_range_m=(0.5, 2.0)),
        input_px=SIDE,
        overlap=0.25,
        batch_size=BATCH,
        classes=tuple(ClassSpec(value=value + 1, name=f"class {value}", colour="#000000") for value in range(KINDS)),
        parity=0.0,
        licence=(),
        attribution=(),
    ).finish(folder)


IN_PROCESS = Settings(predictor="onnxruntime", predictor_threads=1)


def pictures(count, seed=3):
    return np.random.default_rng(seed).normal(size=(count, 3, SIDE, SIDE)).astype(np.float32)


@pytest.fixture(params=["segmentation", "scenes"])
def predict(request, tmp_path):
    folder = Folder(tmp_path)
    return open_predictor(folder, packed(folder, request.param), "landcover", 1, IN_PROCESS)


def test_an_image_gets_the_same_bits_however_images_are_grouped(predict):
    images = pictures(11)
    whole = predict(images)
    assert whole.std() > 0
    for cuts in ([1, 2, 3], [5], list(range(1, 11)), [4, 8], [7, 8]):
        parts = [predict(part) for part in np.split(images, cuts)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    backwards = np.ascontiguousarray(images[::-1])
    np.testing.assert_array_equal(predict(backwards)[::-1], whole)


def test_probabilities_are_of_the_promised_type_and_sum_to_one(predict, request):
    given = predict(pictures(2))
    if given.dtype == np.uint8:
        assert given.shape == (2, KINDS, SIDE, SIDE)
        np.testing.assert_allclose(given.sum(axis=1, dtype=np.int64), 255, atol=KINDS / 2)
    else:
        assert given.shape == (2, KINDS)
        assert given.dtype == np.float32
        np.testing.assert_allclose(given.sum(axis=1), 1, rtol=1e-6)


def test_images_that_are_no_contiguous_array_are_taken(predict):
    images = pictures(3)
    turned = np.asfortranarray(images)
    np.testing.assert_array_equal(predict(turned), predict(images))


def test_no_images_give_no_answers(predict):
    assert predict(pictures(0)).shape[0] == 0


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 4, SIDE, SIDE), np.float32),
        np.zeros((1, 3, SIDE, SIDE + 14), np.float32),
        np.zeros((3, SIDE, SIDE), np.float32),
        np.zeros((1, 3, SIDE, SIDE), np.float64),
        np.zeros((1, 3, SIDE, SIDE), np.uint8),
    ],
    ids=["bands", "size", "no batch", "double", "bytes"],
)
def test_images_of_another_shape_or_type_are_refused(predict, images):
    with pytest.raises(ValueError, match=r"takes images \(N, 3, 56, 56\) float32"):
        predict(images)


def test_a_model_that_breaks_its_promise_is_refused(tmp_path):
    folder = Folder(tmp_path)
    package = packed(folder, "segmentation")
    more_classes = package.model_copy(update={"classes": (*package.classes, ClassSpec(value=9, name="more", colour="#ffffff"))})
    with pytest.raises(PredictorUnavailable, match=r"gave \(4, 5, 56, 56\) uint8.*export and deploy it again"):
        open_predictor(folder, more_classes, "landcover", 1, IN_PROCESS)(pictures(1))


def test_a_package_whose_model_was_changed_is_refused(tmp_path):
    folder = Folder(tmp_path)
    package = packed(folder, "scenes")
    content = bytearray((tmp_path / "model.onnx").read_bytes())
    content[-1] ^= 1
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(CorruptBulk):
        open_predictor(folder, package, "landcover", 1, IN_PROCESS)


def test_bytes_that_are_no_model_are_refused(tmp_path):
    folder = Folder(tmp_path)
    package = packed(folder, "scenes")
    with folder.create("other.onnx") as file:
        file.write(b"no model")
    with pytest.raises(PredictorUnavailable, match=r"cannot run other\.onnx"):
        open_predictor(folder, package.model_copy(update={"onnx": folder.bulk("other.onnx")}), "landcover", 1, IN_PROCESS)


def test_a_package_that_names_no_task_model_cannot_be_run_by_pytorch(tmp_path):
    folder = Folder(tmp_path)
    with pytest.raises(PredictorUnavailable, match="export it again, or set EARTHEYE_PREDICTOR"):
        open_predictor(folder, packed(folder, "scenes"), "landcover", 1, Settings(predictor="torch"))


@pytest.mark.parametrize("mute", [False, True], ids=["closed", "mute"])
def test_a_server_that_does_not_answer_is_told_in_time(tmp_path, mute):
    folder = Folder(tmp_path)
    package = packed(folder, "scenes")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if mute:
            listener.listen()
        url = f"127.0.0.1:{listener.getsockname()[1]}"
        settings = Settings(predictor="triton", triton_url=url, triton_repository=tmp_path, predictor_timeout_s=0.6)
        with pytest.raises(PredictorSilent, match=rf"Triton at {url} did not answer for 'landcover-v1' within 0.6 s.*EARTHEYE_TRITON_URL"):
            open_predictor(folder, package, "landcover", 1, settings)


CLASSIFIER = Signature((3, SIDE, SIDE), (KINDS,), np.dtype(np.float32), BATCH)


class Busy(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Stands in for a Triton that is still starting, a state which the real one cannot be held in."""

    def __init__(self, refusals):
        self.refusals = refusals

    def ServerLive(self, request, context):
        return service_pb2.ServerLiveResponse(live=True)

    def ModelConfig(self, request, context):
        if self.refusals:
            self.refusals -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        answer = service_pb2.ModelConfigResponse()
        answer.config.name = request.name
        answer.config.parameters[DIGEST].string_value = "d" * 64
        return answer


@contextmanager
def served(busy):
    server = grpc.server(ThreadPoolExecutor(1))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(busy, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_server_that_is_still_starting_is_asked_again():
    busy = Busy(refusals=2)
    with served(busy) as url:
        TritonPredictor(url, "landcover", 1, "d" * 64, CLASSIFIER, timeout_s=LIMIT_S).close()
    assert busy.refusals == 0


def test_a_server_that_lives_and_does_not_run_a_model_is_not_taken_for_silent():
    with (
        served(Busy(refusals=1000)) as url,
        pytest.raises(PredictorUnavailable, match=r"did not answer for 'landcover-v1' within 2 s \(starting\)") as told,
    ):
        TritonPredictor(url, "landcover", 1, "d" * 64, CLASSIFIER, timeout_s=2.0)
    assert not isinstance(told.value, PredictorSilent)
