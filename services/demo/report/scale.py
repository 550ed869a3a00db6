"""A bar that says how large things are."""

import math

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

WIDEST = 0.3
"""Part of a picture's width that the bar takes at most."""


def scale_bar(axes: Axes, metres_per_unit: float) -> None:
    """Draw a bar of a round length into the lower left corner of a picture.

    Args:
        axes: a picture whose limits stand.
        metres_per_unit: on the ground, along its x axis.
    """
    axes.autoscale(False)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    length_m = round_length(abs(right - left) * metres_per_unit * WIDEST)
    start, height = left + 0.04 * (right - left), bottom + 0.05 * (top - bottom)
    end = start + math.copysign(length_m / metres_per_unit, right - left)
    outline = [withStroke(linewidth=4, foreground="black")]
    axes.plot([start, end], [height, height], color="white", linewidth=2.5, solid_capstyle="butt", path_effects=outline, zorder=5)
    words = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    axes.text(
        start,
        bottom + 0.07 * (top - bottom),
        words,
        color="white",
        fontsize=8,
        ha="left",
        va="bottom",
        path_effects=[withStroke(linewidth=2, foreground="black")],
        zorder=5,
    )


def round_length(most_m: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is no longer than this."""
    power = 10.0 ** math.floor(math.log10(most_m))
    return power * max(step for step in (1, 2, 5) if step * power <= most_m * (1 + 1e-9))
