"""Commands that make data: cells, sites, tiles, what is kept of them."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from components.curator.config import CuratorConfig
from components.sampler.config import CellsConfig, SamplerConfig
from components.tiler.config import TilerConfig
from eartheye.wording import counted
from services.cli.inputs import catalogue_of

if TYPE_CHECKING:
    from components.tiler.forecast import TilesForecast


def cells(
    data: Path, cells: str, *, catalogue: Path | None = None, config: Annotated[CellsConfig, Parameter(name="*")] = CellsConfig()
) -> None:
    """Describe the cells of the equal-area grid: land-cover shares, elevation and region of each.

    Example: `eartheye cells runs/world runs/cells`

    Parameters
    ----------
    data
        Data folder.
    cells
        The folder to make.
    catalogue
        Where the data folder holds no `catalogue.yaml` of its own.
    """
    from components.sampler.run import aggregate_cells
    from eartheye.store import Folder

    made = aggregate_cells(str(data), catalogue_of(data, catalogue), config, Folder(cells))
    print(f"{counted(made.count, 'cell')} of {made.cell_km} km in {counted(len(made.regions), 'region')} in {cells}")


def sample(cells: str, sites: str, *, dry_run: bool = False, config: Annotated[SamplerConfig, Parameter(name="*")]) -> None:
    """Draw sites from cells, stratified by region, land cover and elevation: equation (1) of the CG-EarthEye report.

    Example: `eartheye sample runs/cells runs/sites --target-sites 48 --class-ratio.built-up 0.4`

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

    if dry_run:
        plan = plan_sites(Folder(cells), config, Folder(sites))
        verb = "drawn already" if plan.finished else "would be drawn"
        count = f"{counted(plan.sites, 'site')} of {counted(plan.strata, 'stratum', 'strata')}"
        print(f"{count} {verb} from {counted(plan.cells, 'cell')} into {sites}; nothing was written")
        return
    drawn = sample_sites(Folder(cells), config, Folder(sites))
    print(f"{counted(drawn.count, 'site')} of {counted(drawn.strata, 'stratum', 'strata')} in {sites}")


def tile(
    data: Path,
    tiles: str,
    *,
    sites: str | None = None,
    catalogue: Path | None = None,
    dry_run: bool = False,
    config: Annotated[TilerConfig, Parameter(name="*")] = TilerConfig(),
) -> None:
    """Cut tiles and masks: at the sites, over scenes that are covered whole, and from image folders. What is rejected is listed, and why.

    Example: `eartheye tile runs/world runs/tiles --sites runs/sites --chip-px 518`

    Parameters
    ----------
    data
        Data folder.
    tiles
        The folder to make.
    sites
        The folder of the sites; left out, only covered scenes and image folders are cut.
    catalogue
        Where the data folder holds no `catalogue.yaml` of its own.
    dry_run
        Only count what would be cut, try a few tiles for size and time, and write nothing.
    """
    from components.tiler.forecast import forecast_tiles
    from components.tiler.run import cut_tiles
    from eartheye.store import Folder

    given = str(data), catalogue_of(data, catalogue), Folder(sites) if sites else None, config, Folder(tiles)
    if dry_run:
        forecast = forecast_tiles(*given)
        print(f"{told_of(forecast) if forecast else 'all tiles are cut'}; in {tiles} nothing was written")
        return
    cut = cut_tiles(*given)
    print(f"{counted(cut.count, 'tile')} in {counted(len(cut.shards), 'shard')}, {cut.rejected:,} rejected, in {tiles}")


def curate(tiles: str, curated: str, *, config: Annotated[CuratorConfig, Parameter(name="*")] = CuratorConfig()) -> None:
    """Drop poor tiles, near duplicates and the excess of redundant scene types.

    Example: `eartheye curate runs/tiles runs/curated`

    Parameters
    ----------
    tiles
        The folder of the tiles.
    curated
        The folder to make.
    """
    from components.curator.run import curate as curate_tiles
    from eartheye.store import Folder

    kept = curate_tiles(Folder(tiles), config, Folder(curated))
    dropped = ", ".join(f"{count} {reason}" for reason, count in kept.dropped.items()) or "none"
    print(f"{counted(kept.kept, 'tile')} kept in {counted(kept.clusters, 'cluster')}; dropped: {dropped}; in {curated}")


def told_of(forecast: "TilesForecast") -> str:
    """Return the counts of what is to be cut."""
    from rich.filesize import decimal

    from components.tiler.merge import in_short

    took = dt.timedelta(seconds=round(forecast.seconds))
    rejected = (f"rejected of {forecast.tried} tried: {in_short(forecast.rejections)}",) if forecast.rejections else ()
    counts = (
        f"tiles at sites: {forecast.at_sites} (sites: {forecast.sites}, scenes: {forecast.scenes})",
        f"tiles over covered scenes: {forecast.over_scenes}",
        f"images to cut: {forecast.images}",
        f"parts: {forecast.parts} (done before: {forecast.done})",
        f"about {decimal(forecast.size_bytes)} and {took} (h:mm:ss)",
        *rejected,
    )
    return "; ".join(counts)
