"""What the report says: read from the folders of a run, so that it shows what is there and nothing else."""

from importlib import resources
from pathlib import Path

import geopandas
import jinja2
import pandas as pd
import pyarrow.parquet as pq

from eartheye import __version__
from eartheye.contracts import Catalogue, Cells, Curated, ModelPackage, Report, ServingPackage, Sites
from eartheye.database import connect
from eartheye.grid import EaseGrid
from eartheye.raster import open_scene
from eartheye.store import Folder
from eartheye.tiles import TileSet
from eartheye.tracking import CHAMPION, alias_version
from eartheye.wording import counted
from pipelines.config import ChainConfig, HeadConfig, SamplingConfig
from services.demo.report import limits, tile_figures
from services.demo.report.map_section import credit_of, map_section
from services.demo.report.section import Section
from services.demo.report.sites_figure import sites_map
from services.demo.report.unseen import split_of
from services.demo.report.wording import sentence, spread
from services.registry.standing import decisions


def write_report(
    run: Path, root: Folder, data: Path, catalogue: Catalogue, config: ChainConfig, servers: list[str], seconds: dict[str, float]
) -> None:
    """Write `report.html` into the folder of a finished run.

    Args:
        run: local folder of the run.
        root: folder of the steps' folders: the same, or a place in an object store.
        data: data folder.
        catalogue: of the data.
        config: of the chain.
        servers: what stood behind the ports, in words.
        seconds: wall time of each step, over all starts of the run.
    """
    tiles = TileSet(root / "tiles")
    sections = [
        *(sampling_section(root, data, catalogue, sampling) for sampling in config.samplings),
        tiles_section(root, tiles),
        backbone_section(root, config, tiles),
        *(head_section(root, head, tiles) for head in config.heads),
        registry_section(config),
        *(map_section(run, root, data, catalogue, wanted, config, tiles) for wanted in config.maps),
        timing_section(servers, seconds),
    ]
    source = resources.files("services.demo.report").joinpath("template.html").read_text()
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    page = template.render(title=catalogue.title, name=config.name, version=__version__, sections=sections, terms=attributions(tiles.index))
    temporary = run / "report.html.part"
    temporary.write_text(page)
    temporary.replace(run / "report.html")


def sampling_section(root: Folder, data: Path, catalogue: Catalogue, sampling: SamplingConfig) -> Section:
    """Cells and sites on a map."""
    folder = root / f"sampling/{sampling.title}"
    cells, sites = Cells.read(folder / "cells"), Sites.read(folder / "sites")
    cell_rows = pq.read_table((folder / "cells").local(cells.table), columns=["cell", "lon", "lat", "land_class"]).to_pandas()
    site_rows = geopandas.read_parquet((folder / "sites").local(sites.table))
    regions = None
    if catalogue.regions is not None:
        regions = geopandas.read_file(data / catalogue.regions.path).to_crs("EPSG:4326")
    left_out = "; ".join(f"{count:,} {reason}" for reason, count in cells.left_out.items()) or "none"
    words = [
        f"{counted(sites.count, 'site')} in {counted(sites.strata, 'stratum', 'strata')} (region, land cover, elevation interval of "
        f"{sampling.sampler.interval_m:g} m), drawn from {counted(cells.count, 'cell')} of {cells.cell_km} km by equation (1). "
        f"Cells left out: {left_out}."
    ]
    section = Section(f"Sites: {sampling.title}", words)
    section.limits = limits.of_sites(
        cells.cell_km,
        gsd_of_layers(data, catalogue),
        cell_rows["land_class"].value_counts().to_dict(),
        site_rows["stratum"].value_counts(),
        sampling.sampler,
    )
    layers = (catalogue.land_cover, catalogue.elevation, catalogue.regions)
    credit = "; ".join(dict.fromkeys(credit_of(catalogue, layer) for layer in layers if layer is not None))
    section.picture(
        "Cells by land cover, and the drawn sites",
        sites_map(cell_rows, site_rows, regions, EaseGrid(sampling.cells.cell_km or catalogue.cell_km)),
        credit,
    )
    return section


def gsd_of_layers(data: Path, catalogue: Catalogue) -> dict[str, float]:
    """Return the ground sampling distance of the layers that cells are described by, m."""
    assert catalogue.land_cover is not None, "sites were drawn"
    assert catalogue.elevation is not None, "sites were drawn"
    with (
        open_scene(data / catalogue.land_cover.path, bands=("land cover",), crs=catalogue.land_cover.crs) as land_cover,
        open_scene(data / catalogue.elevation.path, bands=("elevation",), crs=catalogue.elevation.crs) as elevation,
    ):
        return {"land cover": land_cover.gsd_m, "elevation model": elevation.gsd_m}


