"""What the API says about mapping jobs."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict

from eartheye.contracts import ClassSpec
from eartheye.contracts.messages import JobRequest

OUT = ConfigDict(frozen=True, use_attribute_docstrings=True, protected_namespaces=())
JobState = Literal["asked", "running", "assembling", "done", "failed", "rejected", "cancelled"]


class BlockCounts(BaseModel):
    """Blocks of a job by state; all 0 before it is planned."""

    model_config = OUT

    waiting: int = 0
    """Not with a worker; of a job that ended without them, those that have no outcome."""
    sent: int = 0
    done: int = 0
    empty: int = 0
    """Without data."""
    failed: int = 0

    @property
    def total(self) -> int:
        """All blocks."""
        return self.waiting + self.sent + self.done + self.empty + self.failed

    @property
    def ended(self) -> int:
        """Blocks with an outcome."""
        return self.done + self.empty + self.failed


class JobOut(BaseModel):
    """A mapping job and how far it is."""

    model_config = OUT

    job: str
    state: JobState
    reason: str | None
    """Why it failed, was rejected or cancelled; of one that is asked, what it waits for."""
    request: JobRequest
    model_version: int | None
    """Version that the alias pointed at when the job was planned."""
    blocks: BlockCounts
    asked_at: dt.datetime
    ended_at: dt.datetime | None


class JobPage(BaseModel):
    """Jobs, the newest first."""

    model_config = OUT

    jobs: tuple[JobOut, ...]
    next: str | None
    """Pass it as `after` for the jobs that follow; null at the end."""


class FailureOut(BaseModel):
    """A block that failed, and why."""

    model_config = OUT

    block: str
    reason: str
    sendings: int
    window: tuple[int, int, int, int]
    """Column, row, width, height in pixels of the scene."""


class ResultOut(BaseModel):
    """A finished map."""

    model_config = OUT

    job: str
    folder: str
    model: str
    model_version: int
    blocks_done: int
    blocks_empty: int
    attribution: tuple[str, ...]
    classes: tuple[ClassSpec, ...]
    bounds: tuple[float, float, float, float]
    """West, south, east, north on WGS84."""
    files: dict[str, int]
    """Size of each file in bytes; `GET /v1/jobs/{job}/files/{name}`."""
