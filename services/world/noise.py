"""Noise that is a function of place alone: any window of the world can be computed without its neighbours.

Coordinates are metres from the world's north-western corner, x to the east, y to the south. Only additions, multiplications and
look-ups are used, which every machine rounds alike, so that a seed gives the same bytes everywhere.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import Affine

Float = NDArray[np.floating[Any]]
"""float32 wherever there is a number for each pixel of 1 m."""

SPLINE_DEVIATION = 0.1383
"""Standard deviation of uniform noise under a cubic B-spline in two dimensions: sqrt(1/12) * 151/315."""


@dataclass(frozen=True)
class Block:
    """A window of the world."""

    top: float
    """Metres from the northern edge; a margin around the world is negative."""
    left: float
    height: int
    """Pixels."""
    width: int
    step_m: float = 1.0
    """Side of a pixel."""

    @cached_property
    def y(self) -> Float:
        """(height,) y of the pixel centres in metres."""
        return self.top + (np.arange(self.height) + 0.5) * self.step_m

    @cached_property
    def x(self) -> Float:
        """(width,) x of the pixel centres in metres."""
        return self.left + (np.arange(self.width) + 0.5) * self.step_m

    def grown(self, margin_px: int) -> "Block":
        """Return the block with a margin on every side."""
        margin_m = margin_px * self.step_m
        return Block(self.top - margin_m, self.left - margin_m, self.height + 2 * margin_px, self.width + 2 * margin_px, self.step_m)

    @property
    def transform(self) -> Affine:
        """From columns and rows to metres."""
        return Affine(self.step_m, 0, self.left, 0, self.step_m, self.top)

    def part(self, top_m: float, left_m: float, bottom_m: float, right_m: float) -> tuple[slice, slice]:
        """Return the rows and columns of the pixels that a rectangle meets; empty slices where it lies outside."""
        edges = np.array([[top_m - self.top, bottom_m - self.top + 1], [left_m - self.left, right_m - self.left + 1]]) / self.step_m
        (first_row, last_row), (first_column, last_column) = np.clip(np.floor(edges), 0, [[self.height], [self.width]]).astype(int)
        return slice(first_row, last_row), slice(first_column, last_column)

    def cells(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows and columns of the pixels that hold points; a point outside is given the nearest pixel."""
        row = np.clip(np.floor((np.asarray(y) - self.top) / self.step_m), 0, self.height - 1)
        column = np.clip(np.floor((np.asarray(x) - self.left) / self.step_m), 0, self.width - 1)
        return row.astype(np.int64), column.astype(np.int64)


def scramble(ix: NDArray[np.integer], iy: NDArray[np.integer], salt: int) -> NDArray[np.uint32]:
    """Hash integer places to uniform 32 bits.

    Args:
        ix: columns; broadcast against `iy`.
        iy: rows.
        salt: another salt, another independent field.

    Source: the finalizer of MurmurHash3 (Appleby, 2011).
    """
    column = ix.astype(np.int64).astype(np.uint32) * np.uint32(0x9E3779B1)
    row = iy.astype(np.int64).astype(np.uint32) * np.uint32(0x85EBCA77) + np.uint32(salt * 0xC2B2AE3D % 2**32)
    h = column ^ mix(row)
    return mix(h)


def mix(h: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Scramble 32 bits one to one."""
    h = h ^ (h >> np.uint32(16))
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h


def unit(h: NDArray[np.uint32]) -> Float:
    """Turn hashes into numbers of [0, 1)."""
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def smooth_noise(block: Block, wavelength_m: float, salt: int) -> Float:
    """Value noise under a cubic B-spline: mean 0, deviation 1, no grain finer than the wavelength.

    Args:
        block: where.
        wavelength_m: spacing of the random values.
        salt: another salt, another independent field.

    Returns:
        (height, width).
    """
    row, row_weights = _spline(block.y / wavelength_m)
    column, column_weights = _spline(block.x / wavelength_m)
    ix = np.arange(column[0] - 1, column[-1] + 3)
    iy = np.arange(row[0] - 1, row[-1] + 3)
    nodes = (unit(scramble(ix[None, :], iy[:, None], salt)) - np.float32(0.5)) / np.float32(SPLINE_DEVIATION)
    row, column = row - row[0], column - column[0]
    by_row = sum(nodes[row + k] * row_weights[k][:, None] for k in range(4))
    noise = np.take(by_row, column, axis=1) * column_weights[0]
    for k in range(1, 4):
        noise += np.take(by_row, column + k, axis=1) * column_weights[k]
    return noise


def _spline(position: Float) -> tuple[NDArray[np.int64], list[Float]]:
    """Return the node before each position, and the cubic B-spline's weights of the nodes -1, 0, 1, 2 beside it."""
    node = np.floor(position)
    t = (position - node).astype(np.float32)
    s = 1 - t
    weights: list[Float] = [s * s * s / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * s * s + 3 * s * s * s) / 6, t * t * t / 6]
    return node.astype(np.int64), weights


