"""Labels on the pixels of a tile: class rasters and polygons on its grid, colour masks beside its image."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import PurePosixPath

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.features import rasterize

from components.tiler.images import read_image
from components.tiler.sample import Grid
from components.tiler.survey import SceneFacts
from eartheye.contracts import Catalogue, ClassSpec
from eartheye.contracts.catalogue import ImagesEntry, MaskLabels, RasterLabels, SceneEntry, VectorLabels
from eartheye.date_line import at_each_turn
from eartheye.errors import InvalidCatalogue, UnreadableRaster, WrongBands
from eartheye.polygon_layer import read_polygon_layer
from eartheye.raster import Scene, open_scene, read_on_grid
from eartheye.store import Folder
from eartheye.telemetry import get_logger

log = get_logger("tiler")
RGB = ("red", "green", "blue")
POLYGON_DIMENSIONS = 2


class Truth:
    """The labels of a data folder; opened once for a part, by one thread.

    Args:
        data: the data folder.
        catalogue: what lies in it.
        files: closes what is opened here.
    """

    def __init__(self, data: Folder, catalogue: Catalogue, files: ExitStack) -> None:
        self._data = data
        self._files = files
        self._labels = catalogue.labels
        self._rasters: dict[str, Scene] = {}
        self._polygons: dict[tuple[str, CRS], NDArray[np.object_]] = {}
        self._unlabelled: Counter[tuple[str, str]] = Counter()

    def on_grid(self, entry: SceneEntry, grid: Grid, valid: NDArray[np.bool_]) -> dict[str, NDArray[np.uint8]]:
        """Return the masks of a tile of a scene, by label set; one without a labelled pixel is left out.

        Args:
            entry: the scene.
            grid: of the tile.
            valid: (H, W), where the tile has data: nothing else is labelled.
        """
        masks = {}
        for labels in self._labels:
            if isinstance(labels, RasterLabels) and (labels.scenes is None or entry.path in labels.scenes):
                masks[labels.name] = self._from_raster(labels, grid)
            elif isinstance(labels, VectorLabels) and labels.scene == entry.path:
                masks[labels.name] = self._from_polygons(labels, grid)
        masks = {name: np.where(valid, mask, 0).astype(np.uint8) for name, mask in masks.items()}
        return {name: mask for name, mask in masks.items() if mask.any()}

    def of_image(self, entry: ImagesEntry, name: str, shape: tuple[int, int]) -> dict[str, NDArray[np.uint8]]:
        """Return the masks (H, W) of a whole image, by label set.

        Args:
            entry: the image folder.
            name: of the image in the data folder.
            shape: height and width of the image.
        """
        masks = {}
        for labels in self._labels:
            if isinstance(labels, MaskLabels) and labels.images == entry.path:
                mask = self._from_colours(labels, name, shape)
                if mask is not None and mask.any():
                    masks[labels.name] = mask
        return masks

    def warn(self) -> None:
        """Tell, once for a part, what could not be labelled."""
        for (labels, what), count in sorted(self._unlabelled.items()):
            log.warning("left unlabelled", labels=labels, what=what, count=count)

    def _from_raster(self, labels: RasterLabels, grid: Grid) -> NDArray[np.uint8]:
        if labels.name not in self._rasters:
            self._rasters[labels.name] = self._files.enter_context(open_scene(f"{self._data.root}/{labels.path}", crs=labels.crs))
        mask, unknown = read_classes(self._rasters[labels.name], labels.classes, grid)
        if unknown:
            self._unlabelled[labels.name, "pixels with a code that no class has"] += unknown
        return mask

    def _from_polygons(self, labels: VectorLabels, grid: Grid) -> NDArray[np.uint8]:
        if (labels.name, grid.crs) not in self._polygons:
            self._polygons[labels.name, grid.crs] = read_polygons(self._data, labels, grid.crs)
        polygons = self._polygons[labels.name, grid.crs]
        inside = polygons[shapely.intersects(polygons, _outline(grid))]
        mask = np.full((grid.height, grid.width), labels.background.value, np.uint8)
        if len(inside):
            rasterize(inside, out=mask, transform=grid.transform, default_value=labels.foreground.value)
        return mask

    def _from_colours(self, labels: MaskLabels, name: str, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
        path = mask_path(labels, name)
        if not self._data.exists(path) or path == name:
            self._unlabelled[labels.name, "images without a mask"] += 1
            return None
        try:
            colours, _ = read_image(f"{self._data.root}/{path}", RGB)
        except (UnreadableRaster, WrongBands) as error:
            self._unlabelled[labels.name, f"masks that cannot be read, as {error}"] += 1
            return None
        if colours.shape[1:] != shape:
            self._unlabelled[labels.name, "masks of another size than their image"] += 1
            return None
        mask, unknown = classes_of(colours, labels.classes)
        if unknown:
            self._unlabelled[labels.name, "pixels of a colour that no class has"] += unknown
        return mask


def read_classes(raster: Scene, classes: Sequence[ClassSpec], grid: Grid) -> tuple[NDArray[np.uint8], int]:
    """Return the class values of a class raster on a grid, and how many pixels have a code of no class.

    Args:
        raster: in any reference system; its first band holds the codes.
        classes: each with its code.
        grid: of height H and width W.

    Returns:
        (H, W) values, 0 for no data and a code of no class; the number of pixels with such a code.
    """
    (codes,), has_data = read_on_grid(raster, grid.crs, grid.transform, grid.height, grid.width, Resampling.nearest, raster.bands[:1])
    known = np.isin(codes, [spec.value for spec in classes])
    return np.where(known & has_data, codes, 0).astype(np.uint8), int((has_data & ~known & (codes != 0)).sum())


def mask_path(labels: MaskLabels, image: str) -> str:
    """Return where the mask of an image lies, in the data folder."""
    return str(PurePosixPath(image.replace(*labels.find, 1)).with_suffix(".png"))


def read_polygons(data: Folder, labels: VectorLabels, crs: CRS) -> NDArray[np.object_]:
    """Return the labels' polygons in a reference system; where that has longitudes, at each turn around the Earth.

    Raises:
        InvalidCatalogue: the file holds no layer of polygons.
        MissingCrs: it does not say where on Earth its polygons lie.
    """
    path = data.local(data.bulk(labels.path))
    layer = read_polygon_layer(path, pyproj.CRS.from_wkt(crs.to_wkt()), f"{data.root}/{labels.path}")
    parts = shapely.get_parts(shapely.make_valid(layer.geometry.to_numpy()))
    polygons = parts[shapely.get_dimensions(parts) == POLYGON_DIMENSIONS]  # a ring that folds back on itself leaves a line, too
    if crs.is_geographic:  # a scene may go on beyond 180 degrees, or count from 0 to 360
        polygons = np.concatenate(at_each_turn(polygons))
    return polygons


def classes_of(colours: NDArray[np.uint8], classes: tuple[ClassSpec, ...]) -> tuple[NDArray[np.uint8], int]:
    """Return the class values of a colour mask, and how many pixels have a colour of no class, as those of smoothed edges do.

    Args:
        colours: (3, H, W), red, green and blue.
        classes: each with its colour.

    Returns:
        (H, W) values, 0 for a colour of no class; the number of such pixels.
    """
    red, green, blue = colours.astype(np.uint32)
    code = red << 16 | green << 8 | blue
    wanted = np.array([int(spec.colour.removeprefix("#"), 16) for spec in classes], np.uint32)
    order = np.argsort(wanted)
    place = order[np.minimum(np.searchsorted(wanted, code, sorter=order), len(wanted) - 1)]
    known = wanted[place] == code
    values = np.array([spec.value for spec in classes], np.uint8)[place]
    return np.where(known, values, 0).astype(np.uint8), int((~known).sum())


def check_polygons(data: Folder, catalogue: Catalogue, scenes: dict[int, SceneFacts]) -> None:
    """Refuse polygons that all lie beside the scene they are said to be of: every tile would be labelled background.

    Raises:
        InvalidCatalogue: no polygon meets its scene, or the file holds no layer of polygons.
        MissingCrs: the file does not say where on Earth its polygons lie.
    """
    for labels in catalogue.labels:
        if not isinstance(labels, VectorLabels):
            continue
        for number, facts in scenes.items():
            if catalogue.scenes[number].path != labels.scene:
                continue
            ground = _outline(Grid(facts.crs, facts.transform, facts.height, facts.width))
            if not shapely.intersects(read_polygons(data, labels, facts.crs), ground).any():
                raise InvalidCatalogue(f"no polygon of {labels.path} lies on {labels.scene}: give the labels of this scene")


def _outline(grid: Grid) -> shapely.Polygon:
    """Return the outline of a grid in its own reference system."""
    corners = ((0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height))
    return shapely.Polygon([grid.transform @ np.array(corner) for corner in corners])
