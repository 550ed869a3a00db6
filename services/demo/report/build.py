"""What the report says: read from the folders of a run, so that it shows what is there and nothing else."""

import base64
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import geopandas
import jinja2
import pyarrow.parquet as pq

from eartheye import __version__
from eartheye.contracts import Catalogue, Cells, Curated, Map, ModelPackage, Report, ServingPackage, Sites
from eartheye.contracts.catalogue import RasterLabels
from eartheye.store import Folder
from eartheye.tiles import TileSet
from eartheye.tracking import CHAMPION, alias_version, resolve
from pipelines.config import ChainConfig, HeadConfig, MapConfig, SamplingConfig
from pipelines.requests import map_folder, request_promotion
from services.demo.report import figures


@dataclass
class Section:
    """A part of the report: words, a table, pictures, links."""

    title: str
    words: list[str] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    """Caption, and the picture as a data URI."""
    links: list[tuple[str, str]] = field(default_factory=list)
    """Words, and a path relative to the report."""

    def picture(self, caption: str, data: bytes) -> None:
        """Add a PNG."""
        self.pictures.append((caption, f"data:image/png;base64,{base64.b64encode(data).decode()}"))


def write_report(run: Path, data: Path, catalogue: Catalogue, config: ChainConfig, servers: list[str], seconds: dict[str, float]) -> None:
    """Write `report.html` into the folder of a finished run.

    Args:
        run: folder of the run.
        data: data folder.
        catalogue: of the data.
        config: of the chain.
        servers: what stood behind the ports, in words.
        seconds: wall time of each step of this run; a step that was done before took hardly any.
    """
    root = Folder(run)
    tiles = TileSet(root / "tiles")
    sections = [
        *(sampling_section(root, data, catalogue, sampling) for sampling in config.samplings),
        tiles_section(root, tiles),
        backbone_section(root),
        *(head_section(root, head) for head in config.heads),
        registry_section(root, config),
        *(map_section(run, data, catalogue, wanted, config) for wanted in config.maps),
        timing_section(servers, seconds),
    ]
    source = resources.files("services.demo.report").joinpath("template.html").read_text()
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    page = template.render(title=catalogue.title, name=config.name, version=__version__, sections=sections, terms=attributions(tiles))
    temporary = run / "report.html.part"
    temporary.write_text(page)
    temporary.replace(run / "report.html")


def sampling_section(root: Folder, data: Path, catalogue: Catalogue, sampling: SamplingConfig) -> Section:
    """Cells and sites on a map."""
    folder = root / f"sampling/{sampling.title}"
    cells, sites = Cells.read(folder / "cells"), Sites.read(folder / "sites")
    cell_rows = pq.read_table((folder / "cells").local(cells.table), columns=["lon", "lat", "land_class"]).to_pandas()
    site_rows = geopandas.read_parquet((folder / "sites").local(sites.table))
    regions = None
    if catalogue.regions is not None:
        regions = geopandas.read_file(data / catalogue.regions.path).to_crs("EPSG:4326")
    left_out = "; ".join(f"{count:,} {reason}" for reason, count in cells.left_out.items()) or "none"
    words = [
        f"{sites.count:,} sites in {sites.strata:,} strata (region, land cover, elevation interval of {sampling.sampler.interval_m:g} m), "
        f"drawn from {cells.count:,} cells of {cells.cell_km} km by equation (1). Cells left out: {left_out}."
    ]
    section = Section(f"Sites: {sampling.title}", words)
    section.picture("Cells by land cover, and the drawn sites", figures.sites_map(cell_rows, site_rows, regions, cells.cell_km))
    return section


def tiles_section(root: Folder, tiles: TileSet) -> Section:
    """Tiles with their acquisitions, what was rejected, what curation kept."""
    manifest, curated = tiles.manifest, Curated.read(root / "curated")
    dropped = ", ".join(f"{count} {reason}" for reason, count in curated.dropped.items()) or "none"
    section = Section(
        "Tiles",
        [
            f"{manifest.count} tiles cut, {manifest.rejected} rejected. Curation kept {curated.kept} in {curated.clusters} clusters; "
            f"dropped: {dropped}."
        ],
        header=["sensor", "bands", "tiles", "sites", "acquisitions of a site"],
    )
    cut = tiles.cut
    for sensor in manifest.sensors:
        of_sensor = cut[cut["sensor"] == sensor.name]
        per_site = of_sensor.groupby("site").size()
        many = f"{per_site.min()} to {per_site.max()}" if len(per_site) else "0"
        section.rows.append([sensor.name, ", ".join(sensor.bands), str(len(of_sensor)), str(of_sensor["site"].nunique()), many])
    for reason, count in tiles.index["rejected"].dropna().value_counts().items():
        section.words.append(f"Rejected, {count} times: {reason}")
    unlabelled = cut[cut["label_sets"].map(len) == 0]
    if unlabelled["site"].duplicated().any() or not manifest.label_sets:
        section.picture("Sites with their acquisitions", figures.contact_sheet(tiles, unlabelled))
    for labels in manifest.label_sets:
        labelled = cut[cut["label_sets"].map(lambda sets, name=labels.name: name in sets)]
        section.picture(f"Sites with their acquisitions, and the mask: {labels.name}", figures.contact_sheet(tiles, labelled, labels))
    return section


