"""What the finetuner says it would train, held against what it trains."""

import pyarrow.parquet as pq
import pytest

import components.finetuner.run
from components.finetuner.config import FinetuneConfig, SamplesConfig
from components.finetuner.features import encode
from components.finetuner.forecast import forecast_head, thin
from components.finetuner.resources import Resources
from components.finetuner.run import finetune
from components.finetuner.windows import choose_windows
from eartheye.contracts import ModelPackage
from eartheye.errors import ConflictingOutput, NotEnoughTiles, WrongBands
from eartheye.store import Folder
from eartheye.tiles import SplitConfig, TileSet
from models.weights import read_weights
from tests.components.tiler_data import files_below
from tests.components.tiny_tiles import write_backbone

SPLIT = SplitConfig(test_share=0.3, validation_share=0.2)
MASKS = SamplesConfig(label_set="cover", input_px=56, split=SPLIT)
SEGMENTATION = FinetuneConfig(title="cover", task="segmentation", samples=MASKS, head_width=16, epochs=2, batch_size=8)
SCENES = FinetuneConfig(title="kinds", task="scenes", samples=SamplesConfig(input_px=56, split=SPLIT), epochs=3)
HERE = Resources(device="cpu", loader_threads=2)

pytestmark = pytest.mark.usefixtures("mlflow")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory, tiles):
    return write_backbone(tmp_path_factory.mktemp("backbone"), tiles)


@pytest.mark.parametrize("config", [SEGMENTATION, SCENES], ids=lambda config: config.task)
def test_the_numbers_are_those_of_the_run_and_nothing_is_written(config, tiles, backbone, tmp_path, mlflow, monkeypatch):
    model = Folder(tmp_path / "model")
    before = files_below(tmp_path), files_below(mlflow)
    told = forecast_head(tiles, backbone, config, model, HERE)
    assert (files_below(tmp_path), files_below(mlflow)) == before
    assert list(tmp_path.iterdir()) == []

    kept = []

    def counting(*arguments):
        features, rows = encode(*arguments), arguments[3]
        kept.append((len(rows), features[rows].nbytes))
        return features

    monkeypatch.setattr(components.finetuner.run, "encode", counting)
    package = finetune(tiles, backbone, config, model, HERE)
    assert kept == [(told.train + told.validation, told.features_bytes)]
    parts = pq.read_table(tmp_path / "model" / "split.parquet").to_pandas()["part"].value_counts()
    windows_of_a_tile = 4 if config.task == "segmentation" else 1
    assert {"train": told.train, "validation": told.validation, "test": told.test} == (parts * windows_of_a_tile).to_dict()
    assert told.classes == len(package.classes)
    assert told.epochs == pq.read_table(tmp_path / "model" / "history.parquet").num_rows
    weights = read_weights(tmp_path / "model" / "model.safetensors")
    assert told.package_bytes == sum(tensor.nbytes for tensor in weights.values())
    # a buffer, as a running mean, is kept and not learned
    assert told.parameters == sum(tensor.numel() for name, tensor in weights.items() if "running" not in name and "num_" not in name)
    assert told.seconds > 0
    assert forecast_head(tiles, backbone, config, model, HERE) is None


def test_a_few_tiles_are_tried_whole_and_in_the_proportion_of_all(tiles, monkeypatch):
    monkeypatch.setattr(components.finetuner.forecast, "TRIED", 32)
    windows = choose_windows(TileSet(tiles), "segmentation", MASKS)
    few = thin(windows)
    train, validation = len(few.rows("train")), len(few.rows("validation"))
    assert 32 <= train + validation == len(few.all) < 48
    assert validation / train == pytest.approx(len(windows.rows("validation")) / len(windows.rows("train")), rel=0.5)
    assert all(len(few.rows_of(window.tile)) == len(windows.rows_of(window.tile)) for window in few.all)


def test_what_the_run_would_refuse_is_refused(tiles, backbone, tmp_path):
    large = SCENES.model_copy(update={"samples": SamplesConfig(input_px=560, split=SPLIT)})
    with pytest.raises(NotEnoughTiles, match="no labelled tile"):
        forecast_head(tiles, backbone, large, Folder(tmp_path / "model"), HERE)
    other = write_backbone(tmp_path / "other", tiles, bands=("nir", "red", "green"))
    with pytest.raises(WrongBands):
        forecast_head(tiles, other, SCENES, Folder(tmp_path / "model"), HERE)
    assert not (tmp_path / "model").exists()
    finetune(tiles, backbone, SCENES, Folder(tmp_path / "model"), HERE)
    assert ModelPackage.read(Folder(tmp_path / "model")).title == "kinds"
    with pytest.raises(ConflictingOutput):
        forecast_head(tiles, backbone, SEGMENTATION, Folder(tmp_path / "model"), HERE)
