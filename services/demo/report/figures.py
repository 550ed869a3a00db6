"""What all pictures of the report have in common."""

import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from eartheye.contracts import ClassSpec

mpl.use("Agg")


def png(figure: Figure) -> bytes:
    """Return a figure as PNG, and forget it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def colourise(mask: NDArray[np.uint8], classes: Sequence[ClassSpec]) -> NDArray[np.uint8]:
    """Paint a class mask in the classes' colours, (H, W, 3); 0 is white."""
    table = np.full((256, 3), 255, np.uint8)
    for spec in classes:
        table[spec.value] = np.round(np.array(to_rgb(spec.colour)) * 255)
    return table[mask]
