"""What can be set about the work of the planner."""

from pydantic import BaseModel, ConfigDict, Field

DAY_S = 24 * 3600.0


class PlannerConfig(BaseModel):
    """How an area is cut, and how its blocks are handed out."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    block_px: int = Field(4096, ge=64, le=16384)
    """Side of a block, rounded up to whole blocks of the file. Default: tiles of 518 px that reach over the borders of blocks make up a
    fifth of the work, and a third at 2048; of a larger block more is lost when a worker dies."""
    outstanding: int = Field(64, gt=0)
    """Blocks sent and not yet ended, over all jobs. Default: keeps 32 workers busy while outcomes travel, and is far from what the embedded
    broker forgets."""
    resend_s: float = Field(600.0, gt=0, le=DAY_S)
    """Silence after which a block is sent again: nothing has come back for so long, or only what was sent so much later than the block.
    Default: twenty times what a block takes on two cores; what a dead worker leaves comes back from the broker at once, so that this heals
    only what the broker forgot."""
    assembly_resend_s: float = Field(1800.0, gt=0, le=DAY_S)
    """Silence after which a map is asked for again. Default: several times what building one of a province takes."""
    tick_s: float = Field(0.5, gt=0, le=60)
    """Longest pause between two looks at the tables."""
