"""The report's pictures; each function returns a PNG."""

import io
from collections.abc import Sequence

import geopandas
import matplotlib as mpl
import numpy as np
import pandas as pd
import rasterio
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from eartheye.contracts import LAND_CLASSES, ClassSpec, LabelSet
from eartheye.raster import select_bands
from eartheye.tiles import TileSet

mpl.use("Agg")
LAND_COLOURS = ("#1b7837", "#a6d96a", "#e6b800", "#2b83ba", "#80cdc1", "#d7301f", "#969696")
OVERVIEW_PX = 900
MANY_CELLS = 20_000
"""More than these are painted, for single marks would be smaller than a pixel."""


def png(figure: Figure) -> bytes:
    """Return a figure as PNG, and forget it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def sites_map(cells: pd.DataFrame, sites: geopandas.GeoDataFrame, regions: geopandas.GeoDataFrame | None, cell_km: int) -> bytes:
    """Draw the cells by land cover, the regions' borders and the drawn sites."""
    figure, axes = plt.subplots(figsize=(11, 6.2))
    spread = max(np.ptp(cells["lon"]), np.ptp(cells["lat"]), 1e-6)
    size = max(0.4, min(60.0, (420 * cell_km / 111 / spread) ** 2))
    if len(cells) > MANY_CELLS:
        paint_cells(axes, cells)
    else:
        colours = [LAND_COLOURS[number - 1] for number in cells["land_class"]]
        axes.scatter(cells["lon"], cells["lat"], s=size, marker="s", linewidths=0, c=colours, alpha=0.55)
    if regions is not None:
        regions.boundary.plot(ax=axes, color="#333333", linewidth=0.15 if len(regions) > 50 else 1.0)
    axes.scatter(
        sites.geometry.x, sites.geometry.y, s=max(2.0, min(24.0, size / 3)), color="black", edgecolors="white", linewidths=0.4, zorder=3
    )
    west, east = cells["lon"].min(), cells["lon"].max()
    south, north = cells["lat"].min(), cells["lat"].max()
    axes.set(xlim=(west - 0.03 * spread, east + 0.03 * spread), ylim=(south - 0.03 * spread, north + 0.03 * spread))
    axes.set_aspect(1 / np.cos(np.radians((south + north) / 2)) if spread < 20 else 1)
    axes.set(xlabel="longitude, degrees", ylabel="latitude, degrees")
    axes.set_title(f"{len(sites):,} sites of {len(cells):,} cells ({cell_km} km)")
    legend = [Patch(color=colour, label=name) for name, colour in zip(LAND_CLASSES, LAND_COLOURS, strict=True)]
    axes.legend(handles=legend, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return png(figure)


def paint_cells(axes: Axes, cells: pd.DataFrame) -> None:
    """Paint cells, more than an eye can tell apart, into a picture of 1200 columns: of those that share a pixel the last is seen."""
    west, east, south, north = cells["lon"].min(), cells["lon"].max(), cells["lat"].min(), cells["lat"].max()
    width = 1200
    height = max(2, int(width * (north - south) / (east - west)))
    columns = ((cells["lon"] - west) / (east - west) * (width - 1)).to_numpy(int)
    rows = ((north - cells["lat"]) / (north - south) * (height - 1)).to_numpy(int)
    picture = np.ones((height, width, 3))
    picture[rows, columns] = np.array([to_rgb(colour) for colour in LAND_COLOURS])[cells["land_class"].to_numpy(int) - 1]
    axes.imshow(picture, extent=(west, east, south, north), interpolation="nearest", alpha=0.7)


def contact_sheet(tiles: TileSet, index: pd.DataFrame, labels: LabelSet | None = None, rows: int = 6) -> bytes:
    """Draw some sites: a row each, a column for each acquisition, then the mask.

    Args:
        tiles: the tiles.
        index: rows of their index to choose from; sites of many acquisitions come first, spread over the index.
        labels: the masks to show; every tile of `index` has one.
        rows: sites to show.
    """
    per_site = index.groupby("site").size()
    richest = per_site.index[per_site == per_site.max()]
    chosen = richest[np.unique(np.linspace(0, len(richest) - 1, min(rows, len(richest))).astype(int))]
    columns = int(per_site.max()) + (labels is not None)
    figure, axes = plt.subplots(len(chosen), columns, figsize=(2.1 * columns, 2.2 * len(chosen)), squeeze=False)
    for line, site in zip(axes, chosen, strict=True):
        of_site = index[index["site"] == site].sort_values("acquired")
        for panel, row in zip(line, of_site.itertuples(), strict=False):
            panel.imshow(displayable(tiles, row.tile))
            panel.set_title(row.quarter or row.acquired or row.sensor, fontsize=8)
        if labels is not None:
            line[-1].imshow(colourise(tiles.mask(of_site["tile"].iloc[0], labels.name), labels.classes), interpolation="nearest")
            line[-1].set_title("mask", fontsize=8)
    for panel in axes.flat:
        panel.axis("off")
    figure.tight_layout(pad=0.4, h_pad=1.4)
    return png(figure)


def displayable(tiles: TileSet, tile: int) -> NDArray[np.uint8]:
    """Return the network's channels of a tile, stretched between the 2nd and the 98th percentile, (H, W, 3)."""
    pixels, valid = tiles.image(tile)
    sensor = tiles.sensors[str(tiles.index["sensor"].iat[tile])]
    return stretch(pixels[select_bands(sensor.bands, sensor.channels)], valid)


def stretch(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Stretch (C, H, W) pixels of any type to an RGB picture; one band becomes grey, what is not valid black."""
    rgb = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels[:3]
    if pixels.dtype != np.uint8 and valid.any():
        low, high = np.percentile(rgb[:, valid], (2, 98))
        rgb = np.clip((rgb.astype(np.float32) - low) / max(high - low, 1e-6) * 255, 0, 255)
    return np.where(valid, rgb, 0).astype(np.uint8).transpose(1, 2, 0)


def colourise(mask: NDArray[np.uint8], classes: Sequence[ClassSpec]) -> NDArray[np.uint8]:
    """Paint a class mask in the classes' colours, (H, W, 3); 0 is white."""
    table = np.full((256, 3), 255, np.uint8)
    for spec in classes:
        table[spec.value] = np.round(np.array(to_rgb(spec.colour)) * 255)
    return table[mask]


def map_beside_scene(scene: str, class_map: str, truth: str | None, classes: Sequence[ClassSpec], channels: Sequence[int]) -> bytes:
    """Draw overviews of a scene, its map and, where there is one, the truth of the same ground.

    Args:
        scene: the raster that was mapped.
        class_map: its class map, on a window of the scene's grid.
        truth: class raster in the same reference system.
        classes: of the map.
        channels: band numbers, from 1, to show of the scene.
    """
    with rasterio.open(class_map) as mapped:
        step = max(1, max(mapped.height, mapped.width) // OVERVIEW_PX)
        shape = (mapped.height // step, mapped.width // step)
        bounds = mapped.bounds
        panels = [("map", colourise(mapped.read(1, out_shape=shape), classes))]
    with rasterio.open(scene) as opened:
        window = opened.window(*bounds)
        pixels = opened.read(list(channels), window=window, out_shape=(len(channels), *shape), boundless=True)
        valid = opened.read_masks(1, window=window, out_shape=shape, boundless=True) > 0
        panels.insert(0, ("scene", stretch(pixels, valid)))
    if truth is not None:
        with rasterio.open(truth) as opened:
            panels.append(("truth", colourise(opened.read(1, window=opened.window(*bounds), out_shape=shape, boundless=True), classes)))
    figure, axes = plt.subplots(1, len(panels), figsize=(5.2 * len(panels), 5.4), squeeze=False)
    for panel, (name, picture) in zip(axes[0], panels, strict=True):
        panel.imshow(picture, interpolation="nearest")
        panel.set_title(name)
        panel.axis("off")
    legend = [Patch(color=spec.colour, label=spec.name) for spec in classes]
    figure.legend(handles=legend, loc="lower center", ncols=len(classes), frameon=False, bbox_to_anchor=(0.5, -0.03))
    figure.tight_layout()
    return png(figure)
