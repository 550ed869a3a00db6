"""Commands that make data: cells, sites, tiles, what is kept of them."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from components.curator.config import CuratorConfig
from components.sampler.config import CellsConfig, SamplerConfig
from components.tiler.config import TilerConfig
from services.cli.inputs import catalogue_of


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
    print(f"{made.count} cells of {made.cell_km} km in {len(made.regions)} regions in {cells}")


def sample(cells: str, sites: str, *, config: Annotated[SamplerConfig, Parameter(name="*")]) -> None:
    """Draw sites from cells, stratified by region, land cover and elevation: equation (1) of the CG-EarthEye report.

    Example: `eartheye sample runs/cells runs/sites --target-sites 48 --class-ratio.built-up 0.4`

    Parameters
    ----------
    cells
        The folder of the cells.
    sites
        The folder to make.
    """
    from components.sampler.run import sample_sites
    from eartheye.store import Folder

    drawn = sample_sites(Folder(cells), config, Folder(sites))
    print(f"{drawn.count} sites of {drawn.strata} strata in {sites}")


def tile(
    data: Path,
    tiles: str,
    *,
    sites: str | None = None,
    catalogue: Path | None = None,
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
    """
    from components.tiler.run import cut_tiles
    from eartheye.store import Folder

    cut = cut_tiles(str(data), catalogue_of(data, catalogue), Folder(sites) if sites else None, config, Folder(tiles))
    print(f"{cut.count} tiles in {len(cut.shards)} shards, {cut.rejected} rejected, in {tiles}")


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
    print(f"{kept.kept} tiles kept in {kept.clusters} clusters; dropped: {dropped}; in {curated}")
