"""Commands that make data: cells, sites, tiles, what is kept of them."""

import math
from typing import Annotated

from cyclopts import Parameter

from components.curator.config import CuratorConfig
from components.sampler.config import CellsConfig, SamplerConfig
from components.tiler.config import TilerConfig
from eartheye.wording import counted
from services.cli import forecasts
from services.cli.inputs import catalogue_of


def cells(
    data: str,
    cells: str,
    *,
    catalogue: str | None = None,
    dry_run: bool = False,
    config: Annotated[CellsConfig, Parameter(name="*")] = CellsConfig(),
) -> None:
    """Describe the cells of the equal-area grid: land-cover shares, elevation and region of each.

    Example: `eartheye cells runs/world runs/cells`, first with `--dry-run` for what would be done

    Parameters
    ----------
    data
        Path or URI of the data folder.
    cells
        The folder to make.
    catalogue
        Path or URI, where the data folder holds no `catalogue.yaml` of its own.
    dry_run
        Only count the cells, describe a few for size and time, and write nothing.
    """
    from components.sampler.forecast import forecast_cells
    from components.sampler.run import aggregate_cells
    from eartheye.contracts import read_catalogue
    from eartheye.store import Folder

    given = data, read_catalogue(catalogue_of(data, catalogue)), config, Folder(cells)
    if dry_run:
        forecasts.say(forecasts.of_cells(forecast_cells(*given)), cells)
        return
    made = aggregate_cells(*given)
    print(f"{counted(made.count, 'cell')} of {made.cell_km} km in {counted(len(made.regions), 'region')} in {cells}")


def sample(cells: str, sites: str, *, dry_run: bool = False, config: Annotated[SamplerConfig, Parameter(name="*")]) -> None:
    """Draw sites from cells, stratified by region, land cover and elevation: equation (1) of the CG-EarthEye report.

    Example: `eartheye sample runs/cells runs/sites --target-sites 48 --class-ratio.built-up 0.4 --class-ratio.grassland 0.05`, first with
    `--dry-run` for what would be done

    Parameters
    ----------
    cells
        The folder of the cells.
    sites
        The folder to make.
    dry_run
        Only count what would be drawn, and write nothing.
    """
    from components.sampler.run import plan_sites, sample_sites
    from eartheye.store import Folder

    total = config.class_ratio.total
    wanted = f"{config.target_sites:,} wanted" + ("" if math.isclose(total, 1) else f", the class ratios add up to {total:g}")
    if dry_run:
        plan = plan_sites(Folder(cells), config, Folder(sites))
        verb = "drawn already" if plan.finished else "would be drawn"
        count = f"{counted(plan.sites, 'site')} of {counted(plan.strata, 'stratum', 'strata')} ({wanted})"
        print(f"{count} {verb} from {counted(plan.cells, 'cell')} into {sites}; nothing was written")
        return
    drawn = sample_sites(Folder(cells), config, Folder(sites))
    print(f"{counted(drawn.count, 'site')} of {counted(drawn.strata, 'stratum', 'strata')} ({wanted}) in {sites}")


def tile(
    data: str,
    tiles: str,
    *,
    sites: str | None = None,
    catalogue: str | None = None,
    dry_run: bool = False,
    config: Annotated[TilerConfig, Parameter(name="*")] = TilerConfig(),
) -> None:
    """Cut tiles and masks: at the sites, over scenes that are covered whole, and from image folders. What is rejected is listed, and why.

    Example: `eartheye tile runs/world runs/tiles --sites runs/sites --chip-px 518`, first with `--dry-run` for what would be done

    Parameters
    ----------
    data
        Path or URI of the data folder.
    tiles
        The folder to make.
    sites
        The folder of the sites; left out, only covered scenes and image folders are cut.
    catalogue
        Path or URI, where the data folder holds no `catalogue.yaml` of its own.
    dry_run
        Only count what would be cut, try a few tiles for size and time, and write nothing.
    """
    from components.tiler.forecast import forecast_tiles
    from components.tiler.run import cut_tiles
    from eartheye.contracts import read_catalogue
    from eartheye.store import Folder

    given = data, read_catalogue(catalogue_of(data, catalogue)), Folder(sites) if sites else None, config, Folder(tiles)
    if dry_run:
        forecasts.say(forecasts.of_tiles(forecast_tiles(*given)), tiles)
        return
    cut = cut_tiles(*given)
    print(f"{counted(cut.count, 'tile')} in {counted(len(cut.shards), 'shard')}, {cut.rejected:,} rejected, in {tiles}")


def curate(
    tiles: str, curated: str, *, dry_run: bool = False, config: Annotated[CuratorConfig, Parameter(name="*")] = CuratorConfig()
) -> None:
    """Drop poor tiles, near duplicates and the excess of redundant scene types.

    Example: `eartheye curate runs/tiles runs/curated`, first with `--dry-run` for what would be done

    Parameters
    ----------
    tiles
        The folder of the tiles.
    curated
        The folder to make.
    dry_run
        Only count the tiles, look at a few for size and time, and write nothing.
    """
    from components.curator.forecast import forecast_curation
    from components.curator.run import curate as curate_tiles
    from eartheye.store import Folder

    given = Folder(tiles), config, Folder(curated)
    if dry_run:
        forecasts.say(forecasts.of_curation(forecast_curation(*given)), curated)
        return
    kept = curate_tiles(*given)
    dropped = ", ".join(f"{count} {reason}" for reason, count in kept.dropped.items()) or "none"
    print(f"{counted(kept.kept, 'tile')} kept in {counted(kept.clusters, 'cluster')}; dropped: {dropped}; in {curated}")
