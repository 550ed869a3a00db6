"""The export step: a task model in, a serving package out."""

import io
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from components.exporter.config import ExporterConfig
from components.exporter.onnx import export_onnx
from eartheye.contracts import ModelPackage, ServingPackage, Tiles, digest
from eartheye.errors import NotEnoughTiles, ParityNotReached
from eartheye.raster import normalise, select_bands
from eartheye.store import Folder
from eartheye.store.room import scratch_folder
from eartheye.tiles import TileSet
from models.package import load_task_model
from models.references import refer
from models.tasks import Segmenter, served

STEP = "exporter/1"


def export_model(model: Folder, tiles: Folder, config: ExporterConfig, serving: Folder) -> ServingPackage:
    """Export a task model to ONNX and hold it against the trained one. A folder that is finished already is returned as it is.

    Args:
        model: a finished task model.
        tiles: tiles of the model's bands, for the comparison and the golden tile.
        config: operator set, batch, tolerance.
        serving: where the package goes.

    Raises:
        NotFinished: `model` or `tiles` is still to be made.
        NotEnoughTiles: no tile is as large as the model's input.
        ParityNotReached: the exported model computes something else.
        StoreFull: there is no room for it, or for temporary files.
        ConflictingOutput: `serving` holds what another input or configuration made.
    """
    package = ModelPackage.read(model)
    made_from = digest(STEP, config, package.digest, Tiles.read(tiles).digest)
    if done := ServingPackage.done(serving, made_from):
        return done

    trained = load_task_model(model)
    images = sample_images(TileSet(tiles), package, config.parity_tiles)
    with scratch_folder() as scratch:
        path = scratch / "model.onnx"
        export_onnx(served(trained, package.input_px), len(package.image.bands), package.input_px, config.opset, path)
        exported = run_onnx(path, images)
        difference = largest_difference(exported, trained, images)
        if difference > config.parity_tolerance:
            raise ParityNotReached(
                f"{package.title}: a probability of the ONNX model differs by {difference:.4f} from the trained model's, "
                f"{config.parity_tolerance} is allowed: try another opset, or raise parity_tolerance if that is good enough"
            )
        serving.upload("model.onnx", path)

    golden = io.BytesIO()
    np.savez(golden, images=images[:1], probabilities=exported[:1])
    with serving.create("golden.npz") as file:
        file.write(golden.getvalue())
    return ServingPackage(
        made_from=made_from,
        title=package.title,
        task="segmentation" if isinstance(trained, Segmenter) else "scenes",
        model=refer(model, serving),
        model_digest=package.digest,
        onnx=serving.bulk("model.onnx"),
        golden=serving.bulk("golden.npz"),
        image=package.image,
        input_px=package.input_px,
        overlap=package.overlap,
        batch_size=config.batch_size,
        classes=package.classes,
        parity=difference,
        licence=package.provenance.licence,
        attribution=package.provenance.attribution,
    ).finish(serving)


def sample_images(tiles: TileSet, package: ModelPackage, count: int) -> NDArray[np.float32]:
    """Return normalised (N, C, input_px, input_px) windows from the corner of the first tiles that have the model's bands and size."""
    side, images = package.input_px, []
    fitting = tiles.cut[(tiles.cut["height"] >= side) & (tiles.cut["width"] >= side)]
    for tile, name in zip(fitting["tile"], fitting["sensor"], strict=True):
        sensor = tiles.sensors[name]
        if sensor.channels != package.image.bands:
            continue
        pixels, valid = tiles.image(tile)
        corner = pixels[select_bands(sensor.bands, sensor.channels), :side, :side]
        images.append(normalise(corner, valid[:side, :side], package.image))
        if len(images) == count:
            return np.stack(images)
    if not images:
        raise NotEnoughTiles(
            f"no tile has the bands {list(package.image.bands)} and at least {side} px: give the tiles that {package.title} was trained on"
        )
    return np.stack(images)


def run_onnx(path: Path, images: NDArray[np.float32]) -> NDArray[np.generic]:
    """Return the exported model's probabilities, image by image."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["probabilities"], {"images": image[None]})[0] for image in images])


@torch.inference_mode()
def largest_difference(exported: NDArray[np.generic], trained: nn.Module, images: NDArray[np.float32]) -> float:
    """Return the largest absolute difference of a probability, 0 to 1, between the exported and the trained model."""
    scale = 255.0 if exported.dtype == np.uint8 else 1.0
    largest = 0.0
    for given, image in zip(exported, images, strict=True):
        wanted = trained.eval()(torch.from_numpy(image[None]))[0].numpy()
        largest = max(largest, float(np.abs(given / scale - wanted).max()))
    return largest
