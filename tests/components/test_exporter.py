"""A task model as it is exported, and the three ways it is run: they give the same answers."""

import io
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module

import numpy as np
import pytest

from components.deployer.run import TOLERANCE, deploy
from components.exporter.config import ExporterConfig
from components.exporter.run import export_model, run_onnx, sample_images
from components.finetuner.config import FinetuneConfig, SamplesConfig
from components.finetuner.resources import Resources
from components.finetuner.run import finetune
from eartheye.contracts import ModelPackage, ServingPackage
from eartheye.errors import CorruptBulk, NotEnoughTiles, NotFinished, ParityNotReached, StoreFull
from eartheye.predictor import open_predictor
from eartheye.settings import Settings
from eartheye.store import Folder
from eartheye.tiles import SplitConfig, TileSet
from tests.components.tiny_tiles import draw_tile, write_backbone, write_tiles
from tests.limits import filled

SAMPLES = SamplesConfig(label_set="cover", input_px=56, split=SplitConfig(test_share=0.3, validation_share=0.2))
HEADS = {
    "segmentation": FinetuneConfig(title="cover", task="segmentation", samples=SAMPLES, head_width=16, epochs=2, learning_rate=5e-3),
    "scenes": FinetuneConfig(title="kinds", task="scenes", samples=SAMPLES, epochs=2, learning_rate=1e-2),
}

pytestmark = pytest.mark.usefixtures("mlflow")


@pytest.fixture(scope="module")
def root(tmp_path_factory, mlflow, tiles):
    """A backbone, two heads and their serving packages."""
    root = Folder(tmp_path_factory.mktemp("run"))
    backbone = write_backbone(f"{root.root}/backbone", tiles)
    for task, config in HEADS.items():
        finetune(tiles, backbone, config, root / task, Resources(device="cpu", loader_threads=2))
        export_model(root / task, tiles, ExporterConfig(), root / f"{task}-serving")
    return root


def predictor(folder, name):
    return open_predictor(folder, ServingPackage.read(folder), "any", 1, Settings(predictor=name, predictor_threads=1))


@pytest.mark.parametrize("task", HEADS)
def test_pytorch_and_onnx_runtime_give_the_same_answers(root, task):
    folder = root / f"{task}-serving"
    with folder.open(ServingPackage.read(folder).golden) as file:
        golden = np.load(io.BytesIO(file.read()))["images"]
    noise = np.random.default_rng(0).normal(size=(6, 3, 56, 56)).astype(np.float32)
    images = np.concatenate([golden, noise])
    wanted, given = predictor(folder, "onnxruntime")(images), predictor(folder, "torch")(images)
    assert (given.dtype, given.shape) == (wanted.dtype, wanted.shape)
    scale = 255 if given.dtype == np.uint8 else 1
    assert np.abs(given.astype(float) - wanted).max() / scale <= TOLERANCE
    assert given.std() > 0


@pytest.mark.parametrize("task", HEADS)
def test_a_model_that_computes_something_else_than_it_learned_is_not_exported(root, tiles, tmp_path, task, monkeypatch):
    run = import_module("components.exporter.run")
    monkeypatch.setattr(run, "run_onnx", lambda path, images: np.roll(run_onnx(path, images), 1, axis=1))  # classes take each other's place
    with pytest.raises(ParityNotReached, match="try another opset"):
        export_model(root / task, tiles, ExporterConfig(), Folder(tmp_path))
    assert ServingPackage.read(root / f"{task}-serving").parity <= ExporterConfig().parity_tolerance
    assert list(tmp_path.iterdir()) == []


def test_a_graph_without_room_is_told_and_nothing_is_left(root, tiles, tmp_path, small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with filled(small_disk), pytest.raises(StoreFull, match=rf"no room in {small_disk} for temporary files .*set TMPDIR to a larger disk"):
        export_model(root / "scenes", tiles, ExporterConfig(), Folder(tmp_path))
    assert list(tmp_path.iterdir()) == [small_disk]
    assert list(small_disk.iterdir()) == []


def test_models_are_held_against_each_other_on_tiles_as_they_were_normalised_in_training(root, tiles):
    package = ModelPackage.read(root / "scenes")
    mean, std = (np.array(values)[:, None, None] for values in (package.image.mean, package.image.std))
    images = sample_images(TileSet(tiles), package, 6)
    assert len(images) == 6
    for image, (site, quarter) in zip(images, np.ndindex(3, 2), strict=True):
        wanted = (draw_tile(site, quarter, 84)[0][:, :56, :56] - mean) / std
        wanted[:, :8, :site] = 0  # no data
        np.testing.assert_allclose(image, wanted, atol=1e-5)


def test_tiles_of_other_bands_are_nothing_to_compare_by(root, tmp_path):
    other = write_tiles(tmp_path / "bgr", sites=2, quarters=1, channels=("blue", "green", "red"))
    with pytest.raises(NotEnoughTiles, match="no tile has the bands"):
        export_model(root / "scenes", other, ExporterConfig(), Folder(tmp_path / "serving"))


def test_pytorch_gives_an_image_the_same_answer_whatever_lies_beside_it(root):
    images = np.random.default_rng(1).normal(size=(5, 3, 56, 56)).astype(np.float32)
    run = predictor(root / "segmentation-serving", "torch")
    np.testing.assert_array_equal(np.concatenate([run(images[:1]), run(images[1:])]), run(images))


@pytest.mark.parametrize(("name", "server"), [("torch", "PyTorch in the process"), ("onnxruntime", "ONNX Runtime in the process")])
def test_a_deployment_in_the_process_is_held_against_the_golden_tile(root, name, server):
    deployed = deploy(root / "segmentation-serving", "cover", 1, Settings(predictor=name))
    assert deployed.server == server
    assert deployed.difference <= TOLERANCE


def test_pytorch_finds_the_model_of_folders_that_moved_together_and_refuses_another(root, tmp_path):
    shutil.copytree(root.root, tmp_path / "moved")
    moved = Folder(tmp_path / "moved")
    images = np.zeros((1, 3, 56, 56), np.float32)
    there = predictor(root / "scenes-serving", "torch")(images)
    np.testing.assert_array_equal(predictor(moved / "scenes-serving", "torch")(images), there)

    package = ModelPackage.read(moved / "scenes")
    package.model_copy(update={"title": "another"}).finish(moved / "scenes")
    with pytest.raises(CorruptBulk, match="is not the model"):
        predictor(moved / "scenes-serving", "torch")
    (moved / "scenes").delete(ModelPackage.name)
    with pytest.raises(NotFinished):
        predictor(moved / "scenes-serving", "torch")


def test_torch_is_imported_only_where_it_is_chosen(root):
    code = (
        "import sys; from eartheye.contracts import ServingPackage; from eartheye.predictor import open_predictor\n"
        "from eartheye.settings import Settings; from eartheye.store import Folder\n"
        f"folder = Folder({str((root / 'scenes-serving').root)!r}); package = ServingPackage.read(folder)\n"
        "for name in ('onnxruntime', 'torch'):\n"
        "    open_predictor(folder, package, 'any', 1, Settings(predictor=name)); print('torch' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]
