"""What can be set about an evaluation."""

from pydantic import BaseModel, ConfigDict, Field

from components.finetuner.config import SamplesConfig
from eartheye.seed import Seed


class EvaluatorConfig(BaseModel):
    """How models are judged."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    samples: SamplesConfig = SamplesConfig()
    """The labelled scenes that a backbone is judged on. A task model is judged on its own samples."""
    neighbours: int = Field(20, gt=0)
    """k of the nearest-neighbour classifier. Source: DINO."""
    neighbour_temperature: float = Field(0.07, ge=0.02)
    """Of its votes; below 0.02 those of most neighbours would round to 0. Source: DINO (after Wu et al., 2018)."""
    forest_pixels: int = Field(20_000, gt=0)
    """Training pixels that the colour baseline of segmentation learns from."""
    resamples: int = Field(1000, gt=0, le=100_000)
    """Bootstrap samples behind a 95 % interval."""
    pictured_tiles: int = Field(4, gt=0, le=100)
    """Test tiles that are shown."""
    seed: Seed = 0
    """Of the random backbone, the bootstrap and the forest."""
