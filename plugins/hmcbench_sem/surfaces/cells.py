"""Cells around random seeds (a Voronoi diagram), and the cups and grains that grow from them."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hmcbench_sem.fractographs.fields import Field
from hmcbench_sem.fractographs.voronoi import CellValues
from hmcbench_sem.surfaces.frame import Frame

JITTER = 0.9  # how far a seed may leave its square; 0 would give a grid
FAR = 1e9


class Cells:
    """One seed in each square of a grid, displaced at random; each pixel looks at its nine nearest squares.

    Args:
        rng: generator of the scene.
        frame: its reach decides how many cells there are.
        x, y: coordinates of the pixels, micrometres, (rows, size); warp or stretch them for other shapes.
        side: mean distance of seeds, micrometres.

    Attributes:
        count: number of cells, seen or not; it does not depend on the number of pixels.
        seed_x, seed_y: positions of the seeds, (count,).
        corner: first of the nine cells that each pixel looks at, (rows, size), an index into tables of
            ``count`` cells.
        nine: from ``corner`` to each of the nine, in steps of these tables.
    """

    def __init__(self, rng: np.random.Generator, frame: Frame, x: Field, y: Field, side: float) -> None:
        self.side = side
        half = math.ceil(1.3 * frame.reach / side) + 2
        wide = 2 * half
        drawn = rng.random((2, wide, wide), dtype=np.float32)
        squares = np.arange(-half, half, dtype=np.float32) + np.float32(0.5)
        self.count = wide * wide
        self.seed_x: CellValues = ((squares + JITTER * (drawn[0] - 0.5)) * side).ravel()
        self.seed_y: CellValues = ((squares[:, None] + JITTER * (drawn[1] - 0.5)) * side).ravel()
        column = np.clip(np.floor(x * (1 / side)).astype(np.intp) + half, 1, wide - 2)
        row = np.clip(np.floor(y * (1 / side)).astype(np.intp) + half, 1, wide - 2)
        self.x, self.y = x, y
        self.corner = (row - 1) * wide + (column - 1)
        self.nine = tuple(j * wide + i for j in (0, 1, 2) for i in (0, 1, 2))

    def from_seed(self, offset: int) -> tuple[Field, Field]:
        """From a candidate's seed to the pixel, along x and y, micrometres; ``offset`` is one of ``nine``."""
        return self.x - self.seed_x[offset:].take(self.corner), self.y - self.seed_y[offset:].take(
            self.corner
        )

    @cached_property
    def _ranked(self) -> tuple[Field, Field, np.ndarray, np.ndarray]:
        """Squared distance to the nearest and the second seed, and their cells.

        The number of the candidate sits in the lowest four bits of the distance, so that the minimum
        carries it along. One candidate after the other: arrays of nine would not stay in the cache.
        """
        first = np.full(self.corner.shape, np.iinfo(np.int32).max, dtype=np.int32)
        second = first.copy()
        for number, offset in enumerate(self.nine):
            dx, dy = self.from_seed(offset)
            dx *= dx
            dy *= dy
            dx += dy
            bits = dx.view(np.int32)
            bits &= ~15
            bits |= np.int32(number)
            np.minimum(second, np.maximum(first, bits), out=second)
            np.minimum(first, bits, out=first)
        nine = np.array(self.nine)
        cells = [self.corner + nine.take(rank & 15) for rank in (first, second)]
        return first.view(np.float32), second.view(np.float32), cells[0], cells[1]

    @property
    def first(self) -> np.ndarray:
        """The cell of each pixel, (rows, size)."""
        return self._ranked[2]

    @property
    def second(self) -> np.ndarray:
        """The cell whose seed is the second nearest, (rows, size)."""
        return self._ranked[3]

    @cached_property
    def distance(self) -> Field:
        """Distance to the own seed, micrometres."""
        distance: Field = np.sqrt(self._ranked[0])
        return distance

    @cached_property
    def edge(self) -> Field:
        """Distance to the boundary with the second nearest cell, micrometres."""
        nearest, next_, first, second = self._ranked
        apart = np.hypot(
            self.seed_x.take(first) - self.seed_x.take(second),
            self.seed_y.take(first) - self.seed_y.take(second),
        )
        edge: Field = np.maximum(next_ - nearest, 0) / (2 * apart + np.float32(1e-9))
        return edge

    def edge_between(self, label: np.ndarray) -> Field:
        """:attr:`edge` where the two cells have another ``label`` (count,), else :data:`FAR`."""
        edge: Field = np.where(label.take(self.first) != label.take(self.second), self.edge, np.float32(FAR))
        return edge

    def paint(self, table: CellValues) -> Field:
        """The value of each pixel's cell, (rows, size)."""
        values: Field = table.take(self.first)
        return values

    def offset(self) -> tuple[Field, Field]:
        """From the own seed to the pixel, along x and y, micrometres."""
        return self.x - self.paint(self.seed_x), self.y - self.paint(self.seed_y)

    def uniform(self, rng: np.random.Generator, low: float, high: float) -> CellValues:
        """A number between ``low`` and ``high`` for every cell."""
        return np.float32(low) + np.float32(high - low) * rng.random(self.count, dtype=np.float32)

    def normal(self, rng: np.random.Generator, deviation: float) -> CellValues:
        """A normal number of mean 0 for every cell."""
        return np.float32(deviation) * rng.standard_normal(self.count, dtype=np.float32)

    def chosen(self, rng: np.random.Generator, share: float) -> np.ndarray:
        """True for a random share of the cells, (count,)."""
        return np.asarray(rng.random(self.count, dtype=np.float32) < share)


