"""The tiling step: imagery, labels and sites in; tiles out."""

import hashlib
from collections.abc import Callable, Iterator

import pandas as pd
import pyarrow.parquet as pq

from components.tiler.config import TilerConfig
from components.tiler.merge import left_out, merge_parts
from components.tiler.part import TilePart, cut_part
from components.tiler.plan import Part, make_plan
from components.tiler.reading import Reader
from components.tiler.sample import Sample
from components.tiler.survey import list_images, survey
from components.tiler.truth import check_labels, check_polygons, mask_path
from eartheye.contracts import Catalogue, Sites, Tiles, digest
from eartheye.contracts.catalogue import MaskLabels
from eartheye.errors import InvalidConfig, NotEnoughTiles, TargetTooLarge
from eartheye.grid import EaseGrid
from eartheye.store import Folder
from eartheye.telemetry import progress_of

STEP = "tiler/1"
PARTS = "parts/"
SITE_COLUMNS = ["site", "lon", "lat", "group"]


def cut_tiles(data: str, catalogue: Catalogue, sites: Folder | None, config: TilerConfig, tiles: Folder) -> Tiles:
    """Cut tiles at sites, over scenes that are covered whole and from image folders, and the masks with them.

    What cannot be cut is in the index, with the reason. An interrupted run is taken up at the part where it stopped; a finished folder is
    returned as it is.

    Args:
        data: path or URI of the data folder.
        catalogue: what lies in it.
        sites: a finished folder of sites; None where no scene is cut at sites.
        config: how tiles are cut.
        tiles: where they go.

    Raises:
        InvalidCatalogue: the catalogue names what is not in the data folder, contradicts itself, or has polygons beside their scene.
        MissingCrs: a vector layer has no reference system.
        InvalidConfig: scenes are to be cut at sites, and there are none.
        TargetTooLarge: nothing could be cut, for tiles are larger than scenes.
        NotEnoughTiles: nothing could be cut for other reasons.
        StoreFull: there is no room for the tiles.
        ConflictingOutput: `tiles` holds what another input or configuration made.
    """
    folder = Folder(data)
    check_labels(folder, catalogue)
    placed, sites_digest = _read_sites(sites, catalogue, config.group_side)
    made_from = digest(STEP, config, catalogue.model_dump_json(exclude_defaults=True), sites_digest, _content(folder, catalogue))
    if done := Tiles.done(tiles, made_from):
        return done

    found = survey(folder, catalogue)
    check_polygons(folder, catalogue, found.scenes)
    parts = make_plan(catalogue, found, placed, config)
    reader = Reader(folder, catalogue, found, config)
    bands = {entry.sensor: entry.bands for entry in (*catalogue.scenes, *catalogue.images)}
    folders = [tiles / f"{PARTS}{number:05d}" for number in range(len(parts))]
    finished = [TilePart.done(place, _of_part(made_from, number)) for number, place in enumerate(folders)]
    already = sum(part.tiles for part, done in zip(parts, finished, strict=True) if done)
    with progress_of("cutting tiles", sum(part.tiles for part in parts), already) as advance:
        for number, part in enumerate(parts):
            if not finished[number]:
                samples = _counted(reader.read(part), part, advance)
                finished[number] = cut_part(samples, bands, config, folders[number], _of_part(made_from, number))
    made = [(place, done) for place, done in zip(folders, finished, strict=True) if done]
    try:
        return merge_parts(made, left_out(catalogue, found, placed, parts), catalogue, found, config, tiles, made_from)
    except (NotEnoughTiles, TargetTooLarge):
        tiles.delete_all(PARTS)  # they hold no tile, and would stand in the way of another configuration
        raise


def _read_sites(sites: Folder | None, catalogue: Catalogue, group_side: int) -> tuple[pd.DataFrame, str]:
    """Return `site`, `lon`, `lat` and `group` of the sites, and the digest of their table."""
    if sites is None:
        if wanting := [entry.path for entry in catalogue.scenes if entry.cut == "sites"]:
            raise InvalidConfig(f"{len(wanting)} scenes are cut at sites, as {wanting[0]}: give the folder of sites, or set `cut: cover`")
        return pd.DataFrame(columns=SITE_COLUMNS), ""
    given = Sites.read(sites)
    with sites.open(given.table) as file:
        table = pq.read_table(file, columns=["site", "cell", "lon", "lat"]).to_pandas()
    blocks = EaseGrid(given.cell_km).block_of(table["cell"].to_numpy(), group_side)  # type: ignore[arg-type]
    table["group"] = [f"{given.cell_km} km {group_side} {block}" for block in blocks]
    return table[SITE_COLUMNS], given.table.sha256


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


def _of_part(made_from: str, number: int) -> str:
    return hashlib.sha256(f"{made_from}/{number}".encode()).hexdigest()


def _counted(samples: Iterator[Sample], part: Part, advance: Callable[..., None]) -> Iterator[Sample]:
    """Pass samples on and count them; an image gives several, but is counted once."""
    counted = 0
    for sample in samples:
        if counted < part.tiles:
            advance()
            counted += 1
        yield sample
