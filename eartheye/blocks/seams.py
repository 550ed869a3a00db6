"""Merging the pieces of an area that the borders of blocks have cut."""

from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from eartheye.blocks.window import Window


class Side(NamedTuple):
    """A side of a block, the same for the two blocks that share it."""

    axis: int
    """0 for a vertical side, 1 for a horizontal one."""
    line: int
    """Where it crosses that axis."""
    start: int
    """Where it begins along the other axis."""

    def last_row(self, length: int) -> int:
        """Return the last row in which a block to come may share it."""
        return self.start + length - 1 if self.axis == 0 else self.line


class Seams:
    """Pieces that touch the border of their block, and which of them belong together."""

    def __init__(self) -> None:
        self._values: list[int] = []
        self._pieces: list[Any] = []
        self._parent: list[int] = []
        self._open: dict[Side, NDArray[np.int64]] = {}

    def take(self, value: NDArray[np.uint8], geometry: NDArray[Any], block: Window) -> NDArray[np.bool_]:
        """Take the pieces of a block that touch its border.

        Args:
            value: (N,) class values.
            geometry: (N,) polygons in pixels of the map.
            block: the block that they fill.

        Returns:
            (N,) which were left, for they touch no border.
        """
        bounds = shapely.bounds(geometry).reshape(-1, 4)
        inner = (bounds > [block.column, block.row, -np.inf, -np.inf]) & (bounds < [np.inf, np.inf, block.right, block.bottom])
        inner = inner.all(axis=1)
        first = len(self._pieces)
        self._values += value[~inner].tolist()
        self._pieces += geometry[~inner].tolist()
        self._parent += range(first, len(self._pieces))
        vertices, piece = shapely.get_coordinates(geometry[~inner], return_index=True)
        for axis, line in ((0, block.column), (0, block.right), (1, block.row), (1, block.bottom)):
            self._stitch(axis, line, block, vertices.astype(np.int64), piece + first)
        return inner

    def release(self, row: float) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Return class values and polygons of the areas that no block to come adds to, and keep the others.

        Args:
            row: first one of the block to come, above which none follows; infinite after the last.
        """
        self._open = {side: along for side, along in self._open.items() if side.last_row(len(along)) >= row}
        values, pieces = np.array(self._values, np.uint8), np.array(self._pieces, object)
        roots = np.array([self._root(piece) for piece in range(len(pieces))], np.int64)
        touching = np.unique(np.concatenate([np.empty(0, np.int64), *self._open.values()]))
        stays = np.isin(roots, roots[touching[touching >= 0]])
        number = np.append(np.cumsum(stays) - 1, -1)  # of a piece among those that stay; no piece, -1, stays none
        self._values, self._pieces, self._parent = values[stays].tolist(), pieces[stays].tolist(), number[roots[stays]].tolist()
        self._open = {side: number[along] for side, along in self._open.items()}
        return values[np.unique(roots[~stays])], _merge(pieces[~stays], roots[~stays])

    def _stitch(self, axis: int, line: int, block: Window, vertices: NDArray[np.int64], piece: NDArray[np.int64]) -> None:
        """Join the pieces along a side with those of the block beyond, or keep them until that block comes."""
        start, length = (block.row, block.height) if axis == 0 else (block.column, block.width)
        along = np.full(length, -1)
        on_line = (vertices[:-1, axis] == line) & (vertices[1:, axis] == line) & (piece[:-1] == piece[1:])
        for edge in np.flatnonzero(on_line):
            ends = vertices[edge : edge + 2, 1 - axis] - start
            along[ends.min() : ends.max()] = piece[edge]
        side = Side(axis, line, start)
        beyond = self._open.pop(side, None)
        if beyond is None:
            self._open[side] = along
            return
        met = (along >= 0) & (beyond >= 0)
        for here, there in np.unique(np.stack([along[met], beyond[met]]), axis=1).T.tolist():
            if self._values[here] == self._values[there]:
                self._parent[self._root(here)] = self._root(there)

    def _root(self, piece: int) -> int:
        while self._parent[piece] != piece:
            self._parent[piece] = self._parent[self._parent[piece]]
            piece = self._parent[piece]
        return piece


def _merge(pieces: NDArray[Any], roots: NDArray[np.int64]) -> NDArray[Any]:
    """Return the polygons of pieces that belong together, in the order of their roots."""
    order = np.argsort(roots, kind="stable")
    groups = np.split(pieces[order], np.flatnonzero(np.diff(roots[order])) + 1) if len(roots) else []
    merged = np.empty(len(groups), object)
    merged[:] = [group[0] if len(group) == 1 else shapely.union_all(group) for group in groups]
    return merged
