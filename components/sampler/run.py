"""The sampler's two steps: a data folder in, cells out; cells in, sites out."""

import hashlib
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray

from components.sampler.allocation import allocate
from components.sampler.cells import SCHEMA, describe, required
from components.sampler.config import CellsConfig, SamplerConfig
from components.sampler.layers import bulk_of, ground_of_scenes, open_layers, read_regions
from components.sampler.selection import select
from components.sampler.strata import stratify
from eartheye.contracts import Catalogue, Cells, Sites, digest
from eartheye.errors import EmptyArea, IncompleteCells, NotEnoughCells
from eartheye.grid import EaseGrid
from eartheye.store import Folder
from eartheye.telemetry import progress
from eartheye.wording import counted

CELLS_STEP = "cells/1"
SITES_STEP = "sites/1"
STRIP_CELLS = 2**20
"""Cells described at once; bounds the memory, whatever the area."""


@dataclass(frozen=True)
class SitesPlan:
    """What a drawing comes to."""

    cells: int
    """Cells to draw from."""
    strata: int
    """Strata that give a site."""
    sites: int
    finished: bool
    """The sites are there already."""


def aggregate_cells(data: str, catalogue: Catalogue, config: CellsConfig, cells: Folder) -> Cells:
    """Describe the cells of the equal-area grid. A folder that is finished already is returned as it is.

    Args:
        data: data folder.
        catalogue: what lies in it: land cover, elevation and regions are needed.
        config: which cells.
        cells: where they go.

    Raises:
        InvalidCatalogue: a layer is not named, or not there.
        UnreadableRaster: a layer is truncated or corrupt.
        MissingCrs: a layer does not say where on Earth it lies.
        WrongBands: land cover or elevation has more than one band.
        UnknownLandCover: the legend does not name a code.
        EmptyArea: no cell is left to draw from.
        ConflictingOutput: `cells` holds what another input or configuration made.
        StoreFull: there is no room.
    """
    folder = Folder(data)
    grid, scenes, made_from = identify_cells(folder, catalogue, config)
    if done := Cells.done(cells, made_from):
        return done

    polygons = read_regions(folder, required(catalogue)[2])
    left_out: dict[str, int] = {}
    count, met = 0, np.zeros(0, np.int64)
    with (
        open_layers(folder, catalogue, grid, polygons, scenes) as layers,
        cells.create("cells.parquet") as file,
        pq.ParquetWriter(file, SCHEMA) as writer,
    ):
        strips = list(layers.window.strips(STRIP_CELLS))
        for strip in progress(strips, "describing cells"):
            table, reasons = describe(layers, strip, config.min_land_share)
            writer.write_table(table)
            count += table.num_rows
            met = np.union1d(met, table["region"].to_numpy())
            for reason, number in reasons.items():
                left_out[reason] = left_out.get(reason, 0) + number
        if count == 0:
            raise no_cell_left(grid, left_out)
    title_of = dict(zip(polygons["number"], polygons["title"], strict=True))
    return Cells(
        made_from=made_from,
        table=cells.bulk("cells.parquet"),
        count=count,
        cell_km=grid.cell_km,
        regions={int(number): title_of[number] for number in met},
        left_out={reason: number for reason, number in left_out.items() if number},
    ).finish(cells)


def identify_cells(data: Folder, catalogue: Catalogue, config: CellsConfig) -> tuple[EaseGrid, shapely.Geometry | None, str]:
    """Return the grid, the ground that cells are wanted on (None for all of it), and the digest of what decides the cells."""
    land_cover, elevation, regions = required(catalogue)
    scenes = ground_of_scenes(data, catalogue) if config.area == "footprints" else None
    grid = EaseGrid(config.cell_km or catalogue.cell_km)
    inputs = [bulk_of(data, layer.path).sha256 for layer in (land_cover, elevation, regions)]
    meaning = [land_cover.legend, land_cover.crs or "", regions.id, regions.name, str(grid.cell_km)]
    meaning += [] if elevation.crs is None else [elevation.crs]
    area = [] if scenes is None else [hashlib.sha256(shapely.to_wkb(scenes)).hexdigest()]
    return grid, scenes, digest(CELLS_STEP, config, *inputs, *meaning, *area)


