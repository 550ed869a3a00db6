"""The model on a Triton server, over gRPC."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from eartheye.errors import NotDeployed, PredictorSilent, PredictorUnavailable
from eartheye.predictor.signature import IMAGES, PROBABILITIES, Signature
from eartheye.telemetry import get_logger

AnswerT = TypeVar("AnswerT")
log = get_logger(__name__)

DIGEST = "serving_digest"
"""Parameter of a model's configuration on the server: digest of the serving package that it was deployed from."""
PASSING = ("StatusCode.UNAVAILABLE", "StatusCode.RESOURCE_EXHAUSTED")
"""States that a server leaves by itself: it is starting, or has too much to do."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
LIVE_S = 5.0
"""How long a server may take to say that it lives."""


def served_name(name: str, version: int) -> str:
    """Return what a registered model's version is called on the server.

    Each version is a model of its own there, for Triton has one configuration for all versions of a model, while ours may differ in
    classes or size; two versions can so be served side by side.
    """
    return f"{name}-v{version}"


class TritonPredictor:
    """See `Predictor`. The connection is opened and the deployed model looked at when this is made.

    Args:
        url: host and port of Triton's gRPC service.
        name: name of the registered model.
        version: its pinned version.
        digest: digest of its serving package; another package under the same name and version is refused.
        signature: what the model takes and gives.
        timeout_s: time for one call, its repetitions included.

    Raises:
        PredictorSilent: the server does not answer.
        NotDeployed: it does not hold this model.
        PredictorUnavailable: it answers, but does not run this model.
    """

    def __init__(self, url: str, name: str, version: int, digest: str, signature: Signature, timeout_s: float) -> None:
        self._url, self._signature, self._timeout_s = url, signature, timeout_s
        self._model = {"model_name": served_name(name, version), "model_version": str(version)}
        self._client = InferenceServerClient(url)
        config = self._ask(lambda limit_s: self._client.get_model_config(**self._model, as_json=True, client_timeout=limit_s))["config"]
        deployed = config.get("parameters", {}).get(DIGEST, {}).get("string_value")
        if deployed != digest:
            raise NotDeployed(
                f"Triton at {url} holds '{self._model['model_name']}' from another serving package ({str(deployed)[:12]}, wanted "
                f"{digest[:12]}): deploy the model again"
            )

    @property
    def batch_size(self) -> int:
        """Images of one call."""
        return self._signature.batch_size

    def __call__(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Run the model on the server; see `Predictor`."""
        return self._signature.call(images, self._run)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _run(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        images = InferInput(IMAGES, list(batch.shape), np_to_triton_dtype(batch.dtype))
        images.set_data_from_numpy(batch)
        wanted = [InferRequestedOutput(PROBABILITIES)]
        answer = self._ask(lambda limit_s: self._client.infer(**self._model, inputs=[images], outputs=wanted, client_timeout=limit_s))
        try:
            result: NDArray[Any] | None = answer.as_numpy(PROBABILITIES)
        except ValueError:  # fewer bytes than the shape beside them says
            result = None
        if result is None:
            raise PredictorUnavailable(f"Triton at {self._url} answered without '{PROBABILITIES}': export and deploy the model again")
        return result

    def _ask(self, request: Callable[[float], AnswerT]) -> AnswerT:
        """Send a request, again while the server is in a state that passes, until the time limit."""
        deadline, pause_s = time.monotonic() + self._timeout_s, FIRST_PAUSE_S
        while True:
            try:
                return request(max(deadline - time.monotonic(), 0.001))
            except InferenceServerException as error:
                if error.status() not in PASSING or time.monotonic() + pause_s >= deadline:
                    raise self._unavailable(error) from error
                log.warning("triton does not answer, trying again", url=self._url, model=self._model["model_name"], reason=error.message())
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _unavailable(self, error: InferenceServerException) -> PredictorUnavailable:
        name = self._model["model_name"]
        if error.status() in (*PASSING, "StatusCode.DEADLINE_EXCEEDED"):
            kind = PredictorUnavailable if self._lives() else PredictorSilent
            return kind(
                f"Triton at {self._url} did not answer for '{name}' within {self._timeout_s:g} s ({error.message()}): start it, set "
                "EARTHEYE_TRITON_URL to one that runs, or run in the process with EARTHEYE_PREDICTOR=onnxruntime"
            )
        kind = NotDeployed if error.status() == "StatusCode.NOT_FOUND" else PredictorUnavailable
        return kind(f"Triton at {self._url} cannot run '{name}' ({error.message()}): deploy the model again")

    def _lives(self) -> bool:
        """Ask whether the server answers at all; one that is slow with a model does."""
        try:
            return bool(self._client.is_server_live(client_timeout=min(LIVE_S, self._timeout_s)))
        except InferenceServerException:
            return False