def tiles_section(root: Folder, tiles: TileSet) -> Section:
    """Tiles with their acquisitions, what was rejected, what curation kept."""
    manifest, curated = tiles.manifest, Curated.read(root / "curated")
    dropped = ", ".join(f"{count} {reason}" for reason, count in curated.dropped.items()) or "none"
    section = Section(
        "Tiles",
        [
            f"{counted(manifest.count, 'tile')} cut, {manifest.rejected:,} rejected. Curation kept {curated.kept:,} in "
            f"{counted(curated.clusters, 'cluster')}; "
            f"dropped: {dropped}."
        ],
        header=["sensor", "bands", "tiles", "sites", "acquisitions of a site"],
    )
    cut = tiles.cut
    for sensor in manifest.sensors:
        of_sensor = cut[cut["sensor"] == sensor.name]
        per_site = of_sensor.groupby("site").size()
        many = spread(per_site) if len(per_site) else "0"
        section.rows.append([sensor.name, ", ".join(sensor.bands), str(len(of_sensor)), str(of_sensor["site"].nunique()), many])
    for reason, count in tiles.index["rejected"].dropna().value_counts().items():
        section.words.append(f"Rejected, {counted(count, 'time')}: {reason}")
    with (root / "curated").open(curated.table) as file:
        decided = pq.read_table(file).to_pandas()
    section.limits = limits.of_tiles(tiles, decided.loc[decided["keep"], "tile"])
    for sensor in manifest.sensors:
        of_sensor = cut[cut["sensor"] == sensor.name]
        credit = "; ".join(attributions(of_sensor))
        sets = [labels for labels in manifest.label_sets if of_sensor["label_sets"].map(lambda held, name=labels.name: name in held).any()]
        for labels in sets:
            labelled = of_sensor[of_sensor["label_sets"].map(lambda held, name=labels.name: name in held)]
            section.picture(
                f"{sensor.name}: sites with their acquisitions, and the mask {labels.name}",
                tile_figures.contact_sheet(tiles, labelled, labels),
                credit,
            )
        if not sets and of_sensor["site"].duplicated().any():
            section.picture(f"{sensor.name}: sites with their acquisitions", tile_figures.contact_sheet(tiles, of_sensor), credit)
        elif not sets and len(of_sensor):
            section.picture(f"{sensor.name}: tiles, {len(of_sensor):,} in all", tile_figures.gallery(tiles, of_sensor), credit)
    return section


def backbone_section(root: Folder, config: ChainConfig, tiles: TileSet) -> Section:
    """Pretraining and what the backbone is worth."""
    package, report = ModelPackage.read(root / "backbone"), Report.read(root / "backbone-report")
    section = Section(
        "Backbone",
        [
            f"{package.architecture.name}, pretrained without labels. Judged on scenes whose labels it has not seen: {report.split}.",
        ],
    )
    seen = split_of(root / "backbone")
    sites = int(tiles.index.loc[seen.loc[seen["part"] == "train", "tile"], "site"].nunique())
    section.limits = [*map(sentence, report.notes), *limits.of_backbone(report, config.pretrainer, sites)]
    add_scores(section, report)
    add_pictures(section, root / "backbone-report", report)
    return section


def head_section(root: Folder, head: HeadConfig, tiles: TileSet) -> Section:
    """One task: scores beside the baselines, pictures."""
    folder = root / f"heads/{head.title}"
    report, serving = Report.read(folder / "report"), ServingPackage.read(folder / "serving")
    section = Section(
        f"Head: {head.title} ({report.task})",
        [
            f"Frozen backbone. Split: {report.split}. Largest difference of a probability after export to ONNX: {serving.parity:.4f}.",
        ],
    )
    parts = split_of(folder / "model")
    section.limits = [*map(sentence, report.notes), *limits.of_head(report, head.finetuner.samples, tiles, parts)]
    add_scores(section, report)
    add_pictures(section, folder / "report", report)
    return section


def registry_section(config: ChainConfig) -> Section:
    """Models, aliases, and the gate's words when it was asked last."""
    section = Section("Registry", header=["model", "champion", "gate"])
    for head in config.heads:
        newest = decisions(connect(), head.title, limit=1)
        champion = alias_version(head.title, CHAMPION)
        words = "; ".join(newest[0].reasons) if newest else "nothing was asked"
        section.rows.append([head.title, f"version {champion}" if champion else "none", words])
    if not config.gate.above_commonest:
        section.limits.append(
            "The gate of this run lets a model pass that is no better than always answering the commonest class, so that its map can be "
            "looked at: that a model serves here does not say that it has learned anything. By default the gate refuses such a model."
        )
    return section


def timing_section(servers: list[str], seconds: dict[str, float]) -> Section:
    """What stood behind the ports, and how long each step took."""
    words = "Wall times are summed over every start of this run. What a step had spent when a start was cut off in it is not counted."
    rows = [[step, f"{took:.1f}"] for step, took in seconds.items()]
    return Section("Run", [*servers, words], header=["step", "wall time, s"], rows=[*rows, ["all", f"{sum(seconds.values()):.1f}"]])


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


def attributions(index: pd.DataFrame) -> list[str]:
    """Return whose the imagery of tiles is, and on what terms."""
    pairs = index[["attribution", "licence"]].drop_duplicates().itertuples(index=False)
    return sorted(f"{pair.attribution} ({pair.licence})" for pair in pairs)
