"""Running a served model: in the process by ONNX Runtime, or on a Triton server; the caller does not see which."""

from eartheye.predictor.opening import open_predictor
from eartheye.predictor.port import Predictor
from eartheye.predictor.signature import Signature

__all__ = ["Predictor", "Signature", "open_predictor"]
