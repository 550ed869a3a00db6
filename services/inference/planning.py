"""From a request to a plan: what decides the class map, and the blocks it is cut into."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from eartheye.blocks import Block as CutBlock
from eartheye.blocks import Window, cut_blocks
from eartheye.contracts import Map, digest
from eartheye.contracts.messages import JobRequest
from eartheye.settings import Settings
from eartheye.store import Folder
from services.inference.admission import Admitted, ModelSource, admit
from services.inference.names import told_as
from services.inference.tables import Block, Plan, hold_plan

MAPPING_STEP = "mapping/1"
MAP_STEP = "map/1"


class Mapping(BaseModel):
    """What decides a class map and how it is cut, beside the content of the scene and of the serving package."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str
    model_version: int
    bands: tuple[str, ...] | None
    nodata: float | None
    crs: str | None
    area: Window
    file_block: tuple[int, int]
    block_px: int


class MapOptions(BaseModel):
    """What decides the polygons and the STAC item, beside the class map."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_area_m2: float
    acquired: dt.date | None = None


@dataclass(frozen=True)
class PlannedJob:
    """What a request comes to."""

    admitted: Admitted
    plan: Plan
    blocks: list[CutBlock]
    made: Map | None
    """The map, where it is there already."""


def plan_job(request: JobRequest, resolve: ModelSource, settings: Settings, block_px: int) -> PlannedJob:
    """Check a request and plan it; nothing is written.

    Args:
        request: what is asked.
        resolve: says which version a model's alias points at.
        settings: allowed folders, limits, folder of the work.
        block_px: side of a block.

    Raises:
        UserError: why it cannot be done, see `admit`.
        ConflictingOutput: the output holds another map.
    """
    admitted = admit(request, resolve, settings)
    with told_as({admitted.scene: request.scene, admitted.output: request.output}):
        plan = make_plan(request, admitted, block_px, Folder(settings.job_work))
        made = Map.done(Folder(admitted.output), map_digest(plan.plan, request))
    return PlannedJob(admitted, plan, cut_blocks(plan.area, block_px, admitted.file_block), made)


def make_plan(request: JobRequest, admitted: Admitted, block_px: int, work: Folder) -> Plan:
    """Return the plan of a request; the same content, model and options make the same plan, whoever asks.

    Args:
        request: what was asked.
        admitted: what was found out about it.
        block_px: side of a block.
        work: folder of all plans.
    """
    mapping = Mapping(
        model=request.model,
        model_version=admitted.model.version,
        bands=request.bands,
        nodata=request.nodata,
        crs=request.crs,
        area=admitted.area,
        file_block=admitted.file_block,
        block_px=block_px,
    )
    of_scene = scene_digest(admitted.scene)
    name = digest(MAPPING_STEP, mapping, of_scene, admitted.package.digest)
    return Plan(
        plan=name,
        scene=admitted.scene,
        scene_digest=of_scene,
        serving=admitted.model.serving,
        serving_digest=admitted.package.digest,
        model=request.model,
        model_version=admitted.model.version,
        reading=mapping.model_dump(mode="json", include={"bands", "nodata", "crs"}),
        area_column=admitted.area.column,
        area_row=admitted.area.row,
        area_width=admitted.area.width,
        area_height=admitted.area.height,
        work=(work / name).root,
    )


def store_plan(session: Session, plan: Plan, cut: Sequence[CutBlock]) -> str:
    """Put a plan and its blocks into the tables, hold it, and return its digest; the outcomes of one that is there already stay."""
    name = plan.plan
    if stored := hold_plan(session, name):
        stored.scene, stored.serving = plan.scene, plan.serving  # the same content may have moved
        return name
    try:
        with session.begin_nested():
            session.add(plan)
    except IntegrityError:  # of two jobs that are planned at once the other's planner has stored it
        return store_plan(session, plan, cut)
    session.execute(insert(Block), [{"plan": name, "block": block.name, **block.window._asdict()} for block in cut])
    return name


def scene_digest(uri: str) -> str:
    """Return the SHA-256 of a scene's content.

    Raises:
        MissingBulk: it is not there.
    """
    parent, _, name = uri.rpartition("/")
    return Folder(parent or "/").bulk(name).sha256


def map_digest(plan: str, request: JobRequest) -> str:
    """Return what a map is made from: its plan, and what was asked of the polygons and the STAC item."""
    return digest(MAP_STEP, map_options(request), plan)


def map_options(request: JobRequest) -> MapOptions:
    """Return what was asked of the polygons and the STAC item."""
    return MapOptions(min_area_m2=request.min_area_m2, acquired=request.acquired)
