"""A finished map: what it is, its files, and its tiles for a slippy map."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import RasterioIOError
from rio_tiler.errors import TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from sqlalchemy.orm import Session

from eartheye.contracts import ClassSpec, Map
from eartheye.errors import MissingBulk, NotFinished, NotThere, UnreadableRaster
from eartheye.raster.source import first_cause
from eartheye.store import Bulk, Folder
from eartheye.store.bulk import way_out
from services.admin.jobs.queries import find_job
from services.admin.jobs.schemas import ResultOut
from services.admin.platform import Platform
from services.inference.tables import Job

TILE_PX = 256
WGS84 = CRS.from_epsg(4326)
CLASS_TAG = "CLASS_"


def find_result(platform: Platform, job: str) -> ResultOut:
    """Return what a finished job has made.

    Raises:
        NotThere: no such job was asked for.
        NotFinished: it has no map, or has it no longer.
    """
    folder, made = _map(platform, job)
    with _opened(folder, made.raster) as reader:
        bounds, classes = reader.get_geographic_bounds(WGS84), _classes(reader.dataset)
    return ResultOut(
        job=job,
        folder=folder.root,
        model=made.model,
        model_version=made.model_version,
        blocks_done=made.blocks_done,
        blocks_empty=made.blocks_empty,
        attribution=made.attribution,
        classes=classes,
        bounds=bounds,
        files={bulk.name: bulk.size for bulk in _files(made)},
    )


def find_file(platform: Platform, job: str, name: str) -> Path:
    """Return a local file of a finished map, verified.

    Raises:
        NotThere: there is no such job or file.
        NotFinished: the job has no map.
    """
    folder, made = _map(platform, job)
    for bulk in _files(made):
        if bulk.name == name:
            return folder.local(bulk)
    raise NotThere(f"a map has no file '{name}', only {', '.join(bulk.name for bulk in _files(made))}")


def draw_tile(platform: Platform, job: str, z: int, x: int, y: int) -> bytes:
    """Return a tile of a finished map in Web Mercator, in the colours of its classes: a PNG of 256 px, clear without data.

    Args:
        platform: database and store.
        job: its name.
        z: zoom level.
        x: column from the west.
        y: row from the north.

    Raises:
        NotThere: no such job was asked for.
        NotFinished: it has no map.
    """
    folder, made = _map(platform, job)
    with _opened(folder, made.raster) as reader:
        try:
            # Classes have no in-between: nearest, whatever the scale.
            image = reader.tile(x, y, z, tilesize=TILE_PX, indexes=1, resampling_method="nearest", reproject_method="nearest")
        except TileOutsideBounds:
            return _clear()
        return bytes(image.render(img_format="PNG", colormap=reader.colormap))


def _map(platform: Platform, job: str) -> tuple[Folder, Map]:
    found = find_job(platform.engine, job)
    with Session(platform.engine) as session:
        output = session.get_one(Job, job).output
    if found.state != "done" or output is None:
        raise NotFinished(f"job '{job}' is {found.state} and has no map: wait for it, or see to what it lacks")
    folder = Folder(output)
    return folder, Map.read(folder)


@contextmanager
def _opened(folder: Folder, bulk: Bulk) -> Iterator[Reader]:
    """Open the raster of a map. GDAL tells an outage like a damaged file: the store is asked which it is.

    Raises:
        StoreUnavailable: the store does not answer.
        MissingBulk: the raster is not there.
        UnreadableRaster: it cannot be read.
    """
    try:
        with folder.gdal_env(), rasterio.open(folder.gdal_path(bulk.name)) as raster, Reader("", dataset=raster) as reader:
            yield reader
    except RasterioIOError as error:
        place = f"{folder.root}/{bulk.name}"
        if not folder.exists(bulk.name):
            raise MissingBulk(f"{place} is not there: {way_out(folder.root)}") from error
        raise UnreadableRaster(f"{place} cannot be read ({first_cause(error)}): {way_out(folder.root)}") from error


def _files(made: Map) -> tuple[Bulk, ...]:
    return made.raster, made.polygons, made.stac


def _classes(raster: rasterio.DatasetReader) -> tuple[ClassSpec, ...]:
    """Return the legend as the map itself has it."""
    names = {int(tag.removeprefix(CLASS_TAG)): name for tag, name in raster.tags().items() if tag.startswith(CLASS_TAG)}
    colours = raster.colormap(1)
    return tuple(ClassSpec(value=value, name=names[value], colour="#" + bytes(colours[value][:3]).hex()) for value in sorted(names))


def _clear() -> bytes:
    clear = np.ma.masked_all((1, TILE_PX, TILE_PX), np.uint8)
    return bytes(ImageData(clear).render(img_format="PNG"))