def no_cell_left(grid: EaseGrid, left_out: dict[str, int]) -> EmptyArea:
    """Return the error that says why there is no cell at all; `left_out` are cells by reason."""
    why = ", ".join(f"{number} {reason}" for reason, number in left_out.items() if number) or "the area holds no cell's centre"
    return EmptyArea(
        f"no cell of {grid.cell_km} km is left to draw from ({why}): widen the area, choose a finer cell_km, or give layers that cover it"
    )


def sample_sites(cells: Folder, config: SamplerConfig, sites: Folder) -> Sites:
    """Draw sites from cells, stratum by stratum. A folder that is finished already is returned as it is.

    Args:
        cells: a finished folder of cells.
        config: how many sites, and how.
        sites: where the sites go.

    Raises:
        NotFinished: `cells` is still to be made.
        IncompleteCells: a cell has no region, class or elevation.
        NotEnoughCells: there are fewer cells than sites wanted.
        ConflictingOutput: `sites` holds what another input or configuration made.
        StoreFull: there is no room.
    """
    given = Cells.read(cells)
    made_from = digest(SITES_STEP, config, given.digest)
    if done := Sites.done(sites, made_from):
        return done

    with cells.open(given.table) as file:
        parquet = pq.ParquetFile(file)
        cell, stratum, quota = allot(parquet, config)
        rows = select(cell, stratum, quota, config.seed)
        drawn = take(parquet, rows).to_pandas()

    drawn["site"], drawn["stratum"] = drawn["cell"], stratum[rows]
    with sites.create("sites.parquet") as file:
        gpd.GeoDataFrame(drawn, geometry=gpd.points_from_xy(drawn["lon"], drawn["lat"]), crs="EPSG:4326").to_parquet(file, index=False)
    return Sites(
        made_from=made_from,
        table=sites.bulk("sites.parquet"),
        count=len(rows),
        strata=int((quota > 0).sum()),
        cell_km=given.cell_km,
    ).finish(sites)


def plan_sites(cells: Folder, config: SamplerConfig, sites: Folder) -> SitesPlan:
    """Say what `sample_sites` would draw; nothing is written.

    Args:
        cells: a finished folder of cells.
        config: how many sites, and how.
        sites: where the sites would go.

    Raises:
        UserError: what `sample_sites` would raise, but for a full store.
    """
    given = Cells.read(cells)
    if done := Sites.done(sites, digest(SITES_STEP, config, given.digest)):
        return SitesPlan(given.count, done.strata, done.count, finished=True)
    with cells.open(given.table) as file:
        _, _, quota = allot(pq.ParquetFile(file), config)
    return SitesPlan(given.count, int((quota > 0).sum()), int(quota.sum()), finished=False)


def allot(parquet: pq.ParquetFile, config: SamplerConfig) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Share the sites wanted among the strata of the cells.

    Returns:
        (N,) cells; (N,) stratum of each; (S,) sites to draw from each stratum.
    """
    table = parquet.read(["cell", "region", "land_class", "elevation_m"])
    check(table, config.target_sites)
    cell, region, land_class, elevation_m = (column.to_numpy() for column in table.columns)
    stratum, class_of_stratum = stratify(region, land_class, elevation_m, config.interval_m)
    ratio = np.array([0.0, *config.class_ratio.model_dump().values()])
    return cell, stratum, allocate(np.bincount(stratum), class_of_stratum, ratio, config.target_sites)


def check(table: pa.Table, target_sites: int) -> None:
    """Refuse cells that cannot be drawn from."""
    for column in ("region", "land_class", "elevation_m"):
        if missing := pc.sum(pc.is_null(table[column], nan_is_null=True)).as_py():
            raise IncompleteCells(
                f"{missing} of {table.num_rows} cells have no {column}: aggregate them again with a layer that covers them"
            )
    if table.num_rows < target_sites:
        raise NotEnoughCells(
            f"{counted(target_sites, 'site')} wanted, {counted(table.num_rows, 'cell')} given: lower target_sites or widen the area"
        )


def take(parquet: pq.ParquetFile, rows: NDArray[np.int64]) -> pa.Table:
    """Return the rows of these ascending numbers, with a row group in memory at a time."""
    parts, first = [], 0
    for group in range(parquet.num_row_groups):
        end = first + parquet.metadata.row_group(group).num_rows
        wanted = rows[np.searchsorted(rows, first) : np.searchsorted(rows, end)]
        parts.append(parquet.read_row_group(group).take(wanted - first))
        first = end
    return pa.concat_tables(parts)
