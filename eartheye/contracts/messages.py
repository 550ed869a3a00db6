"""What travels on the bus: references and windows, never pixels. Each message carries its kind and version."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from eartheye.store import Bulk
from eartheye.wording import Printed

MESSAGE = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=(), allow_inf_nan=False)
NAME = r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$"
SHA256 = r"^[0-9a-f]{64}$"
CRS_CODE = r"^[A-Z][A-Z0-9_]{1,15}:[A-Za-z0-9]{1,15}$"
"""Authority and code; GDAL also takes names of files and hosts for a reference system, and would read them."""
PLAIN = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Text without control characters, of which PostgreSQL does not store NUL; unlike `Printed` it keeps what else a file's name may have."""
Coordinate = Annotated[float, Field(ge=-1e9, le=1e9)]
"""Of any reference system; beyond it the arithmetic of pixels would overflow."""
Version = Annotated[int, Field(gt=0, le=2**31 - 1)]
"""Of a registered model, as far as the platform's database counts."""
SeenChampion = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""Version that somebody took for the champion, 0 for none."""
BLOCK = r"^r[0-9]{4,8}c[0-9]{4,8}$"

PROMOTION_REQUESTS = "eartheye.promotion.requests"
PROMOTION_RESULTS = "eartheye.promotion.results"
JOB_REQUESTS = "eartheye.job.requests"
JOB_BLOCKS = "eartheye.job.blocks"
JOB_OUTCOMES = "eartheye.job.outcomes"
JOB_ASSEMBLIES = "eartheye.job.assemblies"
JOB_RESULTS = "eartheye.job.results"
REJECTED = "eartheye.rejected"
TOPICS = (PROMOTION_REQUESTS, PROMOTION_RESULTS, JOB_REQUESTS, JOB_BLOCKS, JOB_OUTCOMES, JOB_ASSEMBLIES, JOB_RESULTS, REJECTED)


class PromotionRequest(BaseModel):
    """Ask that a model version become the champion. Key: `request`."""

    model_config = MESSAGE
    kind: Literal["promotion-request/1", "promotion-request/2"] = "promotion-request/2"
    request: str = Field(pattern=NAME)
    model: str = Field(pattern=NAME)
    version: Version
    alias: Literal["champion"] = "champion"
    expected_champion: SeenChampion | None = None
    """Champion that the asker saw, 0 for none; another one meanwhile, and the request is not granted. None where it does not matter."""
    asked_by: Printed = Field(max_length=200)


class RollbackRequest(BaseModel):
    """Ask that the champion before become the champion again; answered by a `PromotionResult`. Key: `request`."""

    model_config = MESSAGE
    kind: Literal["rollback-request/1"] = "rollback-request/1"
    request: str = Field(pattern=NAME)
    model: str = Field(pattern=NAME)
    expected_champion: SeenChampion | None = None
    """As in `PromotionRequest`."""
    asked_by: Printed = Field(max_length=200)


class PromotionResult(BaseModel):
    """The decision, after deployment and aliases have followed it. Key: `request`."""

    model_config = MESSAGE
    kind: Literal["promotion-result/1"] = "promotion-result/1"
    request: str
    model: str
    version: int | None
    """The version that was asked for; None where a rollback has nowhere to go."""
    granted: bool
    reasons: tuple[str, ...]
    """Each check of the gate in words."""


class JobRequest(BaseModel):
    """Ask for a map of a scene. Key: `job`."""

    model_config = MESSAGE
    kind: Literal["job-request/1"] = "job-request/1"
    job: str = Field(pattern=NAME)
    """Names the job: asked again under the same name, it is the same job."""
    scene: str = Field(pattern=PLAIN, min_length=1, max_length=1024)
    """Path or URI of the raster, inside the allowed roots."""
    model: str = Field(pattern=NAME)
    """Name of the registered model."""
    alias: str = Field("champion", pattern=NAME)
    """Which of its versions, by the alias that the registry gave."""
    area: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    """West, south, east, north in the scene's reference system; None for the whole scene."""
    bands: tuple[Annotated[str, Field(pattern=PLAIN)], ...] | None = None
    """Names of the scene's bands, where the file itself does not name them."""
    nodata: float | None = None
    """Stands in for a nodata value that the scene does not declare."""
    crs: str | None = Field(None, pattern=CRS_CODE)
    """Stands in for a reference system that the scene lacks or leaves unknown, as `EPSG:4326`."""
    acquired: dt.date | None = None
    """Day of the image, for the map's STAC item; None where nobody knows."""
    output: str = Field(pattern=PLAIN, min_length=1, max_length=1024)
    """Folder of the map, inside the allowed roots."""
    min_area_m2: float = Field(0.0, ge=0)
    """Polygons smaller than this are left out."""


class JobCommand(BaseModel):
    """Ask something about a job that was sent before. Key: `job`."""

    model_config = MESSAGE
    kind: Literal["job-command/1"] = "job-command/1"
    job: str = Field(pattern=NAME)
    command: Literal["cancel", "redrive"]
    """`cancel`: no further block is sent. `redrive`: what was rejected, failed or cancelled is taken up again."""


class BlockTask(BaseModel):
    """Work for one worker: a window of one scene under one pinned model. Key: `plan`/`block`."""

    model_config = MESSAGE
    kind: Literal["block/1"] = "block/1"
    plan: str = Field(pattern=SHA256)
    """Digest of the plan."""
    block: str = Field(pattern=BLOCK)
    """As `r0003c0012`."""
    scene: str
    serving: str
    """Folder of the serving package."""
    model: str
    model_version: int
    serving_digest: str
    bands: tuple[str, ...] | None = None
    nodata: float | None = None
    crs: str | None = Field(None, pattern=CRS_CODE)
    window: tuple[int, int, int, int]
    """Column, row, width, height in pixels of the scene."""
    origin: tuple[int, int]
    """Column, row of the output grid's first pixel: the tile lattice is anchored there."""
    work: str
    """Folder that takes the block and its outcome."""


class BlockOutcome(BaseModel):
    """How a block ended; put once under the plan digest. Key: `plan`/`block`."""

    model_config = MESSAGE
    kind: Literal["block-outcome/1"] = "block-outcome/1"
    plan: str = Field(pattern=SHA256)
    block: str = Field(pattern=BLOCK)
    state: Literal["done", "empty", "failed"]
    reason: str | None = None
    raster: Bulk | None = None
    """GeoTIFF of the block's classes in the plan's folder, where there is one."""


class Assembly(BaseModel):
    """Every block of a job has an outcome: build its map. Key: `job`."""

    model_config = MESSAGE
    kind: Literal["assembly/1"] = "assembly/1"
    job: str
    plan: str


class JobResult(BaseModel):
    """A job has ended. Key: `job`."""

    model_config = MESSAGE
    kind: Literal["job-result/1"] = "job-result/1"
    job: str
    state: Literal["done", "failed", "rejected", "cancelled"]
    map: str | None = None
    """Folder of the map."""
    reason: str | None = None
    blocks_done: int = 0
    blocks_empty: int = 0
    blocks_failed: int = 0
    seconds: float = 0.0
