"""What the describing of cells would come to: counted on the grid, its size and time from a few strips described on trial."""

import io
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.sampler.cells import SCHEMA, Layers, describe, required
from components.sampler.config import CellsConfig
from components.sampler.layers import open_layers, read_regions
from components.sampler.run import STRIP_CELLS, identify_cells, no_cell_left
from components.sampler.zones import NO_ZONE
from eartheye.contracts import Catalogue, Cells
from eartheye.store import Folder

TRIED_STRIPS = 4
"""Strips, at most, that are described on trial."""
TRIED_CELLS = 2**12
"""Cells of such a strip, or one row of the grid; a row around the Earth holds 35,000 cells of 1 km."""


@dataclass(frozen=True)
class CellsForecast:
    """What is to be described."""

    cell_km: int
    cells: int
    """Cells of the area; those without land cover, elevation or region, or with little land, are left out of the result."""
    size_bytes: int
    """Of the table, about."""
    seconds: float
    """On this machine, about."""
    tried: int
    """Cells that were described on trial."""
    left_out: dict[str, int]
    """How many of these would be left out, by reason."""


@dataclass(frozen=True)
class Trial:
    """What became of a few cells that were described, and thrown away."""

    cells: int
    kept: int
    left_out: dict[str, int]
    size_bytes: int
    seconds: float


def forecast_cells(data: str, catalogue: Catalogue, config: CellsConfig, cells: Folder) -> CellsForecast | None:
    """Say what `aggregate_cells` would describe; nothing is written.

    Args:
        data: path or URI of the data folder.
        catalogue: what lies in it.
        config: which cells.
        cells: where they would go.

    Returns:
        The counts; None where the folder is finished.

    Raises:
        EmptyArea: every cell was tried, and none is left to draw from.
        UserError: what `aggregate_cells` would raise before it describes cells, or of those tried.
    """
    folder = Folder(data)
    grid, scenes, made_from = identify_cells(folder, catalogue, config)
    if Cells.done(cells, made_from):
        return None
    with open_layers(folder, catalogue, grid, read_regions(folder, required(catalogue)[2]), scenes) as layers:
        of_row = np.concatenate([(layers.area.numbers_in(strip) != NO_ZONE).sum(axis=1) for strip in layers.window.strips(STRIP_CELLS)])
        trial = try_some(layers, of_row, config.min_land_share)
    total = int(of_row.sum())
    if trial.cells == total and not trial.kept:
        raise no_cell_left(grid, trial.left_out)
    scale = total / trial.cells
    return CellsForecast(grid.cell_km, total, round(trial.size_bytes * scale), trial.seconds * scale, trial.cells, trial.left_out)


def try_some(layers: Layers, of_row: NDArray[np.int64], min_land_share: float) -> Trial:
    """Describe some strips far from each other, and throw them away.

    Args:
        layers: what describes them.
        of_row: (height of the window,) cells of the area in each row.
        min_land_share: cells of which less is land are left out.
    """
    count_of = {strip: int(of_row[strip.row - layers.window.row :][: strip.height].sum()) for strip in layers.window.strips(TRIED_CELLS)}
    strips = [strip for strip, count in count_of.items() if count]
    chosen = strips[:: max(-(-len(strips) // TRIED_STRIPS), 1)]
    left_out: Counter[str] = Counter()
    begun, kept, buffer = time.perf_counter(), 0, io.BytesIO()
    with pq.ParquetWriter(buffer, SCHEMA) as writer:
        for strip in chosen:
            table, reasons = describe(layers, strip, min_land_share)
            writer.write_table(table)
            kept += table.num_rows
            left_out.update({reason: number for reason, number in reasons.items() if number})
    seconds = time.perf_counter() - begun
    return Trial(sum(count_of[strip] for strip in chosen), kept, dict(left_out), buffer.getbuffer().nbytes, seconds)
