"""A folder of tiles in the making: what it is made from, its parts, and which of them are done."""

import hashlib
from dataclasses import dataclass

import pandas as pd
import pyarrow.parquet as pq

from components.tiler.config import TilerConfig
from components.tiler.entries import check_labels
from components.tiler.part import TilePart
from components.tiler.plan import Part, make_plan
from components.tiler.survey import Survey, list_images, survey
from components.tiler.truth import check_polygons, mask_path
from eartheye.contracts import Catalogue, Sites, digest
from eartheye.contracts.catalogue import MaskLabels
from eartheye.errors import InvalidConfig
from eartheye.grid import EaseGrid
from eartheye.store import Folder

STEP = "tiler/2"
PARTS = "parts/"
SITE_COLUMNS = ["site", "lon", "lat", "group"]


@dataclass(frozen=True)
class Tiling:
    """All that is known before the first tile is cut."""

    data: Folder
    catalogue: Catalogue
    config: TilerConfig
    sites: pd.DataFrame
    """Columns `site`, `lon`, `lat` and `group`."""
    found: Survey
    parts: list[Part]
    tiles: Folder
    made_from: str

    @property
    def bands(self) -> dict[str, tuple[str, ...]]:
        """Names of the bands of each sensor."""
        return {entry.sensor: entry.bands for entry in (*self.catalogue.scenes, *self.catalogue.images)}

    def folder_of(self, number: int) -> Folder:
        """Return the folder of a part."""
        return self.tiles / f"{PARTS}{number:05d}"

    def digest_of(self, number: int) -> str:
        """Return what a part is made from."""
        return hashlib.sha256(f"{self.made_from}/{number}".encode()).hexdigest()

    def done(self, number: int) -> TilePart | None:
        """Return the manifest of a part, None where it is still to be cut.

        Raises:
            ConflictingOutput: its folder was made from something else.
        """
        return TilePart.done(self.folder_of(number), self.digest_of(number))


def identify(data: str, catalogue: Catalogue, sites: Folder | None, config: TilerConfig) -> str:
    """Return the digest of what tiles are made from; every file that decides them is read through.

    Args:
        data: path or URI of the data folder.
        catalogue: what lies in it.
        sites: a finished folder of sites; None where no scene is cut at sites.
        config: how tiles are cut.

    Raises:
        InvalidCatalogue: the catalogue names labels that are not in the data folder.
        InvalidConfig: scenes are to be cut at sites, and there are none.
    """
    folder = Folder(data)
    check_labels(folder, catalogue)
    if sites is None and (wanting := [entry.path for entry in catalogue.scenes if entry.cut == "sites"]):
        raise InvalidConfig(f"{len(wanting)} scenes are cut at sites, as {wanting[0]}: give the folder of sites, or set `cut: cover`")
    of_sites = "" if sites is None else Sites.read(sites).table.sha256
    return digest(STEP, config, catalogue.model_dump_json(exclude_defaults=True), of_sites, _content(folder, catalogue))


def open_tiling(data: str, catalogue: Catalogue, sites: Folder | None, config: TilerConfig, tiles: Folder, made_from: str) -> Tiling:
    """Look at the imagery and plan the parts.

    Args:
        data: path or URI of the data folder.
        catalogue: what lies in it.
        sites: a finished folder of sites; None where no scene is cut at sites.
        config: how tiles are cut.
        tiles: where they go.
        made_from: what `identify` returned.

    Raises:
        InvalidCatalogue: the catalogue names what is not in the data folder, contradicts itself, or has polygons beside their scene.
        MissingCrs: a vector layer has no reference system.
    """
    folder = Folder(data)
    placed = _read_sites(sites, config.group_side)
    found = survey(folder, catalogue)
    check_polygons(folder, catalogue, found.scenes)
    return Tiling(folder, catalogue, config, placed, found, make_plan(catalogue, found, placed, config), tiles, made_from)


def _read_sites(sites: Folder | None, group_side: int) -> pd.DataFrame:
    """Return `site`, `lon`, `lat` and `group` of the sites."""
    if sites is None:
        return pd.DataFrame(columns=SITE_COLUMNS)
    given = Sites.read(sites)
    with sites.open(given.table) as file:
        table = pq.read_table(file, columns=["site", "cell", "lon", "lat"]).to_pandas()
    blocks = EaseGrid(given.cell_km).block_of(table["cell"].to_numpy(), group_side)  # type: ignore[arg-type]
    table["group"] = [f"{given.cell_km} km {group_side} {block}" for block in blocks]
    return table[SITE_COLUMNS]


def _content(data: Folder, catalogue: Catalogue) -> str:
    """Return the digest of every file that decides the tiles: scenes, labels, images and their masks."""
    names = {entry.path for entry in catalogue.scenes}
    names |= {labels.path for labels in catalogue.labels if not isinstance(labels, MaskLabels)}
    for entry in catalogue.images:
        images = list_images(data, entry)
        masks = [labels for labels in catalogue.labels if isinstance(labels, MaskLabels) and labels.images == entry.path]
        names |= {*images, *(mask_path(labels, name) for labels in masks for name in images)}
    content = hashlib.sha256()
    for name in sorted(names):
        content.update(f"{name}\n{data.bulk(name).sha256 if data.exists(name) else 'missing'}\n".encode())
    return content.hexdigest()