def cups(
    rng: np.random.Generator,
    cells: Cells,
    depth: tuple[float, float],
    radius: tuple[float, float] = (0.5, 1.0),
    share: float = 1.0,
    steep: float = 0.0,
    lean: float = 0.0,
) -> Field:
    """Lower envelope of bowls: voids that grew until they met, with sharp rims; at most 0 but for ``lean``.

    Args:
        rng: generator of the scene.
        cells: one cup per cell.
        depth: range, as a share of the cup's radius.
        radius: range, in sides of a cell.
        share: of the cells that hold a cup.
        steep: 0 paraboloids, 1 flat bottoms and steep walls.
        lean: slope of every cup along x: one wall is high and hangs over the next cup, as in scales.
    """
    wide = cells.uniform(rng, *radius) * np.float32(cells.side)
    bottom = cells.uniform(rng, *depth) * wide * cells.chosen(rng, share)
    scale = 1 / np.square(wide)
    round_ = np.float32(1 - steep)
    lowest, aside = np.zeros((2, *cells.x.shape), dtype=np.float32)
    for offset in cells.nine:
        dx, dy = cells.from_seed(offset)
        away = (dx * dx + dy * dy) * scale[offset:].take(cells.corner)
        height = (away * (round_ + np.float32(steep) * away) - 1) * bottom[offset:].take(cells.corner)
        if lean:
            np.copyto(aside, dx, where=height < lowest)
        np.minimum(lowest, height, out=lowest)
    leaning: Field = lowest + np.float32(lean) * aside
    return leaning


def grains(
    rng: np.random.Generator, cells: Cells, radius: tuple[float, float], share: float, crystals: bool = False
) -> Field:
    """Round bodies that lie on a surface: height above it, >= 0.

    Args:
        rng: generator of the scene.
        cells: one body per cell.
        radius: range, in sides of a cell.
        share: of the cells that hold a body.
        crystals: faceted bodies instead of round ones.
    """
    wide = cells.uniform(rng, *radius) * np.float32(cells.side)
    wide[~cells.chosen(rng, share)] = 1e-6
    angle, long = cells.uniform(rng, 0, 2 * np.pi), cells.uniform(rng, 0.35, 1.0)
    cosine, sine = np.cos(angle), np.sin(angle)
    highest = np.zeros_like(cells.x)
    for offset in cells.nine:
        dx, dy = cells.from_seed(offset)
        size = wide[offset:].take(cells.corner)
        if crystals:
            c, s, side = (table[offset:].take(cells.corner) for table in (cosine, sine, long))
            away = np.maximum(np.abs(dx * c + dy * s), np.abs(dy * c - dx * s) / side)
            height = np.minimum((size - away) * np.float32(2.5), size * side)
        else:
            height = size - (dx * dx + dy * dy) / size
        np.maximum(highest, height, out=highest)
    return highest
