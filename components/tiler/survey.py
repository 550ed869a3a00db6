"""What a data folder really holds: the scenes and images behind the catalogue, opened once before anything is cut."""

import fnmatch
from dataclasses import dataclass, field

from affine import Affine
from rasterio.crs import CRS

from components.tiler.entries import check_entries
from components.tiler.images import FORMATS, read_image
from eartheye.contracts import Catalogue
from eartheye.contracts.catalogue import ImagesEntry
from eartheye.errors import InvalidCatalogue, MissingCrs, UnreadableRaster, UserError, WrongBands
from eartheye.raster import open_scene
from eartheye.store import Folder
from eartheye.telemetry import get_logger

DTYPES = ("uint8", "uint16", "int16", "float32")
log = get_logger("tiler")


@dataclass(frozen=True)
class SceneFacts:
    """What planning has to know of a scene."""

    crs: CRS
    transform: Affine
    width: int
    height: int
    block_shape: tuple[int, int]
    bounds: tuple[float, float, float, float]
    """West, south, east, north on WGS84, degrees."""
    gsd_m: float
    dtype: str


@dataclass
class Survey:
    """What was found."""

    scenes: dict[int, SceneFacts] = field(default_factory=dict)
    """The scenes that can be cut, by their number in the catalogue."""
    refused: dict[int, str] = field(default_factory=dict)
    """Why others cannot."""
    images: dict[int, list[str]] = field(default_factory=dict)
    """Names, in the data folder, of the images of each image entry."""
    dtypes: dict[str, str] = field(default_factory=dict)
    """Data type of each sensor: that of its first scene or image that can be read."""


def survey(data: Folder, catalogue: Catalogue) -> Survey:
    """Open each scene and list each image folder.

    Raises:
        InvalidCatalogue: it names what is not there, or contradicts itself.
    """
    check_entries(data, catalogue)
    found = Survey()
    for number, entry in enumerate(catalogue.scenes):
        try:
            with open_scene(f"{data.root}/{entry.path}", entry.bands, entry.nodata, entry.crs) as scene:
                found.scenes[number] = SceneFacts(
                    scene.crs,
                    scene.transform,
                    scene.width,
                    scene.height,
                    scene.block_shape,
                    scene.footprint.bounds,
                    entry.gsd_m or scene.gsd_m,
                    scene.dtype,
                )
        except (UnreadableRaster, MissingCrs, WrongBands) as error:
            found.refused[number] = reason(error, data)
    for number, images in enumerate(catalogue.images):
        found.images[number] = list_images(data, images)
    _choose_types(data, catalogue, found)
    for number, why in found.refused.items():
        log.warning("scene rejected", scene=catalogue.scenes[number].path, reason=why)
    return found


def reason(error: UserError, data: Folder) -> str:
    """Return an error as the reason of a rejection: its kind, by which rejections are counted, and its words.

    Names are relative to the data folder, so that the same data give the same index wherever they lie.
    """
    kinds = {UnreadableRaster: "unreadable", MissingCrs: "no reference system", WrongBands: "wrong bands"}
    kind = next(words for kind, words in kinds.items() if isinstance(error, kind))
    return f"{kind}: {error}".replace(f"{data.root}/", "")


def list_images(data: Folder, entry: ImagesEntry) -> list[str]:
    """Return the names of the images of an entry, sorted.

    Raises:
        InvalidCatalogue: there is none.
    """
    pattern = entry.path.split("/")
    wild = next((place for place, part in enumerate(pattern) if set(part) & set("*?[")), None)
    fixed = "/".join(pattern if wild is None else pattern[:wild])
    names = list(data.list(f"{fixed}/" if fixed else ""))
    if wild is None:
        names = [name for name in names if name.lower().endswith(FORMATS)]
    else:
        names = [name for name in names if _matches(name.split("/"), pattern)]
    if not names:
        raise InvalidCatalogue(f"there is no image in {data.root}/{entry.path}: correct the path in the catalogue")
    return names


def _matches(name: list[str], pattern: list[str]) -> bool:
    """Say whether a name fits a glob pattern, folder by folder."""
    return len(name) == len(pattern) and all(fnmatch.fnmatchcase(part, wanted) for part, wanted in zip(name, pattern, strict=True))


def wrong_type(dtype: str, wanted: str | None) -> str | None:
    """Return why imagery of a type is rejected, None where it is taken; `wanted` is its sensor's type, None where that has none."""
    if dtype not in DTYPES:
        return f"wrong type: it is {dtype}: convert it to one of {', '.join(DTYPES)}"
    return None if dtype == wanted else f"wrong type: it is {dtype}, the rest of its sensor's {wanted}"


def _choose_types(data: Folder, catalogue: Catalogue, found: Survey) -> None:
    """Note each sensor's data type, and refuse the scenes that have another."""
    for number, facts in list(found.scenes.items()):
        sensor = catalogue.scenes[number].sensor
        if why := wrong_type(facts.dtype, found.dtypes.get(sensor, facts.dtype)):
            found.refused[number] = why
            del found.scenes[number]
        else:
            found.dtypes[sensor] = facts.dtype
    for number, names in found.images.items():
        entry = catalogue.images[number]
        for name in names:
            if entry.sensor in found.dtypes:
                break
            try:
                dtype = str(read_image(f"{data.root}/{name}", entry.bands)[0].dtype)
            except (UnreadableRaster, WrongBands):
                continue  # told when it is cut
            if not wrong_type(dtype, dtype):
                found.dtypes[entry.sensor] = dtype
