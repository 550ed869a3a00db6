"""What can be set about the export of a model."""

from pydantic import BaseModel, ConfigDict, Field


class ExporterConfig(BaseModel):
    """How a task model becomes a serving package."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    batch_size: int = Field(4, gt=0, le=1024)
    """Images in every call to the server: one size, so that a result does not depend on its neighbours."""
    opset: int = Field(18, ge=18, le=25)
    """ONNX operator set; 18 is the oldest with antialiased resizing and the newest that all the servers here run, 25 the newest that a
    network can be written in."""
    parity_tiles: int = Field(8, gt=0)
    """Tiles on which the exported model is held against the trained one."""
    parity_tolerance: float = Field(0.01, gt=0, lt=1)
    """Largest difference of any probability; a dense output is rounded to steps of 1/255, so that one step is 0.004."""
