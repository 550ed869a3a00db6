"""From a scene's file to its class map on disk, beside the bare model on arrays in memory: what reading, blending and writing cost.

Scene and model are those of a finished `make demo`. The limit is the bare model on as many tiles as the map is blended from.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import interleaved, keep
from eartheye.blocks.lattice import Lattice
from eartheye.contracts import ServingPackage
from eartheye.predictor.onnxruntime import OnnxRuntimePredictor
from eartheye.predictor.signature import Signature
from eartheye.raster import open_scene
from eartheye.store import Folder
from services.inference.here import MapModel

SIDE_PX = 2048


def main() -> None:
    """Measure, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"), help="a finished demonstration")
    run = parser.parse_args().run
    folder, scene = Folder(run / "heads/landcover/serving"), run / "world/mosaic_2024Q3.tif"
    package = ServingPackage.read(folder)
    with open_scene(scene) as opened:
        (left, top), (right, bottom) = opened.transform @ (1024, 1024), opened.transform @ (1024 + SIDE_PX, 1024 + SIDE_PX)
    lattice = Lattice.of(package.input_px, package.overlap)
    tiles = len(lattice.touching(0, SIDE_PX)) ** 2
    batch = np.zeros((package.batch_size, len(package.image.bands), package.input_px, package.input_px), np.float32)
    model, bare = MapModel(folder), OnnxRuntimePredictor(folder.local(package.onnx), Signature.of(package))

    with tempfile.TemporaryDirectory() as scratch:

        def ours() -> None:
            model.predict(scene, area=(left, bottom, right, top)).write(Path(scratch) / "map.tif")

        def limit() -> None:
            for start in range(0, tiles, package.batch_size):
                bare(batch[: tiles - start])

        seconds = interleaved({"file to map": ours, "bare model": limit})
    facts = {
        "megapixels": SIDE_PX**2 / 1e6,
        "tiles": tiles,
        "seconds": seconds,
        "megapixels_per_second": SIDE_PX**2 / 1e6 / seconds["file to map"],
        "share_of_limit": seconds["bare model"] / seconds["file to map"],
    }
    keep("mapping", facts, ("numpy", "rasterio", "onnxruntime"))


if __name__ == "__main__":
    main()
