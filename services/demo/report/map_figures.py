"""Pictures of a map beside its scene and the truth; each function returns a PNG."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio
import shapely
from affine import Affine
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize

from components.evaluator.pictures import stretch
from components.tiler.sample import Grid
from components.tiler.truth import read_classes
from eartheye.contracts import ClassSpec
from eartheye.raster import Scene
from services.demo.report.figures import colourise, png
from services.demo.report.scale import scale_bar

OVERVIEW_PX = 900
STRIP_ROWS = 64
MOST_PIECES = 4
"""Pieces of unseen ground that are pictured, the largest first."""
MARGIN = 0.04
"""Around a piece, part of its width."""
RIGHT, WRONG, MISSED = "#00c78c", "#ff7f2a", "#4da6ff"
"""Outlines of polygons that agree, of those the truth lacks, and of those the map lacks; also for eyes that do not tell red from green."""


@dataclass(frozen=True)
class MappedScene:
    """Overviews of a scene and of its map, on one grid."""

    picture: NDArray[np.uint8]
    """(H, W, 3) the scene."""
    classes: NDArray[np.uint8]
    """(H, W) the map."""
    transform: Affine
    """Of the overview."""
    crs: CRS
    metres_per_px: float

    @property
    def extent(self) -> shapely.Polygon:
        """The map's ground; its grid is not rotated."""
        height, width = self.classes.shape
        return shapely.box(*(self.transform @ (0, height)), *(self.transform @ (width, 0)))


