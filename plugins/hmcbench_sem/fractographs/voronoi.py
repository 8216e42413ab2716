"""Cells around random seeds (a Voronoi diagram): grains, dimples, plates, polygons of cracks."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hmcbench_sem.fractographs.fields import Field, View

CellValues = np.ndarray  # (count,) float32
WARP = 0.15  # coordinates may be shifted that far beyond the picture


class Voronoi:
    """One seed in each square of a grid, displaced at random; each pixel goes to the nearest seed.

    Args:
        rng: generator of the scene.
        view: its reach decides how many cells there are.
        x, y: coordinates of the pixels, (size, size); warp them for curved boundaries.
        side: mean distance of seeds, in scene units.
        spread: 0 gives cells of similar area; up to 0.3 enlarges some at the expense of others.

    Attributes:
        count: number of cells, seen or not; it does not depend on the number of pixels.
        nearest: cell of each pixel, (size, size), an index into tables of ``count`` cells.
        seed_x, seed_y: positions of the seeds, (count,).
    """

    FAR = 1e3
    JITTER = 0.9  # how far a seed may leave its place; 0 would give squares

    def __init__(
        self,
        rng: np.random.Generator,
        view: View,
        x: Field,
        y: Field,
        side: float,
        spread: float = 0.0,
    ) -> None:
        half = math.ceil((view.reach + WARP) / side) + 2
        wide = 2 * half
        drawn = rng.random((wide, wide, 3), dtype=np.float32)
        squares = np.arange(-half, half, dtype=np.float32) + np.float32(0.5)
        self.count = wide * wide
        self.seed_x: CellValues = ((squares[None, :] + self.JITTER * (drawn[..., 0] - 0.5)) * side).ravel()
        self.seed_y: CellValues = ((squares[:, None] + self.JITTER * (drawn[..., 1] - 0.5)) * side).ravel()
        # A handicap instead of a bonus keeps powers positive: their bits then sort as integers.
        self._spread = spread
        self._handicap: CellValues = (1 - drawn[..., 2].ravel()) * np.float32(spread * side**2)
        column = np.clip(np.floor(x / side) + half, 2, wide - 3).astype(np.intp)
        row = np.clip(np.floor(y / side) + half, 2, wide - 3).astype(np.intp)
        self._x, self._y = x, y
        self._nine = np.array([j * wide + i for j in (0, 1, 2) for i in (0, 1, 2)])
        self._find((row - 1) * wide + (column - 1))

    def _find(self, corner: np.ndarray) -> None:
        """Nearest seed of each pixel; ``corner`` is the first of its nine candidates.

        The number of the candidate sits in the lowest four bits of the distance, so that the
        minimum carries it along: many times faster than choosing with ``where``.
        """
        best = np.full(self._x.shape, np.iinfo(np.int32).max, dtype=np.int32)
        for number, offset in enumerate(self._nine):
            dx = self._x - self.seed_x[offset:].take(corner)
            dy = self._y - self.seed_y[offset:].take(corner)
            power = np.square(dx, out=dx) + np.square(dy, out=dy)
            if self._spread:
                power += self._handicap[offset:].take(corner)
            bits = power.view(np.int32)
            bits &= ~15
            bits |= np.int32(number)
            np.minimum(best, bits, out=best)
        best &= 15
        self.nearest = corner + self._nine.take(best)

    @cached_property
    def distance(self) -> Field:
        """Distance to the own seed, (size, size)."""
        dx, dy = self._x - self.paint(self.seed_x), self._y - self.paint(self.seed_y)
        distance: Field = np.sqrt(dx * dx + dy * dy)
        return distance

    @cached_property
    def edge(self) -> Field:
        """Distance to the boundary of the own cell, (size, size)."""
        return self.edge_between(np.arange(self.count))

    def edge_between(self, label: np.ndarray) -> Field:
        """Distance to the boundary of the own cell with cells of another ``label`` (count,).

        Past the end of such a boundary it is the distance to its extension; in a cell that has no
        such boundary it is about ``FAR``.
        """
        # The boundary with a neighbour is a line: nx * x + ny * y = c, all three per cell.
        offsets = self._nine[self._nine != self._nine[4]] - self._nine[4]
        other = (np.arange(self.count) + offsets[:, None]) % self.count  # (8, count)
        dx, dy = self.seed_x[other] - self.seed_x, self.seed_y[other] - self.seed_y
        apart = np.sqrt(dx * dx + dy * dy)
        nx, ny = dx / apart, dy / apart
        c = nx * (self.seed_x + dx / 2) + ny * (self.seed_y + dy / 2)
        c += (self._handicap[other] - self._handicap) / (2 * apart)
        c[label[other] == label] = self.FAR
        distance = np.full(self._x.shape, self.FAR, dtype=np.float32)
        for row in range(len(offsets)):
            to_line = self.paint(c[row])
            to_line -= self.paint(nx[row]) * self._x
            to_line -= self.paint(ny[row]) * self._y
            np.minimum(distance, to_line, out=distance)
        return np.maximum(distance, 0, out=distance)

    def uniform(self, rng: np.random.Generator, low: float, high: float) -> CellValues:
        """A number between ``low`` and ``high`` for every cell."""
        return low + (high - low) * rng.random(self.count, dtype=np.float32)

    def normal(self, rng: np.random.Generator, deviation: float) -> CellValues:
        """A normal number of mean 0 for every cell."""
        return deviation * rng.standard_normal(self.count, dtype=np.float32)

    def bernoulli(self, rng: np.random.Generator, share: float) -> CellValues:
        """1 for a random share of the cells, 0 for the others."""
        return (rng.random(self.count, dtype=np.float32) < share).astype(np.float32)

    def paint(self, table: CellValues) -> Field:
        """The value of each pixel's cell, (size, size)."""
        values: Field = table.take(self.nearest)
        return values

    def plane(self, slope_x: CellValues, slope_y: CellValues) -> Field:
        """A tilted facet on every cell: 0 at its seed."""
        dx, dy = self._x - self.paint(self.seed_x), self._y - self.paint(self.seed_y)
        rise: Field = dx * self.paint(slope_x) + dy * self.paint(slope_y)
        return rise
