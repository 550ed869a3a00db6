"""The task model itself in this process, run by PyTorch, on a GPU where there is one."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eartheye.contracts import ModelPackage, ServingPackage
from eartheye.errors import CorruptBulk, PredictorUnavailable
from eartheye.predictor.signature import Signature
from eartheye.store import Folder
from eartheye.wording import counted
from models.package import load_task_model
from models.references import resolve
from models.tasks import served


class TorchPredictor:
    """See `eartheye.predictor.Predictor`. Of a serving package it takes the description, and the weights of the model behind it.

    Args:
        folder: of the serving package.
        package: its manifest.
        signature: what the model takes and gives.
        threads: threads that this process may use on a processor; 0 leaves the number as it is.

    Raises:
        PredictorUnavailable: the package does not say which model it was exported from.
        NotFinished: the model is not there.
        CorruptBulk: it is another one, or its weights are not those that it names.
        WrongBackbone: its backbone is not there, or another one.
    """

    def __init__(self, folder: Folder, package: ServingPackage, signature: Signature, threads: int = 0) -> None:
        if package.model is None:
            raise PredictorUnavailable(
                f"{folder.root} does not name the model it was exported from: export it again, or set EARTHEYE_PREDICTOR to "
                "onnxruntime or triton"
            )
        model = Folder(resolve(package.model, folder))
        if ModelPackage.read(model).digest != package.model_digest:
            raise CorruptBulk(f"{model.root} is not the model that {folder.root} was exported from: export it again")
        if threads:
            torch.set_num_threads(threads)
        self._signature = signature
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = served(load_task_model(model), package.input_px).to(self._device).eval()

    @property
    def batch_size(self) -> int:
        """Images of one call."""
        return self._signature.batch_size

    def __call__(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Run the model; see `Predictor`."""
        return self._signature.call(images, self._run)

    def close(self) -> None:
        """Let go of the model."""
        del self._network

    @torch.inference_mode()
    def _run(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        try:
            # convolutions in full precision, as the other predictors have them
            with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
                return self._network(torch.from_numpy(batch).to(self._device)).cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise PredictorUnavailable(
                f"the GPU has no room for {counted(len(batch), 'image')} ({error}): export with a smaller batch_size, or free its memory"
            ) from error
