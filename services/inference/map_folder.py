"""The folder of a map: COG, polygons, STAC item, and the manifest last."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.windows import Window as RasterWindow

from eartheye.blocks import Polygons, Window, polygonise
from eartheye.contracts import Map, ServingPackage
from eartheye.contracts.messages import JobRequest
from eartheye.raster import CogSpec, open_scene, write_cog
from eartheye.store import Bulk, Folder
from eartheye.store.room import scratch_folder
from services.inference.names import told_as
from services.inference.outcomes import read_raster
from services.inference.stac_item import stac_item
from services.inference.tables import Block, Plan
from services.inference.vector_map import write_polygons

RASTER, POLYGONS, ITEM = "map.tif", "polygons.parquet", "item.json"


def build_map(
    request: JobRequest,
    plan: Plan,
    blocks: Sequence[Block],
    earlier: tuple[Folder, Bulk] | None,
    made_from: str,
    folder: Folder,
    check: Callable[[], None],
) -> Map:
    """Build a map from its blocks; its files hold no time and no name of a job, so that the same plan makes the same bytes.

    Args:
        request: what was asked.
        plan: the output grid, the scene and the model.
        blocks: all blocks of the plan, done or empty.
        earlier: folder and raster of another map of the plan; None where the blocks are there.
        made_from: digest of plan and options.
        folder: where the map goes; nothing is there before all of it was made.
        check: called between pieces of the work; what it raises ends it.

    Raises:
        StoreFull: there is no room for it.
        MissingBulk: a block's raster is not there; CorruptBulk: it is another.
    """
    work, package = Folder(plan.work), ServingPackage.read(Folder(plan.serving))
    rasters = {_inside(block.window, plan.area): Bulk.model_validate(block.raster) for block in blocks if block.raster}

    def read(window: Window) -> NDArray[np.uint8]:
        check()
        return read_raster(*earlier, RasterWindow(*window)) if earlier else read_raster(work, rasters[window])

    crs, transform = _grid(plan)
    spec = CogSpec(
        crs=crs,
        transform=transform,
        width=plan.area.width,
        height=plan.area.height,
        dtype="uint8",
        bands=("class",),
        nodata=0,
        classes=package.classes,
        tags={"MODEL": f"{plan.model} {plan.model_version}"} | package.rights,
    )
    with scratch_folder() as scratch, told_as({str(scratch): "$TMPDIR"}):
        write_cog(scratch / RASTER, ((RasterWindow(*window), read(window)[None]) for window in rasters), spec)
        with folder.create(POLYGONS) as file:
            groups = _checked(polygonise(read, rasters, transform), check)
            write_polygons(file, groups, crs, package.classes, request.min_area_m2)
        raster, polygons = folder.upload(RASTER, scratch / RASTER), folder.bulk(POLYGONS)
    properties: dict[str, str | int] = {
        "eartheye:model": plan.model,
        "eartheye:model_version": plan.model_version,
        **{tag.lower(): words for tag, words in package.rights.items()},
    }
    grid = crs, transform, plan.area.width, plan.area.height
    name = f"map-{made_from[:16]}"
    item = stac_item(name, grid, request.acquired, package.classes, raster, polygons, plan.scene, folder.root, properties)
    with folder.create(ITEM) as file:
        file.write(item)
    return Map(
        made_from=made_from,
        job=request.job,
        scene=plan.scene,
        model=plan.model,
        model_version=plan.model_version,
        model_digest=package.model_digest,
        raster=raster,
        polygons=polygons,
        stac=folder.bulk(ITEM),
        blocks_done=len(rasters),
        blocks_empty=len(blocks) - len(rasters),
        licence=package.licence,
        attribution=package.attribution,
    ).finish(folder)


def _checked(groups: Iterable[Polygons], check: Callable[[], None]) -> Iterator[Polygons]:
    for group in groups:
        check()
        yield group


def _grid(plan: Plan) -> tuple[CRS, Affine]:
    with open_scene(plan.scene, **plan.reading) as scene:
        return scene.crs, scene.transform @ Affine.translation(plan.area.column, plan.area.row)


def _inside(window: Window, area: Window) -> Window:
    """Return a window of the scene in pixels of the output grid."""
    return window._replace(column=window.column - area.column, row=window.row - area.row)
