"""What a platform asks of a model before it serves."""

from pydantic import BaseModel, ConfigDict, Field


class GatePolicy(BaseModel):
    """What is asked of a candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    min_miou: float = Field(0.5, ge=0, le=1)
    """Least mean intersection over union of a segmentation model on its test tiles."""
    min_oa: float = Field(0.5, ge=0, le=1)
    """Least overall accuracy of a scene classifier on its test tiles."""
    above_commonest: bool = True
    """Whether a candidate must score more than always answering the commonest class of its test; a demonstration may do without."""
    max_loss_to_champion: float = Field(0.02, ge=0)
    """How far the candidate may fall behind the champion, where both were evaluated on the same tiles."""
    max_parity: float = Field(0.01, gt=0)
    """Largest difference of a probability between the exported and the trained model."""