def fractal_noise(block: Block, wavelength_m: float, octaves: int, salt: int, gain: float = 0.5) -> Float:
    """Smooth noise of several wavelengths, each half the one before and weaker by `gain`: mean 0, deviation 1."""
    total = smooth_noise(block, wavelength_m, salt)
    power = 1.0
    for octave in range(1, octaves):
        total += smooth_noise(block, wavelength_m / 2**octave, salt + octave * 7919) * np.float32(gain**octave)
        power += gain ** (2 * octave)
    return total / np.float32(power**0.5)


def grain(block: Block, salt: int) -> NDArray[np.uint32]:
    """Return (height, width) independent 32 bits of every pixel of 1 m."""
    return scramble(np.floor(block.x).astype(np.int64)[None, :], np.floor(block.y).astype(np.int64)[:, None], salt)


@dataclass(frozen=True)
class Nearest:
    """The point of a jittered lattice that is nearest to each pixel."""

    dx: Float
    """(height, width) metres from the point to the pixel, eastward."""
    dy: Float
    """(height, width) metres from the point to the pixel, southward."""
    bits: NDArray[np.uint32]
    """(height, width) hash of the point."""


def nearest_point(x: Float, y: Float, spacing_m: float, jitter: float, salt: int) -> Nearest:
    """Find the nearest point of a lattice whose points are moved at random.

    The points of the four cells around a pixel are looked at; each other one is at least 1 - jitter spacings away.

    Args:
        x: (height, width) metres.
        y: (height, width) metres.
        spacing_m: side of the lattice's cells.
        jitter: how far points are moved at most in x and in y, as a share of the spacing, below 0.5.
        salt: another salt, another lattice.

    Source: cellular texture (Worley, 1996).
    """
    column, row = np.floor(x / np.float32(spacing_m) - 0.5).astype(np.int32), np.floor(y / np.float32(spacing_m) - 0.5).astype(np.int32)
    first_column, first_row = int(column.min()), int(row.min())
    ix = np.arange(first_column, int(column.max()) + 2)
    iy = np.arange(first_row, int(row.max()) + 2)
    bits = scramble(ix[None, :], iy[:, None], salt)
    point_x = ((ix[None, :] + 0.5 + (2 * unit(bits) - 1) * jitter) * spacing_m).astype(np.float32).ravel()
    point_y = ((iy[:, None] + 0.5 + (2 * unit(mix(bits)) - 1) * jitter) * spacing_m).astype(np.float32).ravel()
    corner = ((row - first_row) * np.int32(len(ix)) + (column - first_column)).astype(np.int64)
    best = corner
    dx, dy = x - np.take(point_x, corner), y - np.take(point_y, corner)
    distance = dx * dx + dy * dy
    for offset in (1, len(ix), len(ix) + 1):
        other = corner + offset
        other_dx, other_dy = x - np.take(point_x, other), y - np.take(point_y, other)
        other_distance = other_dx * other_dx + other_dy * other_dy
        closer = other_distance < distance
        best = np.where(closer, other, best)
        dx, dy, distance = np.where(closer, other_dx, dx), np.where(closer, other_dy, dy), np.minimum(distance, other_distance)
    return Nearest(dx, dy, np.take(bits.ravel(), best))


def ramp(value: Float, low: float, high: float) -> Float:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def refined(block: Block, coarse: Block, field: Float) -> Float:
    """Interpolate a coarse field linearly to the pixels of a block within it."""
    row, column = (block.y - coarse.top) / coarse.step_m - 0.5, (block.x - coarse.left) / coarse.step_m - 0.5
    i, j = np.floor(row).astype(int), np.floor(column).astype(int)
    t, s = (row - i).astype(np.float32)[:, None], (column - j).astype(np.float32)
    part = field[i[0] : i[-1] + 2, j[0] : j[-1] + 2]
    i, j = i - i[0], j - j[0]
    by_row = part[i] * (1 - t) + part[i + 1] * t
    return np.take(by_row, j, axis=1) * (1 - s) + np.take(by_row, j + 1, axis=1) * s
