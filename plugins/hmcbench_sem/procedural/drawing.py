"""Procedural fractographs with the labels and the size of real training samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench_sem.fractographs.generate import SIZES
from hmcbench_sem.procedural.classes import Looks, pictures_of
from hmcbench_sem.surfaces.generate import PICTURE, PLAN, SIDES, VERSION, Scene
from hmcbench_sem.surfaces.microscope import MAIN_LAB

STREAM = len(SIDES)  # beside those of the synthetic datasets: no picture is one of theirs
MEASURED = 16  # real images whose size is looked at


@dataclass(frozen=True)
class Mixture:
    """How many rows of each kind a training set has.

    Attributes:
        repeats: how often it holds every real sample.
        drawn: procedural images.
        epoch_share: share of its rows in an epoch, so that an epoch is as long as on the real samples alone.
    """

    repeats: int
    drawn: int
    epoch_share: float

    @classmethod
    def of(cls, real: int, share: float, least: int) -> Mixture:
        """The smallest mixture of whole copies of the real samples with enough procedural images.

        Args:
            real: number of real samples.
            share: of procedural images among all rows, 0 to below 1.
            least: so many procedural images, to the nearest whole number of copies.

        >>> Mixture.of(330, 0.5, 400), Mixture.of(50, 0.5, 400)
        (Mixture(repeats=1, drawn=330, epoch_share=0.5), Mixture(repeats=8, drawn=400, epoch_share=0.0625))
        """
        repeats = max(1, round(least * (1 - share) / (share * real))) if share else 1
        return cls(repeats, *cls.filled(real, share, repeats))

    @staticmethod
    def filled(real: int, share: float, repeats: int) -> tuple[int, float]:
        """Procedural images (none only where their share is 0) and epoch share for so many copies."""
        drawn = max(1, round(repeats * real * share / (1 - share))) if share else 0
        return drawn, real / (repeats * real + drawn)


@dataclass(frozen=True)
class Procedural:
    """The middle of a scene, drawn when it is loaded."""

    scene: Scene
    height: int
    width: int

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Grey levels, (height, width) uint8; ``min_side`` changes nothing."""
        top, left = (self.scene.size - self.height) // 2, (self.scene.size - self.width) // 2
        return self.scene.load()[top : top + self.height, left : left + self.width]


def size_of(images: Sequence[Any], most: int) -> tuple[int, int]:
    """Height and width of the pictures to draw: the median of the real ones, reduced to fit into ``most``.

    Args:
        images: rows of the view ``image``; at least one.
        most: longest side, pixels.
    """
    looked_at = np.linspace(0, len(images) - 1, min(len(images), MEASURED)).astype(int)
    height, width = np.median([images[int(i)].load().shape[:2] for i in looked_at], axis=0)
    longest = max(height, width)
    factor = max(min(longest, most), SIZES[0]) / longest
    return max(1, round(height * factor)), max(1, round(width * factor))


def draw(
    hierarchy: Hierarchy,
    targets: np.ndarray,
    looks: Mapping[str, Looks],
    count: int,
    size: tuple[int, int],
    seed: int,
) -> tuple[list[Procedural], np.ndarray]:
    """``count`` pictures; each has the labels of a training sample that can be drawn, all of these in turn.

    The order of the samples is drawn by ``seed``. The proportions of the label sets are therefore those of
    the real samples that can be drawn.

    Args:
        targets: of the training samples, boolean (n, C).
        looks: class -> its looks (:func:`hmcbench_sem.procedural.classes.drawable`).
        size: height and width, pixels.

    Returns:
        The pictures, and their targets, boolean (count, C).

    Raises:
        NotApplicable: no training sample can be drawn.
    """
    sets, of_row = np.unique(targets, axis=0, return_inverse=True)
    pictures = [pictures_of(hierarchy.decode(row), looks) for row in sets]
    usable = np.flatnonzero([bool(pictures[i]) for i in of_row.ravel()])
    if not len(usable):
        raise NotApplicable(f"no training sample has only classes that can be drawn ({', '.join(looks)})")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((VERSION, seed, STREAM, PLAN))))
    turns = math.ceil(count / len(usable))
    rows = np.concatenate([rng.permutation(usable) for _ in range(turns)])[:count]
    drawn: list[Procedural] = []
    for k, row in enumerate(rows.tolist()):
        choices = pictures[of_row.ravel()[row]]
        chosen = list(choices)[int(rng.choice(len(choices), p=list(choices.values())))]
        scene = Scene((VERSION, seed, STREAM, PICTURE, k), chosen, max(size), MAIN_LAB)
        drawn.append(Procedural(scene, *size))
    return drawn, targets[rows]
