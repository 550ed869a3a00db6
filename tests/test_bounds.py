"""What no step could work with is refused before it begins, by the field's own bounds."""

import pytest
from pydantic import ValidationError

from components.curator.config import CuratorConfig
from components.evaluator.config import EvaluatorConfig
from components.exporter.config import ExporterConfig
from components.finetuner.config import FinetuneConfig
from components.pretrainer.config import HeadConfig, PretrainConfig, ViewsConfig
from components.sampler.config import SamplerConfig
from components.tiler.config import TilerConfig
from eartheye.gate import GatePolicy
from eartheye.seed import LARGEST_SEED
from eartheye.tiles import SplitConfig
from pipelines.config import MapConfig
from services.inference.config import PlannerConfig

NAN, INFINITE = float("nan"), float("inf")
REQUIRED = {
    FinetuneConfig: {"title": "cover", "task": "scenes"},
    MapConfig: {"title": "t", "model": "m", "scene": "a.tif"},
    SamplerConfig: {"target_sites": 10},
}
SEEDED = (SplitConfig, SamplerConfig, CuratorConfig, PretrainConfig, FinetuneConfig, EvaluatorConfig)


def make(model, **fields):
    return model(**REQUIRED.get(model, {}), **fields)


@pytest.mark.parametrize("model", SEEDED)
def test_a_seed_is_what_all_that_draw_can_take(model):
    assert make(model, seed=LARGEST_SEED).seed == 2**32 - 1
    for seed in (-1, 2**32):
        with pytest.raises(ValidationError, match=r"seed\n  Input should be (greater|less) than or equal to"):
            make(model, seed=seed)


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (SamplerConfig, "interval_m", INFINITE),
        (TilerConfig, "group_side", 10**30),
        (CuratorConfig, "min_sharpness", INFINITE),
        (CuratorConfig, "max_cluster_excess", 1e300),
        (SplitConfig, "test_share", NAN),
        (ViewsConfig, "global_px", 14 * 10**6),
        (ViewsConfig, "global_area", (NAN, 1.0)),
        (HeadConfig, "prototypes", 10**12),
        (PretrainConfig, "steps", 10**400),
        (PretrainConfig, "teacher_temperature", INFINITE),
        (PretrainConfig, "learning_rate", INFINITE),
        (FinetuneConfig, "learning_rate", NAN),
        (FinetuneConfig, "head_width", 10**9),
        (FinetuneConfig, "epochs", 10**400),
        (EvaluatorConfig, "neighbour_temperature", 1e-6),
        (EvaluatorConfig, "resamples", 10**12),
        (EvaluatorConfig, "pictured_tiles", 10**6),
        (ExporterConfig, "opset", 17),
        (ExporterConfig, "opset", 99),
        (ExporterConfig, "batch_size", 10**9),
        (MapConfig, "nodata", NAN),
        (MapConfig, "area", (0.0, 0.0, 1e300, 1.0)),
        (MapConfig, "timeout_s", INFINITE),
        (PlannerConfig, "resend_s", 1e15),
        (PlannerConfig, "tick_s", 1e15),
        (GatePolicy, "max_loss_to_champion", NAN),
    ],
)
def test_a_number_that_would_end_in_a_traceback_or_in_nonsense_is_refused(model, field, value):
    with pytest.raises(ValidationError, match=f"^1 validation error for {model.__name__}\n{field}"):
        make(model, **{field: value})
