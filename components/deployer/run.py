"""The deployment step: a serving package in, a server that passed its golden tile out."""

import io
from dataclasses import dataclass

import numpy as np

from eartheye.contracts import ServingPackage
from eartheye.errors import NotDeployed, ParityNotReached
from eartheye.predictor import open_predictor
from eartheye.settings import Settings, load
from eartheye.store import Folder

TOLERANCE = 0.01
"""Largest difference of a probability on the golden tile; one step of a dense output is 1/255."""

IN_PROCESS = {"onnxruntime": "ONNX Runtime", "torch": "PyTorch"}


@dataclass(frozen=True)
class Deployment:
    """A version that a server holds and answers for."""

    server: str
    """What runs it, in words."""
    difference: float
    """Largest difference of a probability on the golden tile, 0 to 1."""


def deploy(serving: Folder, name: str, version: int, settings: Settings | None = None) -> Deployment:
    """Put a version on the inference server of the settings, and hold its answer for the golden tile against the package's.

    Versions stand beside each other, so that a deployment changes nothing for the version that is used. Deployed again, a version is
    only checked.

    Args:
        serving: a finished serving package.
        name: of the registered model.
        version: of the registered model.
        settings: which server; by default the process's own.

    Raises:
        NotFinished: `serving` is still to be made.
        CorruptBulk: the package's model or golden tile is not what its manifest says.
        PredictorSilent: the server does not answer.
        PredictorUnavailable: it answers, and cannot load or run the model.
        ParityNotReached: the server computes something else.
    """
    settings = settings or load()
    package = ServingPackage.read(serving)
    server = f"{IN_PROCESS.get(settings.predictor)} in the process"
    if settings.predictor == "triton":
        from components.deployer.triton import load_on_triton  # gRPC is loaded only where it is used

        load_on_triton(serving, package, name, version, settings)
        server = f"Triton at {settings.triton_url}"
    with serving.open(package.golden) as file:
        golden = np.load(io.BytesIO(file.read()))
    predictor = open_predictor(serving, package, name, version, settings)
    try:
        answer = predictor(golden["images"])
    finally:
        predictor.close()
    scale = 255.0 if answer.dtype == np.uint8 else 1.0
    difference = float(np.abs(answer.astype(np.float64) - golden["probabilities"].astype(np.float64)).max()) / scale
    if difference > TOLERANCE:
        raise ParityNotReached(
            f"{name} version {version} on {server} differs by {difference:.4f} on its golden tile, {TOLERANCE} is allowed: "
            "check the server's backend, or export the model again"
        )
    return Deployment(server, difference)


def deploy_if_lost(serving: Folder, name: str, version: int, settings: Settings | None = None) -> Deployment | None:
    """Put a version on the inference server again, where that was emptied, or is another than before.

    Args:
        serving: its serving package.
        name: of the registered model.
        version: of the registered model.
        settings: which server; by default the process's own.

    Returns:
        What was deployed; None where the server holds the version. In the process there is nothing to be lost.

    Raises:
        PredictorSilent: the server does not answer.
        PredictorUnavailable: it answers, and cannot load or run the model.
        ParityNotReached: the server computes something else.
    """
    settings = settings or load()
    if settings.predictor != "triton":
        return None
    try:
        open_predictor(serving, ServingPackage.read(serving), name, version, settings).close()
    except NotDeployed:
        return deploy(serving, name, version, settings)
    return None
