"""The layers that a catalogue names, opened."""

from collections.abc import Iterator
from contextlib import contextmanager

import geopandas as gpd
import pyproj
import shapely

from components.sampler.cells import Layers, required
from components.sampler.outline import outline
from components.sampler.zones import Zones
from eartheye.contracts import Catalogue
from eartheye.contracts.catalogue import Regions
from eartheye.date_line import around_the_earth
from eartheye.errors import EmptyArea, InvalidCatalogue, MissingBulk, MissingCrs, UnreadableRaster
from eartheye.grid import EaseGrid
from eartheye.polygon_layer import read_polygon_layer
from eartheye.raster import open_scene
from eartheye.store import Bulk, Folder
from eartheye.telemetry import get_logger

log = get_logger("sampler")


def bulk_of(data: Folder, path: str) -> Bulk:
    """Return size and digest of a file that the catalogue names.

    Raises:
        InvalidCatalogue: it is not there.
    """
    try:
        return data.bulk(path)
    except MissingBulk:
        raise InvalidCatalogue(f"the catalogue names {path}, which is not in {data.root}: copy it there, or correct the path") from None


@contextmanager
def open_layers(
    data: Folder, catalogue: Catalogue, grid: EaseGrid, regions: gpd.GeoDataFrame, scenes: shapely.Geometry | None
) -> Iterator[Layers]:
    """Open what cells are described by, for the length of a block.

    Args:
        data: data folder.
        catalogue: what lies in it.
        grid: the grid of the cells.
        regions: as `read_regions` returns them.
        scenes: ground to which the area is narrowed, None for all that has land cover.

    Raises:
        EmptyArea: no land cover lies under the scenes, or none that the grid reaches.
        InvalidCatalogue: a layer lies around a pole.
        UnreadableRaster: land cover or elevation cannot be opened.
        MissingCrs: one of them does not say where on Earth it lies.
        WrongBands: one of them has more than one band.
    """
    cover, elevation, _ = required(catalogue)
    with (
        open_scene(f"{data.root}/{cover.path}", bands=("land cover",), crs=cover.crs) as land_cover,
        open_scene(f"{data.root}/{elevation.path}", bands=("elevation",), crs=elevation.crs) as heights,
    ):
        area = around_the_earth(outline(land_cover))
        area = area if scenes is None else shapely.intersection(area, scenes)
        if not area.area:
            raise EmptyArea(f"the scenes lie outside the land cover {cover.path}: give a land cover of their area")
        west, south, east, north = area.bounds
        try:
            window = grid.window(west, south, east, north)
        except ValueError:
            raise EmptyArea(
                f"the area, {south:.1f} to {north:.1f} degrees north, lies beyond the grid of the cells, which ends at 85 degrees: "
                f"give a land cover of other ground than {cover.path}"
            ) from None
        yield Layers(
            grid=grid,
            land_cover=land_cover,
            legend=cover.legend,
            elevation=heights,
            regions=Zones(grid, regions.geometry.to_numpy(), regions["number"].to_numpy()),
            area=Zones(grid, [area], [1]),
            window=window,
        )


def read_regions(data: Folder, entry: Regions) -> gpd.GeoDataFrame:
    """Return the regions on WGS84, with a number from 1 in the order of the file, and a name.

    Polygons of the same identifier and the same name are one region: public files give a placeholder to all regions that have none.

    Returns:
        Rows with `number`, `title` and the polygon.

    Raises:
        InvalidCatalogue: the file is not there, is no layer of polygons or lacks a column.
        MissingCrs: it does not say where on Earth it lies.
        EmptyArea: it has no polygon.
    """
    read = read_polygon_layer(data.local(bulk_of(data, entry.path)), pyproj.CRS("EPSG:4326"), entry.path)
    if missing := {entry.id, entry.name} - set(read.columns):
        columns = ", ".join(str(column) for column in read.columns)
        raise InvalidCatalogue(f"{entry.path} has no column {', '.join(sorted(missing))}, it has {columns}: correct `regions`")
    if read.empty:
        raise EmptyArea(f"{entry.path} has no polygon: give the regions of the area")
    name = read[entry.name].fillna(read[entry.id]).astype(str)
    number = read[entry.id].astype(str).str.cat(name, sep="\n").factorize()[0] + 1
    return gpd.GeoDataFrame({"number": number, "title": name.to_numpy()}, geometry=read.geometry.to_numpy(), crs=read.crs)


def ground_of_scenes(data: Folder, catalogue: Catalogue) -> shapely.Geometry:
    """Return the union of the footprints of the scenes that are cut at sites; one that cannot be opened is told of and left out.

    Raises:
        EmptyArea: there is no such scene.
    """
    footprints = []
    for entry in catalogue.scenes:
        if entry.cut != "sites":
            continue
        try:
            with open_scene(f"{data.root}/{entry.path}", crs=entry.crs) as scene:
                footprints.append(around_the_earth(outline(scene)))
        except (UnreadableRaster, MissingCrs) as error:
            log.warning("scene left out of the sampling area", scene=entry.path, reason=str(error))
    if not footprints:
        raise EmptyArea(f"the catalogue '{catalogue.title}' has no readable scene with cut: sites: add one, or sample `area: land`")
    return shapely.union_all(footprints)
