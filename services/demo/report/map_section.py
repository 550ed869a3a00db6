"""The report on a map: beside its scene, beside the truth, and what it is worth on ground that the model has not seen."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import geometry_mask

from components.tiler.truth import read_polygons
from eartheye.blocks.polygons import geodesic_area_m2
from eartheye.contracts import Catalogue, Map, Report, ServingPackage
from eartheye.contracts.catalogue import Terms, VectorLabels
from eartheye.raster import open_scene
from eartheye.store import Bulk, Folder
from eartheye.tiles import TileSet
from eartheye.tracking import CHAMPION, resolve
from eartheye.wording import counted
from pipelines.config import ChainConfig, MapConfig
from pipelines.requests import map_folder
from services.demo.report import map_figures
from services.demo.report.agreement import LEAST_IOU, Matches, cut_out, match_polygons, pixel_iou
from services.demo.report.map_truth import raster_truth, shows, truth_words, worth_of, worth_words
from services.demo.report.section import Section
from services.demo.report.unseen import split_of, unseen_ground
from services.demo.report.wording import M2_PER_HA


@dataclass(frozen=True)
class Held:
    """A map held against true polygons on one piece of ground."""

    ground: shapely.Geometry
    area_m2: float
    """Of the ground."""
    share: float
    """Of the ground in the whole map."""
    found: NDArray[np.object_]
    """Polygons of the map there."""
    truth: NDArray[np.object_]
    """True polygons there."""
    matches: Matches
    iou: float | None
    """Of the pixels of the class."""
    least_m2: float
    """Smaller polygons were left out."""


def map_section(
    run: Path, root: Folder, data: Path, catalogue: Catalogue, wanted: MapConfig, config: ChainConfig, tiles: TileSet
) -> Section:
    """Show a map beside its scene, and beside the truth where the catalogue has it."""
    folder = Folder(map_folder(root.root, wanted, resolve(wanted.model, CHAMPION).version))
    made = Map.read(folder)
    serving = ServingPackage.read(root / f"heads/{wanted.model}/serving")
    polygons = geopandas.read_parquet(folder.local(made.polygons))
    section = Section(
        f"Map: {wanted.title}",
        [
            f"{wanted.scene} mapped with {made.model} version {made.model_version}: {counted(made.blocks_done, 'block')} done, "
            f"{made.blocks_empty} empty; {counted(len(polygons), 'polygon')}."
        ],
        header=["class", "polygons", "area, ha"],
    )
    for name, of_class in polygons.groupby("name"):
        section.rows.append([str(name), f"{len(of_class):,}", f"{of_class['area_m2'].sum() / M2_PER_HA:,.1f}"])

    head = next(head for head in config.heads if head.title == wanted.model)
    label_set = head.finetuner.samples.label_set
    labels = next((labels for labels in catalogue.labels if labels.name == label_set), None)
    raster = raster_truth(catalogue, label_set, wanted.scene)
    scene = next(scene for scene in catalogue.scenes if scene.path == wanted.scene)
    credit = credit_of(catalogue, scene)
    with open_scene(str(data / scene.path), bands=scene.bands, crs=wanted.completed(catalogue).crs) as opened:
        gsd_m = scene.gsd_m or opened.gsd_m
    channels = [scene.bands.index(band) + 1 for band in dict.fromkeys(scene.channels)]
    overview = map_figures.read_overview(str(data / scene.path), str(folder.local(made.raster)), channels, gsd_m)
    unseen = unseen_ground(tiles.index, split_of(root / f"heads/{wanted.model}/model"), overview.crs, overview.extent)
    if isinstance(labels, VectorLabels) and labels.scene == scene.path:
        truth = read_polygons(Folder(data), labels, overview.crs)
        burnt = map_figures.burn_truth(truth, labels.background.value, labels.foreground.value, overview)
        picture = map_figures.map_beside_scene(overview, burnt, serving.classes, unseen)
        section.picture("Scene, map and truth", picture, credit)
        if not unseen.is_empty:
            mapped = polygons.loc[polygons["name"] == labels.foreground.name, "geometry"]
            held = hold(mapped, truth, unseen, wanted.min_area_m2, labels.foreground.value, overview, burnt)
            add_unseen(section, held, labels.foreground.name, overview, credit)
    elif raster is not None:
        with open_scene(str(data / raster.path), crs=raster.crs) as opened:
            shown = map_figures.read_truth(opened, serving.classes, overview)
            worth = None if unseen.is_empty else worth_of(folder.local(made.raster), opened, serving.classes, unseen)
        of_scene = shows(raster, wanted.scene)
        section.words.append(truth_words(raster, wanted.scene))
        if worth is not None:
            section.words.append(worth_words(worth, Report.read(root / f"heads/{wanted.model}/report"), same_date=of_scene))
            section.header.append("IoU on unseen ground")
            for row in section.rows:
                row.append(figure(worth.per_class.get(row[0])))
        caption = "Scene, map and truth" if of_scene else "Scene, map, and the truth of other scenes"
        section.picture(caption, map_figures.map_beside_scene(overview, shown, serving.classes, unseen), credit)
    else:
        section.picture("Scene and map", map_figures.map_beside_scene(overview, None, serving.classes, shapely.Polygon()), credit)
    section.links = [
        (name, local_copy(run, f"maps/{wanted.title}/v{made.model_version}", folder, bulk))
        for name, bulk in (("COG", made.raster), ("polygons", made.polygons), ("STAC item", made.stac))
    ]
    return section


def local_copy(run: Path, place: str, folder: Folder, bulk: Bulk) -> str:
    """Return the path of a map's object relative to the report; one that lies in an object store is copied there."""
    path = run / place / bulk.name
    if folder.local_directory() is None and Folder(run / place).size(bulk.name) != bulk.size:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        shutil.copyfile(folder.local(bulk), draft)
        draft.replace(path)
    return f"{place}/{bulk.name}"


