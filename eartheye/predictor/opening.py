"""Choosing the predictor that the settings name."""

from eartheye.contracts import ServingPackage
from eartheye.predictor.port import Predictor
from eartheye.predictor.signature import Signature
from eartheye.settings import Settings, load
from eartheye.store import Folder


def open_predictor(folder: Folder, package: ServingPackage, name: str, version: int, settings: Settings | None = None) -> Predictor:
    """Return a predictor for one version of a registered model.

    Args:
        folder: where the serving package lies.
        package: its manifest.
        name: name of the registered model.
        version: its version.
        settings: which predictor, where, and its limits; by default the process's own.

    Raises:
        PredictorSilent: Triton does not answer.
        PredictorUnavailable: the model cannot be run.
        NotDeployed: Triton does not hold the model.
        MissingBulk, NotFinished: the package's model is not there.
        CorruptBulk: it is not the one that the package names.
        WrongBackbone: for PyTorch, the backbone is not there, or not the one that the head was trained on.
    """
    settings = settings or load()
    signature = Signature.of(package)
    if settings.predictor == "triton":
        from eartheye.predictor.triton import TritonPredictor  # gRPC is loaded only where it is used

        return TritonPredictor(settings.triton_url, name, version, package.digest, signature, settings.predictor_timeout_s)
    if settings.predictor == "torch":
        from eartheye import TorchPredictor  # through the front door, so that the kernel imports no torch

        return TorchPredictor(folder, package, signature, settings.predictor_threads)
    from eartheye.predictor.onnxruntime import OnnxRuntimePredictor

    return OnnxRuntimePredictor(folder.local(package.onnx), signature, settings.predictor_threads)