def read_overview(scene: str, class_map: str, channels: Sequence[int], gsd_m: float) -> MappedScene:
    """Read a map and its scene, no larger than `OVERVIEW_PX` on a side where they are much larger.

    Args:
        scene: the raster that was mapped.
        class_map: its class map, on a window of the scene's grid.
        channels: band numbers, from 1, to show of the scene.
        gsd_m: of the scene.
    """
    with rasterio.open(class_map) as mapped:
        step = max(1, max(mapped.height, mapped.width) // OVERVIEW_PX)
        shape = (mapped.height // step, mapped.width // step)
        bounds, crs = mapped.bounds, mapped.crs
        transform = mapped.transform @ Affine.scale(mapped.width / shape[1], mapped.height / shape[0])
        classes = mapped.read(1, out_shape=shape)
    with rasterio.open(scene) as opened:
        window = opened.window(*bounds)
        pixels = opened.read(list(channels), window=window, out_shape=(len(channels), *shape), boundless=True)
        valid = opened.read_masks(1, window=window, out_shape=shape, boundless=True) > 0
    return MappedScene(stretch(pixels, valid), classes, transform, crs, gsd_m * step)


def read_truth(truth: Scene, classes: Sequence[ClassSpec], overview: MappedScene) -> NDArray[np.uint8]:
    """Read a class raster, in any reference system, on the grid of an overview, (H, W); a strip at a time, for it is read at full size."""
    height, width = overview.classes.shape
    shown = np.zeros((height, width), np.uint8)
    for row in range(0, height, STRIP_ROWS):
        strip = shown[row : row + STRIP_ROWS]
        grid = Grid(overview.crs, overview.transform @ Affine.translation(0, row), *strip.shape)
        strip[:], _ = read_classes(truth, classes, grid)
    return shown


def burn_truth(polygons: NDArray[np.object_], background: int, foreground: int, overview: MappedScene) -> NDArray[np.uint8]:
    """Return polygons as a class raster on the grid of an overview."""
    burnt = np.full(overview.classes.shape, background, np.uint8)
    if len(polygons):
        rasterize(polygons, out=burnt, transform=overview.transform, default_value=foreground)
    return burnt


def map_beside_scene(
    overview: MappedScene, truth: NDArray[np.uint8] | None, classes: Sequence[ClassSpec], unseen: shapely.Geometry
) -> bytes:
    """Draw a scene, its map and, where there is one, the truth of the same ground.

    Args:
        overview: scene and map.
        truth: (H, W) class values on the same grid.
        classes: of the map.
        unseen: ground to outline, in the scene's reference system; empty for none.
    """
    panels = [("scene", overview.picture), ("map", colourise(overview.classes, classes))]
    if truth is not None:
        panels.append(("truth", colourise(truth, classes)))
    figure, axes = plt.subplots(1, len(panels), figsize=(3.9 * len(panels), 4.6), squeeze=False, layout="constrained")
    for panel, (name, picture) in zip(axes[0], panels, strict=True):
        panel.imshow(picture, interpolation="nearest")
        panel.set_title(name)
        panel.axis("off")
        outline(panel, np.asarray(shapely.get_parts(unseen)), overview, "white", linewidth=3.2)
        outline(panel, np.asarray(shapely.get_parts(unseen)), overview, "black", linewidth=1.4, dashed=True)
    scale_bar(axes[0, 0], overview.metres_per_px)
    legend: list[Patch | Line2D] = [Patch(facecolor=spec.colour, edgecolor="#555555", label=spec.name) for spec in classes]
    if not unseen.is_empty:
        legend.append(Line2D([], [], color="black", linestyle="--", label="unseen ground"))
    figure.legend(handles=legend, loc="outside lower center", ncols=min(len(legend), 8), frameon=False)
    return png(figure)


def polygons_beside_truth(
    overview: MappedScene,
    unseen: shapely.Geometry,
    found: NDArray[np.object_],
    is_right: NDArray[np.bool_],
    truth: NDArray[np.object_],
    is_found: NDArray[np.bool_],
) -> bytes:
    """Draw pieces of unseen ground: the scene, with the polygons of the map, with those of the truth.

    Args:
        overview: of the scene.
        unseen: the ground, one piece or more.
        found: (N,) polygons of the map on it.
        is_right: (N,) whether the truth has them.
        truth: (M,) true polygons on it.
        is_found: (M,) whether the map has them.
    """
    pieces = sorted(shapely.get_parts(unseen), key=lambda piece: -piece.area)[:MOST_PIECES]
    figure, axes = plt.subplots(len(pieces), 3, figsize=(11.4, 3.9 * len(pieces)), squeeze=False, layout="constrained")
    for line, piece in zip(axes, pieces, strict=True):
        corners = shapely.bounds(shapely.transform(piece, lambda places: np.stack(~overview.transform @ places.T, axis=-1)))
        left, top, right, bottom = corners
        margin = MARGIN * (right - left)
        for panel in line:
            panel.imshow(overview.picture, interpolation="nearest")
            panel.set(xlim=(left - margin, right + margin), ylim=(bottom + margin, top - margin), xticks=[], yticks=[])
            outline(panel, np.asarray([piece]), overview, "white", linewidth=1.0, dashed=True)
        scale_bar(line[0], overview.metres_per_px)
        outline(line[1], found[~is_right], overview, WRONG)
        outline(line[1], found[is_right], overview, RIGHT)
        outline(line[2], truth[~is_found], overview, MISSED)
        outline(line[2], truth[is_found], overview, RIGHT)
    for panel, title in zip(axes[0], ("scene", "polygons of the map", "polygons of the truth"), strict=True):
        panel.set_title(title)
    words = ((RIGHT, "in both"), (WRONG, "in the map alone"), (MISSED, "in the truth alone"), ("#aaaaaa", "edge of the unseen ground"))
    legend = [
        Line2D([], [], color=colour, linewidth=2, linestyle="--" if colour == "#aaaaaa" else "-", label=name) for colour, name in words
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=len(legend), frameon=False)
    return png(figure)


def outline(
    axes: Axes, polygons: NDArray[np.object_], overview: MappedScene, colour: str, *, linewidth: float = 1.8, dashed: bool = False
) -> None:
    """Draw the borders of polygons, in the scene's reference system, onto an overview."""
    axes.autoscale(False)
    for ring in shapely.get_parts(shapely.boundary(polygons)):
        columns, rows = ~overview.transform @ shapely.get_coordinates(ring).T
        axes.plot(columns - 0.5, rows - 0.5, color=colour, linewidth=linewidth, linestyle="--" if dashed else "-", zorder=4)
