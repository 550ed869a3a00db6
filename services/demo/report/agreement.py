"""How far polygons of a map agree with those of the truth."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

LEAST_IOU = 0.5
"""Two polygons are the same object from here on. Source: Van Etten et al., SpaceNet (2018), section 5."""


@dataclass(frozen=True)
class Matches:
    """Which polygons of a map are which of the truth."""

    of_found: NDArray[np.int64]
    """(N,) number of the true polygon that each polygon of the map is, -1 for none."""
    of_truth: NDArray[np.int64]
    """(M,) number of the polygon of the map that each true polygon is, -1 for none."""

    @property
    def count(self) -> int:
        """Pairs."""
        return int((self.of_found >= 0).sum())

    @property
    def precision(self) -> float | None:
        """Share of the map's polygons that are true ones; None where the map has none."""
        return self.count / len(self.of_found) if len(self.of_found) else None

    @property
    def recall(self) -> float | None:
        """Share of the true polygons that the map has; None where there are none."""
        return self.count / len(self.of_truth) if len(self.of_truth) else None


def match_polygons(found: NDArray[np.object_], truth: NDArray[np.object_], least_iou: float = LEAST_IOU) -> Matches:
    """Pair polygons, the best first; no polygon is in two pairs.

    Args:
        found: (N,) valid polygons of a map.
        truth: (M,) valid polygons in the same reference system.
        least_iou: of a pair.

    Returns:
        The pairs.
    """
    of_found, of_truth = np.full(len(found), -1, np.int64), np.full(len(truth), -1, np.int64)
    first, second = shapely.STRtree(truth).query(found, predicate="intersects")
    common = shapely.area(shapely.intersection(found[first], truth[second]))
    iou = common / (shapely.area(found[first]) + shapely.area(truth[second]) - common)
    for pair in np.lexsort((second, first, -iou)):
        if iou[pair] < least_iou:
            break
        if of_found[first[pair]] < 0 and of_truth[second[pair]] < 0:
            of_found[first[pair]], of_truth[second[pair]] = second[pair], first[pair]
    return Matches(of_found, of_truth)


def cut_out(polygons: NDArray[np.object_], ground: shapely.Geometry) -> NDArray[np.object_]:
    """Return the polygons that are left of some on a piece of ground; what its edge cuts apart is two."""
    clipped = shapely.get_parts(shapely.intersection(polygons, ground))
    areal = shapely.get_type_id(clipped) == shapely.GeometryType.POLYGON
    return np.asarray(clipped[areal & ~shapely.is_empty(clipped)])


def pixel_iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float | None:
    """Return intersection over union of (N,) pixels; None where neither has one."""
    union = int((found | truth).sum())
    return int((found & truth).sum()) / union if union else None
