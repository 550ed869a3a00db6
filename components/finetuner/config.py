"""What can be set about the training of a head."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from components.pretrainer.config import PATCH_PX
from eartheye.contracts.messages import NAME
from eartheye.errors import InvalidConfig
from eartheye.flags import WholeNumber
from eartheye.seed import Seed
from eartheye.tiles import SplitConfig

MODEL = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

Task = Literal["scenes", "segmentation"]


class SamplesConfig(BaseModel):
    """Which images a head is trained on, and what is known of them."""

    model_config = MODEL

    label_set: str | None = None
    """Masks cut with the tiles. None takes each tile's own label, for scenes only."""
    sensor: str | None = None
    """Sensor of the tiles; wanted where those of several have labels."""
    input_px: int = Field(224, gt=0)
    """Side of the images, a multiple of the patch size 14: windows that cover a tile with a mask, the middle of a tile with a label.
    Source of the default: the usual size of image classification."""
    min_share: float = Field(0.5, gt=0, le=1)
    """A window of a mask is a scene of its most frequent class where that class has this share of the pixels."""
    acquisitions: int | None = Field(None, gt=0)
    """Most acquisitions of a site that are used, drawn by the split's seed; None takes all."""
    split: SplitConfig = SplitConfig()
    """Training, validation (choice of the epoch) and test (for the evaluator alone)."""

    @model_validator(mode="after")
    def _divides_into_patches(self) -> Self:
        if self.input_px % PATCH_PX:
            raise InvalidConfig(f"input_px {self.input_px} does not divide into patches: choose a multiple of {PATCH_PX}")
        return self


class FinetuneConfig(BaseModel):
    """How a head is trained on a frozen backbone."""

    model_config = MODEL

    title: str = Field(pattern=NAME)
    """Name of the model."""
    task: Task
    """`scenes` trains a linear head, `segmentation` a UPerNet. Source: CG-EarthEye report, section 4."""
    samples: SamplesConfig = SamplesConfig()
    head_width: int = Field(64, gt=0, le=4096)
    """Channels of the UPerNet; 512 in its paper, 64 is enough for a handful of classes."""
    head_finest: Annotated[Literal[2, 4], WholeNumber] = 4
    """How many times finer than the backbone's patches the UPerNet's finest level is; 2 takes a quarter of the work and draws coarser
    outlines. Source of the default: BEiT's UPerNet."""
    epochs: int = Field(50, gt=0, le=1_000_000)
    """The one that is best on the validation part is kept."""
    batch_size: int = Field(16, gt=1, le=65536)
    """Source: mmsegmentation's UPerNet configurations."""
    learning_rate: float = Field(1e-3, gt=0)
    """Peak, falling to 0 along a cosine. Source: DINOv2's heads on frozen features."""
    weight_decay: float = Field(1e-2, ge=0)
    """Source: AdamW (Loshchilov and Hutter, 2017)."""
    balance: float = Field(0.5, ge=0, le=1)
    """Power of a class's frequency that its loss is divided by: 0 takes pixels as they come, 1 makes all classes count the same."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the frozen backbone's matrix products."""
    seed: Seed = 0
    """Another seed draws other weights and another order of the windows."""

    @model_validator(mode="after")
    def _has_masks(self) -> Self:
        if self.task == "segmentation" and self.samples.label_set is None:
            raise InvalidConfig("segmentation learns from masks: set `samples.label_set` to one of the catalogue's label sets")
        return self
