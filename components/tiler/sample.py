"""A tile between being read and being written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from eartheye.contracts import Catalogue
from eartheye.contracts.catalogue import ImagesEntry, SceneEntry

TOO_LARGE = "tile larger than the scene"
"""How the reason begins that a tile was rejected because its scene is smaller."""


@dataclass(frozen=True)
class Grid:
    """The pixels of a tile on the ground."""

    crs: CRS
    transform: Affine
    height: int
    width: int


@dataclass(frozen=True)
class Sample:
    """What was read for a tile, or why nothing was."""

    facts: dict[str, Any]
    """Columns of the index that are known before the pixels are looked at; `rejected` among them where there are none."""
    pixels: NDArray[Any] | None = None
    """(C, H, W)."""
    valid: NDArray[np.bool_] | None = None
    """(H, W)."""
    masks: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    """(H, W) each, by label set."""


def scene_facts(catalogue: Catalogue, entry: SceneEntry, grid: Grid, gsd_m: float | None) -> dict[str, Any]:
    """Return what the index says of a tile on account of its scene and grid."""
    licence, attribution = catalogue.terms(entry)
    return {
        "source": entry.path,
        "sensor": entry.sensor,
        "acquired": entry.acquired,
        "quarter": entry.quarter,
        "pretrain": entry.pretrain,
        "licence": licence,
        "attribution": attribution,
        "height": grid.height,
        "width": grid.width,
        "gsd_m": gsd_m,
        "crs": grid.crs.to_string(),
        "transform": list(grid.transform)[:6],
    }


def image_facts(catalogue: Catalogue, entry: ImagesEntry, name: str, group: str) -> dict[str, Any]:
    """Return what the index says of a tile on account of the image it is cut from."""
    licence, attribution = catalogue.terms(entry)
    return {
        "source": name,
        "sensor": entry.sensor,
        "group": group,
        "label": name.split("/")[-2] if entry.labelled_by_folder and "/" in name else None,
        "pretrain": True,
        "licence": licence,
        "attribution": attribution,
    }
