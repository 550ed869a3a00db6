"""The model in this process, run by ONNX Runtime on the processor."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as states

from eartheye.errors import PredictorUnavailable
from eartheye.predictor.signature import IMAGES, PROBABILITIES, Signature

UNUSABLE = (states.Fail, states.InvalidArgument, states.InvalidGraph, states.InvalidProtobuf, states.NoSuchFile, states.NotImplemented)


class OnnxRuntimePredictor:
    """See `Predictor`.

    Args:
        model: the ONNX file; it is read now and not needed afterwards.
        signature: what the model takes and gives.
        threads: threads that one call may use; 0 for one on each core.

    Raises:
        PredictorUnavailable: the file is no model that this ONNX Runtime can run.
    """

    def __init__(self, model: Path, signature: Signature, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        self._signature = signature
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except UNUSABLE as error:
            raise PredictorUnavailable(f"ONNX Runtime cannot run {model.name} ({error}): export the model again") from error

    @property
    def batch_size(self) -> int:
        """Images of one call."""
        return self._signature.batch_size

    def __call__(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Run the model; see `Predictor`."""
        return self._signature.call(images, self._run)

    def close(self) -> None:
        """Let go of the model."""
        del self._session

    def _run(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        try:
            return self._session.run([PROBABILITIES], {IMAGES: batch})[0]
        except (*UNUSABLE, ValueError) as error:
            raise PredictorUnavailable(f"the model does not take what its package promises ({error}): export it again") from error