def backbone_section(root: Folder) -> Section:
    """Pretraining and what the backbone is worth."""
    package, report = ModelPackage.read(root / "backbone"), Report.read(root / "backbone-report")
    section = Section(
        "Backbone",
        [
            f"{package.architecture.name}, pretrained without labels. Judged on scenes it has not seen: {report.split}.",
            *report.notes,
        ],
    )
    add_scores(section, report)
    add_pictures(section, root / "backbone-report", report)
    return section


def head_section(root: Folder, head: HeadConfig) -> Section:
    """One task: scores beside the baselines, pictures."""
    folder = root / f"heads/{head.title}"
    report, serving = Report.read(folder / "report"), ServingPackage.read(folder / "serving")
    section = Section(
        f"Head: {head.title} ({report.task})",
        [
            f"Frozen backbone. Test: {report.split}. Largest difference of a probability after export to ONNX: {serving.parity:.4f}.",
            *report.notes,
        ],
    )
    add_scores(section, report)
    add_pictures(section, folder / "report", report)
    return section


def registry_section(root: Folder, config: ChainConfig) -> Section:
    """Models, aliases, and the gate's words."""
    section = Section("Registry", header=["model", "champion", "gate"])
    for head in config.heads:
        champion = alias_version(head.title, CHAMPION)
        decision = request_promotion(head.title, champion, "report") if champion else None
        section.rows.append(
            [head.title, f"version {champion}" if champion else "none", "; ".join(decision.reasons) if decision else "not passed"]
        )
    return section


def map_section(run: Path, data: Path, catalogue: Catalogue, wanted: MapConfig, config: ChainConfig) -> Section:
    """A map beside its scene, and beside the truth where the catalogue has it."""
    folder = Folder(map_folder(str(run), wanted, resolve(wanted.model, CHAMPION).version))
    made = Map.read(folder)
    serving = ServingPackage.read(Folder(run) / f"heads/{wanted.model}/serving")
    polygons = geopandas.read_parquet(folder.local(made.polygons))
    section = Section(
        f"Map: {wanted.title}",
        [
            f"{wanted.scene} mapped with {made.model} version {made.model_version}: {made.blocks_done} blocks done, "
            f"{made.blocks_empty} empty; {len(polygons):,} polygons."
        ],
        header=["class", "polygons", "area, ha"],
    )
    for name, of_class in polygons.groupby("name"):
        section.rows.append([str(name), f"{len(of_class):,}", f"{of_class['area_m2'].sum() / 1e4:,.1f}"])
    head = next(head for head in config.heads if head.title == wanted.model)
    truth = next((labels for labels in catalogue.labels if labels.name == head.finetuner.samples.label_set), None)
    scene = next(scene for scene in catalogue.scenes if scene.path == wanted.scene)
    channels = [scene.bands.index(band) + 1 for band in dict.fromkeys(scene.channels)]
    section.picture(
        "Scene, map and truth" if truth else "Scene and map",
        figures.map_beside_scene(
            str(data / wanted.scene),
            str(folder.local(made.raster)),
            str(data / truth.path) if isinstance(truth, RasterLabels) else None,
            serving.classes,
            channels,
        ),
    )
    relative = f"maps/{wanted.title}"
    section.links = [
        (name, f"{relative}/{bulk.name}") for name, bulk in (("COG", made.raster), ("polygons", made.polygons), ("STAC item", made.stac))
    ]
    return section


def timing_section(servers: list[str], seconds: dict[str, float]) -> Section:
    """What stood behind the ports, and how long each step took."""
    rows = [[step, f"{took:.1f}"] for step, took in seconds.items()]
    return Section("Run", servers, header=["step", "wall time, s"], rows=[*rows, ["all", f"{sum(seconds.values()):.1f}"]])


def add_scores(section: Section, report: Report) -> None:
    """List every score, the best of each protocol first."""
    section.header = ["protocol", "model", "metric", "value", "95 % interval", "over"]
    for score in sorted(report.scores, key=lambda score: (score.protocol, score.metric, -score.value)):
        interval = f"{score.low:.3f} to {score.high:.3f}" if score.low is not None and score.high is not None else ""
        section.rows.append([score.protocol, score.model, score.metric, f"{score.value:.3f}", interval, f"{score.count:,}"])


def add_pictures(section: Section, folder: Folder, report: Report) -> None:
    """Add the evaluation's own pictures."""
    for name, bulk in report.pictures.items():
        with folder.open(bulk) as file:
            section.picture(name.replace("-", " ").replace("_", " "), file.read())


def attributions(tiles: TileSet) -> list[str]:
    """Licence and attribution of everything that was used."""
    pairs = tiles.index[["attribution", "licence"]].drop_duplicates().itertuples(index=False)
    return sorted(f"{pair.attribution} ({pair.licence})" for pair in pairs)
