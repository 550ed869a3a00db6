"""A served model for Triton's Python backend: runs `model.onnx`, beside this file, by ONNX Runtime.

The deployer copies this file into the model repository as `model.py`. It runs in Triton's own Python environment and imports nothing of
EarthEye. The session has the options of `eartheye.predictor.onnxruntime`, so that both give the same bits.
"""

from pathlib import Path
from typing import Any

import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """The class that the backend looks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model; what is raised here makes Triton refuse it with the reason."""
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        model = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request by itself: a request is one batch of the fixed size."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        images = triton.get_input_tensor_by_name(request, "images").as_numpy()
        (probabilities,) = self._session.run(["probabilities"], {"images": images})
        return triton.InferenceResponse(output_tensors=[triton.Tensor("probabilities", probabilities)])
