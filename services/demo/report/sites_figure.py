"""The picture of a drawing of sites."""

import geopandas
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from eartheye.contracts import LAND_CLASSES
from eartheye.grid import EaseGrid
from eartheye.wording import counted
from services.demo.report.figures import png
from services.demo.report.scale import scale_bar

LAND_COLOURS = ("#1b7837", "#a6d96a", "#e6b800", "#2b83ba", "#80cdc1", "#d7301f", "#969696")
MANY_CELLS = 20_000
"""More than these are painted, for single cells would be smaller than a pixel."""
LOCAL_DEG = 20.0
"""A map no wider than this has its scale drawn."""
METRES_PER_DEGREE = 111_320.0
"""Of longitude, at the equator."""


def sites_map(cells: pd.DataFrame, sites: geopandas.GeoDataFrame, regions: geopandas.GeoDataFrame | None, grid: EaseGrid) -> bytes:
    """Draw the cells by land cover, the regions' borders and the drawn sites.

    Args:
        cells: columns `cell`, `lon`, `lat` and `land_class`.
        sites: points, longitude and latitude.
        regions: polygons, longitude and latitude.
        grid: of the cells.

    Returns:
        A PNG.
    """
    west, east, south, north = cells["lon"].min(), cells["lon"].max(), cells["lat"].min(), cells["lat"].max()
    outlines = grid.polygon(cells["cell"].to_numpy()) if len(cells) <= MANY_CELLS else None
    if outlines is not None:
        west, south, east, north = geopandas.GeoSeries(outlines).total_bounds
    spread = max(east - west, north - south)
    figure, axes = plt.subplots(figsize=(8 if spread < LOCAL_DEG else 11, 6.2), layout="constrained")
    if outlines is None:
        paint_cells(axes, cells)
    else:
        colours = [LAND_COLOURS[number - 1] for number in cells["land_class"]]
        corners = [list(outline.exterior.coords) for outline in outlines]
        axes.add_collection(PolyCollection(corners, facecolors=colours, edgecolors="white", linewidths=0.6, alpha=0.6))
    if regions is not None:
        draw_borders(axes, regions)
    many = len(sites) > 1000
    axes.scatter(
        sites.geometry.x,
        sites.geometry.y,
        s=0.5 if many else 24,
        color="black",
        edgecolors="white",
        linewidths=0 if many else 0.6,
        zorder=3,
    )
    margin = 0.03 * spread
    axes.set(
        xlim=(west - margin, east + margin), ylim=(south - margin, north + margin), xlabel="longitude, degrees", ylabel="latitude, degrees"
    )
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.ticklabel_format(useOffset=False)
    shrink = float(np.cos(np.radians((south + north) / 2)))
    axes.set_aspect(1 / shrink if spread < LOCAL_DEG else 1)
    if spread < LOCAL_DEG:
        scale_bar(axes, METRES_PER_DEGREE * shrink)
    axes.set_title(f"{counted(len(sites), 'site')} of {counted(len(cells), 'cell')} ({grid.cell_km} km)")
    met = sorted(cells["land_class"].unique())
    legend = [Patch(color=LAND_COLOURS[number - 1], label=LAND_CLASSES[number - 1]) for number in met]
    figure.legend(handles=legend, loc="outside right center", frameon=False)
    return png(figure)


def draw_borders(axes: Axes, regions: geopandas.GeoDataFrame) -> None:
    """Draw the borders of regions, less the lines around the Earth by which polygons across the date line are closed."""
    thin = len(regions) > 50
    for border in regions.boundary.explode():
        lon, lat = np.asarray(border.coords)[:, :2].T
        lon = np.insert(lon, jumps := np.flatnonzero(np.abs(np.diff(lon)) > 180) + 1, np.nan)
        axes.plot(lon, np.insert(lat, jumps, np.nan), color="#333333", linewidth=0.1 if thin else 1.0)


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
