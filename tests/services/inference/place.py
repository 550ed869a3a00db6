"""A small scene, a small real model, a broker and a database, and how a client asks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from onnx import TensorProto, helper

from eartheye.blocks import Window, map_window
from eartheye.bus import Bus
from eartheye.contracts import ClassSpec, ImageSpec, ServingPackage
from eartheye.contracts.messages import JOB_REQUESTS, JOB_RESULTS, JobRequest, JobResult
from eartheye.errors import UnknownModel
from eartheye.predictor import open_predictor
from eartheye.raster import open_scene
from eartheye.settings import Settings
from eartheye.store import Folder
from services.inference.admission import ServedModel
from services.inference.config import PlannerConfig
from services.inference.worker import read_images
from services.stack.broker import API_VERSION
from tests.waiting import LIMIT_S

CLASSES = tuple(ClassSpec(value=value, name=name, colour=colour) for value, name, colour in (
    (1, "forest", "#0a6b2a"), (3, "water", "#1f4fd1"), (4, "built up", "#d1331f"), (9, "other", "#aaaaaa")
))  # fmt: skip
GRID = Affine(0.75, 0, 400_000.5, 0, -0.75, 5_500_000.25)
QUICK = PlannerConfig(block_px=64, tick_s=0.05, resend_s=30)


@dataclass(frozen=True)
class Served:
    """A pinned version."""

    version: int
    serving: str
    serving_digest: str


@dataclass
class Place:
    """Folders of a test, and the model that is served there."""

    root: Path
    settings: Settings
    models: dict[tuple[str, str], Served]
    """By name and alias."""
    package: ServingPackage

    @property
    def scene(self) -> Path:
        return self.root / "scene.tif"

    def resolve(self, name: str, alias: str) -> ServedModel:
        """Stand in for MLflow, which takes seconds to start and has tests of its own."""
        if (name, alias) not in self.models:
            raise UnknownModel(f"the registry has no model '{name}' with alias '{alias}': register and promote it first")
        return self.models[name, alias]

    def request(self, job: str, **changes: object) -> JobRequest:
        fields = {"job": job, "scene": str(self.scene), "model": "landcover", "output": str(self.root / "maps" / job)}
        return JobRequest.model_validate(fields | changes)

    def one_pass(self, area: Window | None = None) -> NDArray[np.uint8]:
        """Return the class map of the whole area at once."""
        predict = open_predictor(Folder(self.root / "serving"), self.package, "landcover", 1)
        with open_scene(self.scene) as scene:
            window = area or Window(0, 0, scene.width, scene.height)
            return map_window(read_images(scene, self.package), predict, self.package, window, (window.column, window.row))


def write_scene(path: Path, height: int = 140, width: int = 200, seed: int = 0, **changes: object) -> None:
    """Write an RGB scene of smooth patches in tiles of 64 pixels, with a corner without data."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 220, (3, height // 20 + 1, width // 20 + 1))
    image = np.kron(coarse, np.ones((20, 20), int))[:, :height, :width] + random.integers(-3, 3, (3, height, width))
    image[:, :70, :80] = 0
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "height": height, "width": width, "crs": "EPSG:32633", "transform": GRID}
    profile |= {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate", "nodata": 0, "photometric": "RGB"}
    with rasterio.open(path, "w", **(profile | changes)) as file:
        file.write(image.astype(profile["dtype"]))


def write_package(folder: Folder, **changes: object) -> ServingPackage:
    """Write the serving package of a small network: two convolutions, softmax, uint8."""
    random = np.random.default_rng(7)
    kernels = [
        helper.make_tensor("first", TensorProto.FLOAT, (8, 3, 5, 5), random.normal(0, 0.2, 600)),
        helper.make_tensor("second", TensorProto.FLOAT, (4, 8, 3, 3), random.normal(0, 0.6, 288)),
        helper.make_tensor("top", TensorProto.FLOAT, (), [255.0]),
        helper.make_tensor("half", TensorProto.FLOAT, (), [0.5]),
    ]
    nodes = [
        helper.make_node("Conv", ["images", "first"], ["features"], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("Conv", ["active", "second"], ["scores"], pads=[1, 1, 1, 1]),
        helper.make_node("Softmax", ["scores"], ["shares"], axis=1),
        helper.make_node("Mul", ["shares", "top"], ["scaled"]),
        helper.make_node("Add", ["scaled", "half"], ["shifted"]),
        helper.make_node("Cast", ["shifted"], ["probabilities"], to=TensorProto.UINT8),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ("n", 3, 32, 32))
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.UINT8, ("n", 4, 32, 32))
    graph = helper.make_graph(nodes, "network", [images], [probabilities], kernels)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    with folder.create("model.onnx") as file:
        file.write(model.SerializeToString())
    with folder.create("golden.npz") as file:
        np.savez(file, images=np.zeros((1, 3, 32, 32), np.float32))
    image = ImageSpec(
        bands=("red", "green", "blue"), dtype="uint8", mean=(120.0,) * 3, std=(60.0,) * 3, gsd_m=0.75, gsd_range_m=(0.5, 1.0)
    )  # fmt: skip
    fields = {
        "made_from": "",
        "title": "land cover",
        "task": "segmentation",
        "model_digest": "d" * 64,
        "onnx": folder.bulk("model.onnx"),
        "golden": folder.bulk("golden.npz"),
        "image": image,
        "input_px": 32,
        "overlap": 0.25,
        "batch_size": 4,
        "classes": CLASSES,
        "parity": 0.0,
        "licence": ("CC-BY-4.0",),
        "attribution": ("Example Imagery 2023",),
    }
    return ServingPackage.model_validate(fields | changes).finish(folder)


def make_place(root: Path, broker: str) -> Place:
    write_scene(root / "scene.tif")
    serving = Folder(root / "serving")
    package = write_package(serving)
    settings = Settings(
        kafka_bootstrap=broker,
        kafka_api_version=API_VERSION,
        kafka_timeout_s=60,
        database_url=f"sqlite:///{root}/jobs.db",
        allowed_roots=(str(root),),
        job_work=str(root / "work"),
        predictor_threads=1,
    )
    return Place(root, settings, {("landcover", "champion"): Served(1, serving.root, package.digest)}, package)


def ask(bus: Bus, request: JobRequest) -> JobResult:
    """Send a request and wait for its result, as a client does."""
    with bus.replies(JOB_RESULTS, request.job, (JobResult,)) as replies:
        bus.publish(JOB_REQUESTS, request.job, request)
        return replies.next(LIMIT_S)


@contextmanager
def running(role: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run a role of the service in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=role, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LIMIT_S)
        assert not thread.is_alive()
