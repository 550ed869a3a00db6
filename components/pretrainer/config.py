"""What can be set about pretraining. The report prints few of its values; each default says where it comes from."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eartheye.contracts.catalogue import LARGEST_CHIP_PX
from eartheye.errors import InvalidConfig
from eartheye.seed import Seed
from eartheye.tiles import SplitConfig

MODEL = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
PATCH_PX = 14
"""Source: CG-EarthEye report, section 3.1."""

Share = tuple[float, float]
"""Smallest and largest share, 0 to 1."""


class ViewsConfig(BaseModel):
    """How the views of a sample are made."""

    model_config = MODEL

    global_px: int = Field(224, gt=0, le=LARGEST_CHIP_PX)
    """Side of the two global crops, a multiple of the patch size 14. Source: the report; its second phase takes 518."""
    local_px: int = Field(98, gt=0, le=LARGEST_CHIP_PX)
    """Side of the local crops, a multiple of 14. Source: the report."""
    local_views: int = Field(8, ge=3, le=64)
    """Source: the report; three of them give way to other acquisitions of the site."""
    global_area: Share = (0.32, 1.0)
    """Share of the tile that a global crop covers. Source: DINOv2 (`ssl_default_config.yaml`)."""
    local_area: Share = (0.05, 0.32)
    """Share of the tile that a local crop covers. Source: DINOv2."""
    brightness: float = Field(0.4, ge=0, lt=1)
    """Factors of the colour jitter lie between 1 less and 1 more than this. Source: DINOv2."""
    contrast: float = Field(0.4, ge=0, lt=1)
    """Source: DINOv2."""
    saturation: float = Field(0.2, ge=0, lt=1)
    """Source: DINOv2."""
    jitter_probability: float = Field(0.8, ge=0, le=1)
    """Source: DINOv2."""
    mask_share: Share = (0.1, 0.5)
    """Share of a global crop's patches that the student does not see. Source: the report."""

    @model_validator(mode="after")
    def _can_be_cut(self) -> Self:
        for name in ("global_px", "local_px"):
            if (size := getattr(self, name)) % PATCH_PX:
                raise InvalidConfig(f"{name} {size} does not divide into patches: choose a multiple of {PATCH_PX}")
        for name in ("global_area", "local_area", "mask_share"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 1:
                raise InvalidConfig(f"{name} ({low}, {high}): choose 0 < smallest <= largest <= 1")
        return self


class HeadConfig(BaseModel):
    """Size of the projection heads. Source of the defaults: DINOv2, `ssl_default_config.yaml`."""

    model_config = MODEL

    hidden: int = Field(2048, gt=0, le=65536)
    """Width of the two hidden layers."""
    bottleneck: int = Field(256, gt=0, le=65536)
    """Width of the layer before the prototypes."""
    prototypes: int = Field(65536, gt=0, le=2**20)
    """Classes that nobody named, to which student and teacher assign what they see."""


class PretrainConfig(BaseModel):
    """How a backbone is pretrained."""

    model_config = MODEL

    size: Literal["nano", "small", "base", "large", "huge", "giant"] = "base"
    """Size of the vision transformer. Source: Table 1 of the report; `nano` is for a demonstration on two cores."""
    views: ViewsConfig = ViewsConfig()
    head: HeadConfig = HeadConfig()
    centring: Literal["sinkhorn_knopp", "moving_average"] = "sinkhorn_knopp"
    """How the teacher is kept from collapsing. Source: DINOv2."""
    global_to_global: bool = False
    """Whether the class tokens of the student's global views learn from the teacher's other global view, too. Source: the report, whose
    equation (2) has the student's local views alone; DINO and DINOv2 compare the global views as well."""
    teacher_temperature: float = Field(0.07, gt=0)
    """How sharp the teacher's targets are: lower is sharper. Source: DINOv2."""
    teacher_temperature_start: float = Field(0.04, gt=0)
    """The teacher's temperature at the first step. Source: DINOv2."""
    teacher_temperature_warmup: float = Field(0.3, ge=0, le=1)
    """Share of the steps over which the temperature rises: 30 of DINO's 100 epochs."""
    momentum: float = Field(0.992, ge=0, le=1)
    """m of equation (5): how much of the teacher stays in a step. Source: the report. A run of fewer than 500 steps wants less."""

    steps: int = Field(125_000, gt=0, le=1_000_000_000)
    """Steps of the optimiser. Source: DINOv2, 100 epochs of 1,250 steps."""
    batch_size: int = Field(1024, gt=1, le=2**20)
    """Sites in a step, over all processes. Source: DINOv2 (ViT-L on ImageNet-22k: 2048; ImageNet-1k: 1024)."""
    learning_rate: float = Field(4e-3, gt=0)
    """Peak, for a batch of 1024 sites; another batch takes it times sqrt(batch / 1024). Source: DINOv2."""
    learning_rate_final: float = Field(1e-6, ge=0)
    """At the last step, scaled likewise. Source: DINOv2."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0. Source: DINOv2, 10 of 100 epochs."""
    weight_decay: float = Field(0.04, ge=0)
    """At the first step; matrices only. Source: DINOv2."""
    weight_decay_final: float = Field(0.4, ge=0)
    """At the last step, along a cosine. Source: DINOv2."""
    clip_gradient: float = Field(3.0, gt=0)
    """Largest norm of the gradient. Source: DINOv2."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of the matrix products; weights and losses stay float32. A processor without AMX is faster with float32."""
    holdout: SplitConfig | None = None
    """The test part of this split is left out of pretraining; None takes every tile that was kept."""
    seed: Seed = 0
    """Another seed draws other weights, sites and crops."""
