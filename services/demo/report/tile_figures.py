"""Pictures of tiles; each function returns a PNG."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from components.evaluator.pictures import stretch
from eartheye.contracts import LabelSet
from eartheye.raster import select_bands
from eartheye.tiles import TileSet
from services.demo.report.figures import colourise, png
from services.demo.report.scale import scale_bar

MOST_PANELS = 6
"""In a line."""


def contact_sheet(tiles: TileSet, index: pd.DataFrame, labels: LabelSet | None = None, lines: int = 4) -> bytes:
    """Draw some sites: a panel for each acquisition, then the mask; as many sites in a line as there is room for.

    Args:
        tiles: the tiles.
        index: rows of their index to choose from; sites of many acquisitions come first, spread over the index.
        labels: the masks to show; every tile of `index` has one.
        lines: of sites.
    """
    per_site = index.groupby("site").size()
    richest = per_site.index[per_site == per_site.max()]
    panels = int(per_site.max()) + (labels is not None)
    across = min(max(1, MOST_PANELS // panels), len(richest))
    count = min(lines * across, len(richest))
    chosen = richest[np.unique(np.linspace(0, len(richest) - 1, count).astype(int))]
    figure, axes = plt.subplots(
        -(-len(chosen) // across),
        panels * across,
        figsize=(1.75 * panels * across, 1.95 * -(-len(chosen) // across)),
        squeeze=False,
        layout="constrained",
    )
    for panel in axes.flat:
        panel.axis("off")
    for place, site in enumerate(chosen):
        line = axes[place // across, place % across * panels :][:panels]
        of_site = index[index["site"] == site].sort_values("acquired")
        titles = [quarter or acquired or "" for quarter, acquired in zip(of_site["quarter"], of_site["acquired"], strict=True)]
        draw_tiles(line, tiles, of_site["tile"].tolist(), titles)
        if labels is not None:
            line[-1].imshow(colourise(tiles.mask(of_site["tile"].iloc[0], labels.name), labels.classes), interpolation="nearest")
            line[-1].set_title("mask", fontsize=8)
    if labels is not None:
        patches = [Patch(facecolor=spec.colour, edgecolor="#555555", label=spec.name) for spec in labels.classes]
        patches.append(Patch(facecolor="white", edgecolor="#555555", label="not labelled"))
        figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), MOST_PANELS), frameon=False, fontsize=8)
    return png(figure)


def gallery(tiles: TileSet, index: pd.DataFrame, columns: int = 7, lines: int = 3) -> bytes:
    """Draw some tiles side by side: where they have labels, one of each; else spread over the index.

    Args:
        tiles: the tiles.
        index: rows of their index to choose from.
        columns: tiles in a line.
        lines: of tiles.
    """
    candidates = index.drop_duplicates("label") if index["label"].notna().any() else index
    count = min(columns * lines, len(candidates))
    chosen = candidates.iloc[np.linspace(0, len(candidates) - 1, count).astype(int)]
    columns, lines = min(columns, count), -(-count // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(2.0 * columns, 2.2 * lines), squeeze=False, layout="constrained")
    for panel in axes.flat:
        panel.axis("off")
    draw_tiles(axes.ravel(), tiles, chosen["tile"].tolist(), [label or "" for label in chosen["label"]])
    return png(figure)


def draw_tiles(panels: NDArray[np.object_], tiles: TileSet, numbers: Sequence[int], titles: Sequence[object]) -> None:
    """Draw tiles into the first panels, each with a bar where its scale is known."""
    for panel, tile, title in zip(panels[: len(numbers)], numbers, titles, strict=True):
        draw_tile(panel, tiles, tile)
        panel.set_title(str(title), fontsize=8)


def draw_tile(panel: Axes, tiles: TileSet, tile: int) -> None:
    """Draw a tile, with a bar where its scale is known."""
    panel.imshow(displayable(tiles, tile))
    gsd_m = tiles.sensor(tile).gsd_m
    if gsd_m is not None:
        scale_bar(panel, gsd_m)


def displayable(tiles: TileSet, tile: int) -> NDArray[np.uint8]:
    """Return the network's channels of a tile as a picture, (H, W, 3): bytes as they are, other types stretched."""
    pixels, valid = tiles.image(tile)
    sensor = tiles.sensors[str(tiles.index["sensor"].iat[tile])]
    return stretch(pixels[select_bands(sensor.bands, sensor.channels)], valid)
