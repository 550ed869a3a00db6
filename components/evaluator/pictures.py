"""Pictures of an evaluation; each function returns a PNG."""

import io
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from components.finetuner.windows import Windows
from eartheye.contracts import ClassSpec

PERCENTILES = (2, 98)
MOST_NUMBERED_CLASSES = 12
"""Beyond that the numbers in a confusion matrix cannot be read."""


def confusion_matrix(matrix: NDArray[np.int64], classes: Sequence[ClassSpec]) -> bytes:
    """Draw a (K, K) confusion matrix as shares of the truth; light is few, dark is many."""
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 2.6 + 0.45 * len(classes)
    figure = Figure((side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [spec.name for spec in classes]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    if len(classes) <= MOST_NUMBERED_CLASSES:
        for row, column in np.ndindex(share.shape):
            text = f"{share[row, column]:.2f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if share[row, column] > 0.5 else "black")
    figure.colorbar(shown, ax=axes, label="share of the truth", shrink=0.8)
    return png(figure)


def side_by_side(rows: Sequence[Sequence[NDArray[np.generic]]], titles: Sequence[str], classes: Sequence[ClassSpec] = ()) -> bytes:
    """Draw images in rows, a title over each column, and the classes' colours below.

    Args:
        rows: each of as many (H, W, 3) images as there are titles.
        titles: of the columns.
        classes: of the legend.
    """
    figure = Figure((2.7 * len(titles), 2.7 * len(rows) + 0.6), layout="constrained")
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for line, images in zip(axes, rows, strict=True):
        for panel, image in zip(line, images, strict=True):
            panel.imshow(image, interpolation="nearest")
            panel.axis("off")
    for panel, title in zip(axes[0], titles, strict=True):
        panel.set_title(title)
    if classes:
        patches = [Patch(facecolor=spec.colour, edgecolor="#555555", label=spec.name) for spec in classes]
        figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 2 * len(titles)), frameon=False, fontsize=8)
    return png(figure)


def curves(history: pd.DataFrame, figures: Sequence[str], step: str) -> bytes:
    """Draw figures of a training, a panel each.

    Args:
        history: a row for each step.
        figures: columns to draw.
        step: what a row is, as `step` or `epoch`.
    """
    figure = Figure((3.1 * len(figures), 2.6), layout="constrained")
    for panel, name in zip(figure.subplots(1, len(figures), squeeze=False)[0], figures, strict=True):
        panel.plot(history.index, history[name], color="#0072b2", linewidth=1.2)
        panel.set_title(name.replace("_", " "), fontsize=9)
        panel.set_xlabel(step, fontsize=8)
        panel.grid(alpha=0.3)
    return png(figure)


def stretch(pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(C, H, W) channels to an (H, W, 3) picture: the first three, one alone is grey; what is not valid is black.

    Bytes are shown as they are, other types between their 2nd and 98th percentile over all channels, which keeps their colours.
    """
    rgb = pixels[:3] if len(pixels) >= 3 else pixels[:1].repeat(3, axis=0)
    if pixels.dtype != np.uint8 and valid.any():
        values = rgb.astype(np.float32)
        low, high = np.percentile(values[:, valid], PERCENTILES)
        rgb = np.clip((values - low) / max(high - low, 1e-6) * 255, 0, 255)
    return np.where(valid, rgb, 0).astype(np.uint8).transpose(1, 2, 0)


def paint(numbers: NDArray[np.integer], classes: Sequence[ClassSpec]) -> NDArray[np.uint8]:
    """(H, W) class numbers from 0 to an (H, W, 3) picture in the classes' colours; -1, not labelled, is white."""
    colours = [tuple(int(spec.colour[start : start + 2], 16) for start in (1, 3, 5)) for spec in classes]
    return np.array([*colours, (255, 255, 255)], np.uint8)[numbers]


def pictured(windows: Windows, count: int) -> list[int]:
    """Test tiles to show, spread over the groups; of the same group only where there are too few."""
    of_group: dict[str, list[int]] = {}
    for tile, group in windows.tiles("test").items():
        of_group.setdefault(group, []).append(tile)
    if len(of_group) > count:
        firsts = [tiles[0] for tiles in of_group.values()]
        return [firsts[place] for place in np.linspace(0, len(firsts) - 1, count).astype(int)]
    rounds = zip_longest(*of_group.values())
    return [tile for tiles in rounds for tile in tiles if tile is not None][:count]


def png(figure: Figure) -> bytes:
    """Return a figure's bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
