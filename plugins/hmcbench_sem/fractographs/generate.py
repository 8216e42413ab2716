"""Synthetic fractographs of version 2, in place of the images of Han et al. 2025, which are not public.

Every picture is drawn by a procedure (:mod:`hmcbench_sem.fractographs.scenes`); none shows a real
specimen. Class counts are those of the paper's table 1. A picture depends on the
generator's version, the seed and its own number alone, so each can be drawn alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.interfaces import Image
from hmcbench_sem.fractographs.detector import MAIN_LAB, OTHER_LAB, Instrument
from hmcbench_sem.fractographs.scenes import Drawn, render
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS, LEAVES

VERSION = 1  # of these streams; published records rest on these pictures, which therefore stay as they are
SIZES = (32, 2048)
MAIN, SHIFTED, PICTURE, COMPOSITE = range(4)  # streams of random numbers


@dataclass(frozen=True)
class Fractograph:
    """One picture, drawn when it is loaded and never kept.

    Attributes:
        entropy: seed of its random numbers.
        classes: one or two ids of leaves.
        size: pixels along a side.
        instrument: ranges of its settings.
    """

    entropy: tuple[int, ...]
    classes: tuple[str, ...]
    size: int
    instrument: Instrument

    def render(self) -> Drawn:
        """Grey levels and where the second class shows."""
        return render(self.entropy, self.classes, self.size, self.instrument)

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Grey levels, (size, size) uint8; ``min_side`` changes nothing."""
        return self.render().grey

    def masks(self) -> dict[str, np.ndarray]:
        """Leaf -> (size, size) bool: where its failure shows. A pixel belongs to one leaf."""
        second = self.render().second
        return dict(zip(self.classes, (~second, second), strict=False))


@dataclass(frozen=True)
class Fractographs:
    """A synthetic dataset: all columns have the same order and length.

    Attributes:
        ids: ``synthetic-train-fatigue-0001``, the same for every seed and size.
        images: objects with ``load()``.
        labels: ids of leaves: one, or two where failures are composite.
        split: side of each: ``train``, ``test`` or ``shifted``.
        fingerprint: hex digest over the generator's version and parameters.
    """

    ids: Sequence[str]
    images: Sequence[Image]
    labels: Sequence[Sequence[str]]
    split: Sequence[str]
    fingerprint: str


def fractographs(
    size: int = 128, seed: int = 0, composite: float = 0.0, shifted: bool = True
) -> Fractographs:
    """1,964 synthetic fractographs in six classes, and 193 more of another instrument.

    Args:
        size: pixels along a side, 32 to 2,048. The same scenes at every size.
        seed: >= 0; another seed draws other specimens.
        composite: share of every partition, 0 to 1, that shows two failures with an irregular
            border between them. It makes the task multi-label.
        shifted: adds the test set ``shifted``: the classes in the proportions of ``test``, at lower
            magnification, with another detector and more noise. No seed changes it.

    Raises:
        BadInput: a value outside these ranges.
    """
    check_parameters(size, seed, composite)
    ids: list[str] = []
    images: list[Fractograph] = []
    split: list[str] = []
    for side in ("train", "test", "shifted") if shifted else ("train", "test"):
        counts = [leaf.train if side == "train" else leaf.test for leaf in LEAVES]
        names = [leaf.id.rpartition("/")[2] for leaf in LEAVES]
        pairs = zip(names, counts, strict=True)
        ids += [f"synthetic-{side}-{name}-{k + 1:04d}" for name, n in pairs for k in range(n)]
        frozen = side == "shifted"  # its stream does not depend on the seed
        instrument, start = (OTHER_LAB, 0) if frozen else (MAIN_LAB, len(images))
        stream = (VERSION, SHIFTED, 0) if frozen else (VERSION, MAIN, seed)
        for k, classes in enumerate(_classes(counts, composite, (*stream, COMPOSITE, start))):
            images.append(Fractograph((*stream, PICTURE, start + k), classes, size, instrument))
        split += [side] * sum(counts)
    recipe = [VERSION, int(size), int(seed), float(composite), bool(shifted)]
    fingerprint = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()
    return Fractographs(ids, images, [list(image.classes) for image in images], split, fingerprint)


def check_parameters(size: int, seed: int, composite: float) -> None:
    """Raise BadInput, with the allowed range, for a parameter of the synthetic data outside it."""
    low, high = SIZES
    if not low <= size <= high:
        raise BadInput(f"size {size} of the synthetic fractographs", allowed=f"{low} to {high} pixels")
    if seed < 0:
        raise BadInput(f"seed {seed} of the synthetic fractographs", allowed="0 or more")
    if not 0 <= composite <= 1:
        raise BadInput(f"composite {composite} of the synthetic fractographs", allowed="a share from 0 to 1")


def _classes(counts: Sequence[int], composite: float, entropy: tuple[int, ...]) -> list[tuple[str, ...]]:
    """The class of each picture, ``counts`` per leaf in the order of LEAVES; a share gets a second one."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
    first = np.repeat(np.arange(len(counts)), counts)
    rank = rng.permutation(len(first))
    second = (first + rng.integers(1, len(counts), len(first))) % len(counts)
    both = rank < round(composite * len(first))
    rows = zip(first, second, both, strict=True)
    return [(LEAF_IDS[i], LEAF_IDS[j]) if two else (LEAF_IDS[i],) for i, j, two in rows]
