"""A scene that did not arrive whole: its header can be read, its pixels cannot."""

from pathlib import Path

import rasterio
from rasterio.windows import Window

from services.world.mosaics import DRAFT
from services.world.rasters import IMAGERY, optimise

SIDE = 0.25
"""Side of the scene, as a share of the world's."""
ARRIVED = 0.2
"""Share of the bytes that arrived: header and overviews, which a Cloud Optimized GeoTIFF begins with."""


def write_corrupt(mosaic: Path, draft: Path, path: Path) -> None:
    """Cut the middle out of a mosaic, and most of the bytes out of that.

    Args:
        mosaic: where the pixels come from.
        draft: name of a file to use meanwhile.
        path: the file to make.
    """
    with rasterio.open(mosaic) as source:
        side_px = int(SIDE * source.width)
        window = Window((source.width - side_px) // 2, (source.height - side_px) // 2, side_px, side_px)
        place = {"width": side_px, "height": side_px, "count": source.count, "transform": source.window_transform(window)}
        with rasterio.open(draft, "w", **{**DRAFT, **place}) as part:
            part.write(source.read(window=window))
    whole = draft.with_suffix(".whole.tif")
    optimise(draft, whole, IMAGERY)
    data = whole.read_bytes()
    path.write_bytes(data[: int(ARRIVED * len(data))])
