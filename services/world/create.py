"""Making a world: a folder with imagery, geodata and truth, and a manifest that says it is finished."""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Literal

from eartheye.contracts import Manifest, digest
from eartheye.errors import ConflictingOutput, StoreFull
from eartheye.raster.canvas import take_room
from eartheye.store import Bulk, Folder
from eartheye.store.room import room
from eartheye.telemetry import get_logger
from services.only_one import only_one
from services.world.catalogue import CORRUPT, write_catalogue
from services.world.config import WorldConfig
from services.world.corrupt import write_corrupt
from services.world.mosaics import TRUTH, TRUTHS, draw_mosaics
from services.world.plan import Plan, make_plan
from services.world.rasters import CLASSES, IMAGERY, draw_elevation, draw_land_cover, optimise
from services.world.scenes import SCENES
from services.world.vectors import write_changes, write_objects, write_regions

STEP = "world/2"
CONFIG = "config.json"
UNFINISHED = ".unfinished"
MOSAICS = tuple(scene.file for scene in SCENES)
FILES = ("catalogue.yaml", "regions.gpkg", "objects.gpkg", "changes.gpkg", "dem.tif", *MOSAICS, *TRUTHS, "landcover.tif", CORRUPT)

ROOM_BYTES_PER_PX = 21
"""Of the plain drafts of all mosaics and the truths, 17, and of what is made from them."""
LARGEST_BYTES_PER_PX = 4
"""Of the plain draft of one mosaic with its mask."""

log = get_logger(__name__)


class World(Manifest):
    """A finished world."""

    kind: Literal["world/1"] = "world/1"
    name: ClassVar[str] = "world.json"
    config: WorldConfig
    files: tuple[Bulk, ...]


def create_world(directory: Path, seed: int = 0, size_km: float = 8.0, workers: int | None = None) -> World:
    """Make a synthetic world in a folder. One that is finished is returned as it is; one that is not is gone on with, file by file.

    Args:
        directory: the folder to make.
        seed: another seed makes another world.
        size_km: side of the square, from 1 to 40 km.
        workers: threads, None for one on each processor; they change no pixel.

    Raises:
        ConflictingOutput: the folder holds another world, or files that are no world's.
        OutputBusy: another process makes the world.
        InvalidConfig: the size or the seed is out of range.
        StoreFull: there is no room for it.
        FolderRefused: the folder cannot be made or written to.
    """
    config = WorldConfig(seed=seed, size_km=size_km)
    made_from = digest(STEP, config)
    folder = Folder(directory)
    done = World.done(folder, made_from)
    if done and not _missing(directory, done):
        return done
    _check_room(directory, config)
    with only_one(directory, "another process that makes a world"):
        return _go_on(folder, directory, config, made_from, workers)


def _go_on(folder: Folder, directory: Path, config: WorldConfig, made_from: str, workers: int | None) -> World:
    """Make what is missing of a world, in a folder that is held for this process."""
    missing = _missing(directory, World.done(folder, made_from))
    _refuse_another(directory, config, missing)
    _claim(folder, config)
    drafts = directory / UNFINISHED
    shutil.rmtree(drafts, ignore_errors=True)
    drafts.mkdir()
    try:
        _make(make_plan(config), directory, drafts, missing, workers)
    except Exception:  # the writers of GDAL and SQLite have no common error, and few say that a disk is full
        _take_room(drafts, config)
        raise
    shutil.rmtree(drafts)
    world = World(made_from=made_from, config=config, files=tuple(folder.bulk(file) for file in FILES)).finish(folder)
    log.info("world made", folder=str(directory), files=len(missing), bytes=sum(file.size for file in world.files))
    return world


def _missing(directory: Path, done: World | None) -> list[str]:
    """Return the files that are not there, or not of the size that the manifest gives if there is one."""
    sizes = {file.name: file.size for file in done.files} if done else {}
    return [file for file in FILES if not _is_there(directory / file, sizes.get(file))]


def _is_there(path: Path, size: int | None) -> bool:
    return path.is_file() and size in (None, path.stat().st_size)


def _refuse_another(directory: Path, config: WorldConfig, missing: list[str]) -> None:
    """Refuse a folder that another world has claimed, or that nobody did and that holds files of a world."""
    path = directory / CONFIG
    if path.exists():
        if path.read_text() != config.model_dump_json():
            raise ConflictingOutput(f"{directory} holds a world of another seed or size: choose another folder")
    elif len(missing) < len(FILES):
        raise ConflictingOutput(f"{directory} holds files of a world, but no {CONFIG} that says which: choose another folder")


def _check_room(directory: Path, config: WorldConfig) -> None:
    """Refuse a disk that the drafts do not fit on; GDAL would tell late, and unclearly."""
    disk = next(folder for folder in (directory, *directory.absolute().parents) if folder.exists())
    wanted, free = ROOM_BYTES_PER_PX * config.size_m**2, shutil.disk_usage(disk).free
    if free < wanted:
        needs = f"a world of {config.size_km:g} km takes {wanted / 1e9:.1f} GB while it is made"
        raise StoreFull(f"{needs}, {free / 1e9:.1f} GB are free in {directory}: free space, choose another folder or lower size_km")


def _claim(folder: Folder, config: WorldConfig) -> None:
    """Write down first whose world the folder is to hold, so that an interrupted one is never gone on with as another."""
    if not folder.exists(CONFIG):
        with folder.create(CONFIG) as file:
            file.write(config.model_dump_json().encode())


def _take_room(drafts: Path, config: WorldConfig) -> None:
    """Tell a disk that is full, or a limit on the size of files, by the room that the largest draft takes."""
    what_for, remedy = f"to make a world in {drafts.parent}", "free space, raise the limit, choose another folder or lower size_km"
    with room(what_for, remedy), tempfile.TemporaryFile(dir=drafts) as probe:
        take_room(probe, LARGEST_BYTES_PER_PX * config.size_m**2)


def _make(plan: Plan, directory: Path, drafts: Path, missing: list[str], workers: int | None) -> None:
    """Make the files that are missing; each is written elsewhere and takes its name when it is whole."""

    def make(file: str, write: Callable[[Path], None]) -> None:
        if file in missing:
            write(drafts / file)
            (drafts / file).replace(directory / file)

    make("regions.gpkg", lambda path: write_regions(plan, path))
    make("objects.gpkg", lambda path: write_objects(plan, path))
    make("changes.gpkg", lambda path: write_changes(plan, path))
    make("dem.tif", lambda path: draw_elevation(plan, path))

    drawn = {file: drafts / f"{file}.draft" for file in (*MOSAICS, *TRUTHS) if file in missing}
    if drawn:
        draw_mosaics(plan, drawn, workers)

    def finish(file: str) -> None:
        make(file, lambda path: optimise(drawn[file], path, CLASSES if file in TRUTHS else IMAGERY))
        drawn[file].unlink()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(finish, drawn))

    make("landcover.tif", lambda path: draw_land_cover(plan, directory / TRUTH, path))
    make(CORRUPT, lambda path: write_corrupt(directory / MOSAICS[1], drafts / "part.tif", path))
    make("catalogue.yaml", lambda path: write_catalogue(plan.config, path))