def hold(
    mapped: geopandas.GeoSeries,
    truth: NDArray[np.object_],
    ground: shapely.Geometry,
    least_m2: float,
    value: int,
    overview: map_figures.MappedScene,
    burnt: NDArray[np.uint8],
) -> Held:
    """Hold a class of a map against true polygons on a piece of ground.

    Args:
        mapped: polygons of the map.
        truth: (M,) true polygons in the same reference system.
        ground: where they are compared; polygons are cut at its edge.
        least_m2: smaller pieces are no objects, as in the map.
        value: of the class.
        overview: the map's pixels.
        burnt: (H, W) the truth's.
    """
    found, true = (
        pieces[geodesic_area_m2(pieces, mapped.crs) >= least_m2] for pieces in (cut_out(mapped.to_numpy(), ground), cut_out(truth, ground))
    )
    there = ~geometry_mask(shapely.get_parts(ground), burnt.shape, overview.transform) & (overview.classes > 0)
    return Held(
        ground=ground,
        area_m2=float(geodesic_area_m2(shapely.get_parts(ground), mapped.crs).sum()),
        share=ground.area / overview.extent.area,
        found=found,
        truth=true,
        matches=match_polygons(found, true),
        iou=pixel_iou(overview.classes[there] == value, burnt[there] == value),
        least_m2=least_m2,
    )


def add_unseen(section: Section, held: Held, name: str, overview: map_figures.MappedScene, credit: str) -> None:
    """Say and show what a map is worth on ground that its model has not seen."""
    matches, hectares, pieces = held.matches, held.area_m2 / M2_PER_HA, len(shapely.get_parts(held.ground))
    section.words += [
        f"Unseen ground, of which no tile was in training or validation: {hectares:.2f} ha in {counted(pieces, 'piece')}, {held.share:.0%} "
        f"of the map. There the truth has {counted(len(held.truth), 'polygon')} of {name} and the map {len(held.found)}; {matches.count} "
        f"agree with an intersection over union of {LEAST_IOU:g} or more: precision {figure(matches.precision)}, recall "
        f"{figure(matches.recall)}. Intersection over union of the pixels of {name}: {figure(held.iou)}. "
        f"Polygons are cut at the edge of that ground; pieces below {held.least_m2:g} m² do not count."
    ]
    section.limits.append(
        f"It is one scene, and {hectares:.2f} ha of it: one polygon more or less moves recall by {1 / max(len(held.truth), 1):.2f}. "
        "The unseen ground lies beside that of the training, under the same sun and sensor; elsewhere the model would do worse. "
        "The rest of the map is no test, for the model has learned from its truth."
    )
    shown = min(pieces, map_figures.MOST_PIECES)
    section.picture(
        f"Unseen ground ({shown} of {counted(pieces, 'piece')}): polygons of the map beside those of the truth",
        map_figures.polygons_beside_truth(overview, held.ground, held.found, matches.of_found >= 0, held.truth, matches.of_truth >= 0),
        credit,
    )


def figure(value: float | None) -> str:
    """Return a share with two digits, or say that there is none."""
    return "not defined" if value is None else f"{value:.2f}"


def credit_of(catalogue: Catalogue, entry: Terms) -> str:
    """Return whose something is, and on what terms."""
    licence, attribution = catalogue.terms(entry)
    return f"{attribution} ({licence})"
