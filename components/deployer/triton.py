"""A serving package in Triton's model repository."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib import resources
from pathlib import Path

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from eartheye.contracts import ServingPackage
from eartheye.errors import InvalidSettings, PredictorSilent, PredictorUnavailable
from eartheye.predictor.triton import DIGEST, served_name
from eartheye.settings import Settings
from eartheye.store import Folder
from eartheye.store.room import room

PYTHON_MODEL = "python_backend.py.txt"
"""Source of the Python backend's `model.py`; it runs in Triton's own environment, so it is no module of this package."""
READY_EVERY_S = 0.2
DRAFT = ".part-"
ABANDONED_S = 86_400.0
"""Age at which a draft is no longer at work: whoever wrote it was killed."""
KEY_HEADER = "triton-grpc-protocol-admin-key"
"""Carries the key to a server that was started with `--grpc-restricted-protocol=model-repository:admin-key=…`; another passes over it."""


def load_on_triton(serving: Folder, package: ServingPackage, name: str, version: int, settings: Settings) -> None:
    """Write a version into the repository and have the server load it, unless it is loaded already.

    The repository is as it was before where the server does not answer, or cannot load the version.

    Args:
        serving: folder of the package.
        package: its manifest.
        name: of the registered model.
        version: of the registered model.
        settings: the server, its repository and its backend.

    Raises:
        InvalidSettings: no repository is set.
        PredictorSilent: the server does not answer.
        PredictorUnavailable: it answers, and cannot load the model.
        StoreFull: there is no room in the repository.
        CorruptBulk: the model is not what the manifest says.
    """
    if settings.triton_repository is None:
        raise InvalidSettings("EARTHEYE_TRITON_REPOSITORY is not set: name the folder that Triton loads models from")
    model = served_name(name, version)
    entry = settings.triton_repository / model
    with closing(InferenceServerClient(settings.triton_url)) as client:
        wait_for_server(client, settings)
        if (entry / f"{package.digest}.digest").exists():
            load_model(client, model, version, settings)
            return
        with written_entry(serving, package, model, version, settings.triton_backend, entry):
            load_model(client, model, version, settings)


def wait_for_server(client: InferenceServerClient, settings: Settings) -> None:
    """Return once the server takes requests.

    Raises:
        PredictorSilent: it does not within the time limit.
    """
    deadline, reason = time.monotonic() + settings.predictor_timeout_s, "it is starting"
    while True:
        try:
            if client.is_server_live(client_timeout=settings.predictor_timeout_s):  # ready it is not where another model is broken
                return
        except InferenceServerException as error:
            reason = error.message()
        if time.monotonic() > deadline:
            raise PredictorSilent(
                f"Triton at {settings.triton_url} did not answer within {settings.predictor_timeout_s:g} s ({reason}): start it, set "
                "EARTHEYE_TRITON_URL to one that runs, or deploy in the process with EARTHEYE_PREDICTOR=onnxruntime"
            )
        time.sleep(READY_EVERY_S)


def load_model(client: InferenceServerClient, model: str, version: int, settings: Settings) -> None:
    """Have the server load an entry of its repository, and wait until it answers for it.

    Raises:
        PredictorSilent: the server went away meanwhile.
        PredictorUnavailable: it cannot load it, or not within the time limit.
    """
    deadline = time.monotonic() + settings.predictor_timeout_s
    try:
        key = {KEY_HEADER: settings.triton_key.get_secret_value()}
        client.load_model(model, headers=key, client_timeout=settings.predictor_timeout_s)
        while not client.is_model_ready(model, str(version), client_timeout=settings.predictor_timeout_s):
            if time.monotonic() > deadline:
                raise PredictorUnavailable(
                    f"Triton at {settings.triton_url} did not make '{model}' ready in {settings.predictor_timeout_s:g} s: "
                    "look at its log, or raise EARTHEYE_PREDICTOR_TIMEOUT_S"
                )
            time.sleep(READY_EVERY_S)
    except InferenceServerException as error:
        wait_for_server(client, settings)  # one that went away has not refused the model
        reason = " ".join(error.message().split())  # a traceback may be in it
        raise PredictorUnavailable(
            f"Triton at {settings.triton_url} cannot load '{model}' ({reason}): look at its log; it must read the folder that "
            f"EARTHEYE_TRITON_REPOSITORY names ({settings.triton_repository}) and have the backend '{settings.triton_backend}' of "
            "EARTHEYE_TRITON_BACKEND; where it asks for a key, that is EARTHEYE_TRITON_KEY"
        ) from error


@contextmanager
def written_entry(serving: Folder, package: ServingPackage, model: str, version: int, backend: str, entry: Path) -> Iterator[None]:
    """Write a repository entry beside its place, and move it there whole; where the block fails, what was there before is put back."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(entry.parent)
    what_for, remedy = f"to write {entry}", "free space there, or set EARTHEYE_TRITON_REPOSITORY to a folder on a larger disk"
    with room(what_for, remedy), tempfile.TemporaryDirectory(dir=entry.parent, prefix=DRAFT) as scratch:
        made, before = Path(scratch) / model, Path(scratch) / "before"
        weights = made / str(version)
        weights.mkdir(parents=True)
        shutil.copyfile(serving.local(package.onnx), weights / "model.onnx")
        if backend == "python":
            source = resources.files("components.deployer").joinpath(PYTHON_MODEL).read_text()
            (weights / "model.py").write_text(source)
        (made / "config.pbtxt").write_text(render_config(package, model, version, backend))
        (made / f"{package.digest}.digest").touch()
        if entry.exists():  # moved away, not emptied where it stands: a server that starts meanwhile finds a whole entry or none
            entry.replace(before)
        made.replace(entry)
        try:
            yield
        except BaseException:
            entry.replace(Path(scratch) / "failed")
            if before.exists():
                before.replace(entry)
            raise


def _remove_abandoned(repository: Path) -> None:
    """Remove the drafts of deployers that were killed: each may hold a whole model."""
    for draft in repository.glob(f"{DRAFT}*"):
        with suppress(FileNotFoundError):  # it has just been finished, or removed by another
            if time.time() - draft.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(draft, ignore_errors=True)


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
