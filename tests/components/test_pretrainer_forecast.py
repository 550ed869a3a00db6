"""What the pretrainer says it would train, held against what it trains."""

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from components.pretrainer import checkpoints
from components.pretrainer.config import HeadConfig, PretrainConfig, ViewsConfig
from components.pretrainer.forecast import forecast_pretraining, most_memory
from components.pretrainer.run import Resources, pretrain
from components.pretrainer.training import Training
from eartheye.contracts import ModelPackage
from eartheye.errors import ConflictingOutput, NotEnoughTiles, NotFinished
from eartheye.store import Folder
from eartheye.tiles import SplitConfig
from models.weights import read_weights
from tests.components.tiler_data import files_below
from tests.components.tiny_tiles import write_curated, write_tiles

CONFIG = PretrainConfig(
    size="nano",
    views=ViewsConfig(global_px=28, local_px=14),
    head=HeadConfig(hidden=32, bottleneck=16, prototypes=32),
    steps=4,
    batch_size=4,
    precision="float32",
    holdout=SplitConfig(test_share=0.3, validation_share=0.0),
)
HERE = Resources(device="cpu", loader_threads=2, checkpoint_every_s=3600)

pytestmark = pytest.mark.usefixtures("mlflow")


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    return write_tiles(tmp_path_factory.mktemp("tiles"), sites=10)


@pytest.fixture(scope="module")
def curated(tmp_path_factory, tiles):
    return write_curated(tmp_path_factory.mktemp("curated"), tiles, dropped=[5])


@pytest.fixture
def given(tiles, curated, tmp_path):
    return tiles, curated, CONFIG, Folder(tmp_path / "checkpoint"), Folder(tmp_path / "backbone"), HERE


def test_the_numbers_are_those_of_the_run_and_nothing_is_written(given, tmp_path, mlflow):
    before, most_before = (files_below(tmp_path), files_below(mlflow)), most_memory(torch.device("cpu"))
    told = forecast_pretraining(*given)
    assert (files_below(tmp_path), files_below(mlflow)) == before
    assert list(tmp_path.iterdir()) == []

    pretrain(*given)
    seen = pq.read_table(tmp_path / "backbone" / "split.parquet").to_pandas()
    index = pq.read_table(f"{given[0].root}/tiles.parquet", columns=["tile", "site"]).to_pandas()
    assert told.tiles == len(seen)
    assert told.sites == index.merge(seen, on="tile")["site"].nunique()
    assert (told.steps, told.done) == (pq.read_table(tmp_path / "backbone" / "history.parquet").num_rows, 0)
    assert (told.images, told.epochs) == (16, 16 / told.sites)

    weights = read_weights(tmp_path / "backbone" / "model.safetensors")
    assert told.backbone_parameters == sum(tensor.numel() for tensor in weights.values())
    assert told.package_bytes == sum(tensor.nbytes for tensor in weights.values())
    assert told.package_bytes == pytest.approx(ModelPackage.read(given[4]).weights.size, rel=0.01)
    state = next(Path(tmp_path / "checkpoint").glob("*/state.pt"))
    assert told.checkpoint_bytes == pytest.approx(state.stat().st_size, rel=0.02)
    assert told.trained_parameters > told.backbone_parameters
    assert most_before <= told.memory_bytes <= most_memory(torch.device("cpu"))
    assert told.seconds > 0
    assert forecast_pretraining(*given) is None


def test_steps_that_are_done_are_counted_by_the_newest_checkpoint(given, tmp_path, monkeypatch):
    def killed(training, views):
        if training.step == 3:
            raise InterruptedError
        return advance(training, views)

    advance = Training.advance
    each_step = Resources(device="cpu", loader_threads=1, checkpoint_every_s=0, checkpoint_share=math.inf)
    monkeypatch.setattr(Training, "advance", killed)
    with pytest.raises(InterruptedError):
        pretrain(*given[:-1], each_step)
    monkeypatch.undo()
    assert checkpoints.finished(given[3])[-1] == "step-00000003"
    before = files_below(tmp_path)
    told = forecast_pretraining(*given)
    assert files_below(tmp_path) == before
    assert (told.steps, told.done) == (4, 3)
    assert told.seconds > 0


def test_a_training_of_one_step_is_tried_too(given):
    tiles, curated, config, *rest = given
    assert forecast_pretraining(tiles, curated, config.model_copy(update={"steps": 1}), *rest).images == 4


def test_what_the_run_would_refuse_is_refused(given, tmp_path):
    tiles, curated, config, checkpoint, backbone, resources = given
    with pytest.raises(NotFinished):
        forecast_pretraining(tiles, Folder(tmp_path / "none"), config, checkpoint, backbone, resources)
    none_kept = write_curated(tmp_path / "curated", tiles, dropped=list(range(40)))
    with pytest.raises(NotEnoughTiles, match="loosen the curator's thresholds"):
        forecast_pretraining(tiles, none_kept, config, checkpoint, backbone, resources)
    pretrain(*given)
    other = config.model_copy(update={"seed": 1})
    with pytest.raises(ConflictingOutput, match="another input or configuration"):
        forecast_pretraining(tiles, curated, other, checkpoint, backbone, resources)
    with pytest.raises(ConflictingOutput, match="checkpoints of another training"):
        forecast_pretraining(tiles, curated, other, checkpoint, Folder(tmp_path / "other"), resources)
