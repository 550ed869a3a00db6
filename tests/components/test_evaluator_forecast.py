"""What the evaluator says it would judge, held against what it judges."""

from importlib import import_module

import pyarrow.parquet as pq
import pytest

from components.evaluator.config import EvaluatorConfig
from components.evaluator.forecast import forecast_evaluation
from components.evaluator.run import evaluate_backbone, evaluate_task
from components.finetuner.config import FinetuneConfig, SamplesConfig
from components.finetuner.features import encode
from components.finetuner.resources import Resources
from components.finetuner.run import finetune
from eartheye.errors import ConflictingOutput, InvalidConfig, NotEnoughTiles
from eartheye.store import Folder
from eartheye.tiles import SplitConfig
from tests.components.tiler_data import files_below
from tests.components.tiny_tiles import write_backbone, write_tiles

SPLIT = SplitConfig(test_share=0.3, validation_share=0.2)
MASKS = SamplesConfig(label_set="cover", input_px=56, split=SPLIT)
CONFIG = EvaluatorConfig(samples=MASKS, forest_pixels=500, resamples=20, pictured_tiles=2)
HERE = Resources(device="cpu", loader_threads=2)
USERS_OF_ENCODE = (
    "components.finetuner.run",
    "components.evaluator.features",
    "components.evaluator.tasks",
    "components.evaluator.segmentation",
)

pytestmark = pytest.mark.usefixtures("mlflow")


@pytest.fixture(scope="module")
def models(tmp_path_factory, mlflow, tiles):
    """A backbone and two heads."""
    root = Folder(tmp_path_factory.mktemp("models"))
    backbone = write_backbone(f"{root.root}/backbone", tiles)
    for task in ("segmentation", "scenes"):
        config = FinetuneConfig(title=task, task=task, samples=MASKS, batch_size=8, epochs=2, head_width=16)
        finetune(tiles, backbone, config, root / task, HERE)
    return root


@pytest.mark.parametrize("name", ["backbone", "segmentation", "scenes"])
def test_the_numbers_are_those_of_the_run_and_nothing_is_written(name, models, tiles, tmp_path, mlflow, monkeypatch):
    given = tiles, models / name, CONFIG, Folder(tmp_path / "report"), HERE
    before = files_below(tmp_path), files_below(mlflow)
    told = forecast_evaluation(*given)
    assert (files_below(tmp_path), files_below(mlflow)) == before
    assert list(tmp_path.iterdir()) == []

    encoded, kept = [], []

    def counting(*arguments):
        features, rows = encode(*arguments), arguments[3]
        encoded.append(len(rows))
        kept.append(features[rows].nbytes)
        return features

    for place in USERS_OF_ENCODE:
        monkeypatch.setattr(import_module(place), "encode", counting, raising=False)
    report = (evaluate_backbone if name == "backbone" else evaluate_task)(*given)
    assert told.encoded == sum(encoded)
    assert told.features_bytes == sum(kept)
    assert [f"{count} windows" in report.split for count in (told.train, told.validation, told.test)] == [True] * 3
    assert told.classes == 3
    epochs = {"backbone": 0, "segmentation": 2, "scenes": 2}[name]
    assert told.epochs == epochs
    assert epochs in (0, pq.read_table(f"{models.root}/{name}/history.parquet").num_rows)
    assert told.seconds > 0
    assert forecast_evaluation(*given) is None


def test_what_the_run_would_refuse_is_refused(models, tiles, tmp_path):
    report = Folder(tmp_path / "report")
    no_test = MASKS.model_copy(update={"split": SplitConfig(test_share=0, validation_share=0.2)})
    with pytest.raises(NotEnoughTiles, match="no window is left for the test"):
        forecast_evaluation(tiles, models / "backbone", EvaluatorConfig(samples=no_test), report, HERE)
    with pytest.raises(InvalidConfig, match="are not the tiles that"):
        forecast_evaluation(write_tiles(tmp_path / "other", sites=6), models / "scenes", CONFIG, report, HERE)
    evaluate_task(tiles, models / "scenes", CONFIG, report, HERE)
    with pytest.raises(ConflictingOutput):
        forecast_evaluation(tiles, models / "scenes", EvaluatorConfig(seed=1), report, HERE)
