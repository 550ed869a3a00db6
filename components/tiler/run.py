"""The tiling step: imagery, labels and sites in; tiles out."""

from collections.abc import Callable, Iterable, Iterator

from components.tiler.config import Share, TilerConfig
from components.tiler.merge import left_out, merge_parts
from components.tiler.part import TilePart, cut_part
from components.tiler.plan import Part
from components.tiler.reading import Reader
from components.tiler.sample import Sample
from components.tiler.tiling import PARTS, Tiling, identify, open_tiling
from eartheye.contracts import Catalogue, Tiles
from eartheye.errors import NotEnoughTiles, TargetTooLarge
from eartheye.store import Folder
from eartheye.telemetry import progress_of


def cut_tiles(data: str, catalogue: Catalogue, sites: Folder | None, config: TilerConfig, tiles: Folder) -> Tiles:
    """Cut tiles at sites, over scenes that are covered whole and from image folders, and the masks with them.

    What cannot be cut is in the index, with the reason. An interrupted run is taken up at the part where it stopped, and parts that other
    processes have cut by `cut_share` are taken as they are; a finished folder is returned as it is.

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
    made_from = identify(data, catalogue, sites, config)
    if done := Tiles.done(tiles, made_from):
        return done
    tiling = open_tiling(data, catalogue, sites, config, tiles, made_from)
    made = cut_parts(tiling, range(len(tiling.parts)))
    rejections = left_out(catalogue, tiling.found, tiling.sites, tiling.parts)
    try:
        return merge_parts(made, rejections, catalogue, tiling.found, config, tiles, made_from)
    except (NotEnoughTiles, TargetTooLarge):
        tiles.delete_all(PARTS)  # they hold no tile, and would stand in the way of another configuration
        raise


def share_out(data: str, catalogue: Catalogue, sites: Folder | None, config: TilerConfig, shares: int) -> list[Share]:
    """Share the cutting out among processes, each of which calls `cut_share`; `cut_tiles` then joins what they cut.

    Args:
        data: path or URI of the data folder.
        catalogue: what lies in it.
        sites: a finished folder of sites; None where no scene is cut at sites.
        config: how tiles are cut.
        shares: number of processes.

    Raises:
        UserError: as `cut_tiles` does before it looks at the imagery.
    """
    made_from = identify(data, catalogue, sites, config)
    return [Share(made_from=made_from, number=number, shares=shares) for number in range(shares)]


def cut_share(data: str, catalogue: Catalogue, sites: Folder | None, config: TilerConfig, tiles: Folder, share: Share) -> None:
    """Cut the parts of one share; those that are done already stay.

    Args:
        data: path or URI of the data folder.
        catalogue: what lies in it.
        sites: a finished folder of sites; None where no scene is cut at sites.
        config: how tiles are cut.
        tiles: where they go.
        share: which parts.

    Raises:
        UserError: as `cut_tiles` does; that nothing can be cut is told by `cut_tiles` alone.
    """
    if not Tiles.done(tiles, share.made_from):
        tiling = open_tiling(data, catalogue, sites, config, tiles, share.made_from)
        cut_parts(tiling, range(share.number, len(tiling.parts), share.shares))


def cut_parts(tiling: Tiling, numbers: Iterable[int]) -> list[tuple[Folder, TilePart]]:
    """Cut those of the numbered parts that are still to be cut; returns folder and manifest of each."""
    wanted = {number: tiling.done(number) for number in numbers}
    reader = Reader(tiling.data, tiling.catalogue, tiling.found, tiling.config)
    tiles = {number: tiling.parts[number].tiles for number in wanted}
    made = []
    with progress_of("cutting tiles", sum(tiles.values()), sum(tiles[number] for number, done in wanted.items() if done)) as advance:
        for number, done in wanted.items():
            folder = tiling.folder_of(number)
            if done is None:
                samples = _counted(reader.read(tiling.parts[number]), tiling.parts[number], advance)
                done = cut_part(samples, tiling.bands, tiling.config, folder, tiling.digest_of(number))
            made.append((folder, done))
    return made


def _counted(samples: Iterator[Sample], part: Part, advance: Callable[..., None]) -> Iterator[Sample]:
    """Pass samples on and count them; an image gives several, but is counted once."""
    counted = 0
    for sample in samples:
        if counted < part.tiles:
            advance()
            counted += 1
        yield sample
