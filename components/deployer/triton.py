"""A serving package in Triton's model repository."""

import json
import shutil
import tempfile
import time
from importlib import resources
from pathlib import Path

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from eartheye.contracts import ServingPackage
from eartheye.errors import InvalidSettings, PredictorUnavailable
from eartheye.predictor.triton import DIGEST, served_name
from eartheye.settings import Settings
from eartheye.store import Folder

PYTHON_MODEL = "python_backend.py.txt"
"""Source of the Python backend's `model.py`; it runs in Triton's own environment, so it is no module of this package."""
READY_EVERY_S = 0.2


def load_on_triton(serving: Folder, package: ServingPackage, name: str, version: int, settings: Settings) -> None:
    """Write a version into the repository and have the server load it, unless it is loaded already.

    Args:
        serving: folder of the package.
        package: its manifest.
        name: of the registered model.
        version: of the registered model.
        settings: the server, its repository and its backend.

    Raises:
        InvalidSettings: no repository is set.
        PredictorUnavailable: the server does not answer, or cannot load the model.
        CorruptBulk: the model is not what the manifest says.
    """
    if settings.triton_repository is None:
        raise InvalidSettings("EARTHEYE_TRITON_REPOSITORY is not set: name the folder that Triton loads models from")
    model = served_name(name, version)
    entry = settings.triton_repository / model
    if not (entry / f"{package.digest}.digest").exists():
        write_entry(serving, package, model, version, settings.triton_backend, entry)
    client = InferenceServerClient(settings.triton_url)
    deadline = time.monotonic() + settings.predictor_timeout_s
    try:
        client.load_model(model, client_timeout=settings.predictor_timeout_s)
        while not client.is_model_ready(model, str(version), client_timeout=settings.predictor_timeout_s):
            if time.monotonic() > deadline:
                raise PredictorUnavailable(
                    f"Triton at {settings.triton_url} did not make '{model}' ready in {settings.predictor_timeout_s:g} s: "
                    "look at its log, or raise EARTHEYE_PREDICTOR_TIMEOUT_S"
                )
            time.sleep(READY_EVERY_S)
    except InferenceServerException as error:
        raise PredictorUnavailable(f"Triton at {settings.triton_url} cannot load '{model}': {error.message()}") from error
    finally:
        client.close()


def write_entry(serving: Folder, package: ServingPackage, model: str, version: int, backend: str, entry: Path) -> None:
    """Write a repository entry beside its place, then move it there whole."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=entry.parent, prefix=".part-") as scratch:
        made = Path(scratch) / model
        weights = made / str(version)
        weights.mkdir(parents=True)
        shutil.copyfile(serving.local(package.onnx), weights / "model.onnx")
        if backend == "python":
            source = resources.files("components.deployer").joinpath(PYTHON_MODEL).read_text()
            (weights / "model.py").write_text(source)
        (made / "config.pbtxt").write_text(render_config(package, model, version, backend))
        (made / f"{package.digest}.digest").touch()
        if entry.exists():  # moved away, not emptied where it stands: a server that starts meanwhile finds a whole entry or none
            entry.replace(Path(scratch) / "before")
        made.replace(entry)


def render_config(package: ServingPackage, model: str, version: int, backend: str) -> str:
    """Return `config.pbtxt`: a fixed batch, the version that was registered, the package's digest."""
    side, kinds, channels = package.input_px, len(package.classes), len(package.image.bands)
    dense = package.task == "segmentation"
    output, dtype = ([kinds, side, side], "TYPE_UINT8") if dense else ([kinds], "TYPE_FP32")
    return f"""name: {json.dumps(model)}
backend: {json.dumps(backend)}
max_batch_size: {package.batch_size}
version_policy {{ specific {{ versions: [{version}] }} }}
input [ {{ name: "images", data_type: TYPE_FP32, dims: {[channels, side, side]} }} ]
output [ {{ name: "probabilities", data_type: {dtype}, dims: {output} }} ]
instance_group [ {{ kind: KIND_AUTO, count: 1 }} ]
parameters {{ key: "{DIGEST}", value {{ string_value: "{package.digest}" }} }}
"""
