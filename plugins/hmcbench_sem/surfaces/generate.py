"""The synthetic data of version 3, in place of the images of Han et al. 2025, which are not public.

None shows a real specimen. Training counts are those of the paper's table 1; the test set and the shifted
test set hold 1,500 images each, in the proportions of the table's test set. A picture depends on the version,
the seed and its own number alone, so each can be drawn alone.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import numpy as np

from hmcbench_sem.fractographs.generate import Fractographs, check_parameters
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS, LEAVES
from hmcbench_sem.surfaces.looks import BARE, BY_NAME, LOOKS, Look, of_leaf
from hmcbench_sem.surfaces.microscope import MAIN_LAB, OTHER_LAB, Lab
from hmcbench_sem.surfaces.pictures import Rendered, render

VERSION = 3  # raise it whenever any picture changes by more than rounding
EVALUATED = 1500  # images of the test set, and of the shifted test set
SIDES = ("train", "test", "shifted")
PLAN, PICTURE = range(2)  # streams of random numbers
PARTLY_BARE = 0.12  # share of the pictures that also show a surface without any mechanism
THIRD = 0.3  # share of the composite pictures that show three mechanisms
OVERLAP = 1.3  # widest over narrowest picture in which two looks may meet


@dataclass(frozen=True)
class Scene:
    """One picture, drawn when it is loaded and never kept.

    Attributes:
        entropy: seed of its random numbers.
        looks: names of what it shows (:data:`hmcbench_sem.surfaces.looks.BY_NAME`), its own class first.
        size: pixels along a side.
        instrument: ranges of its settings.
    """

    entropy: tuple[int, ...]
    looks: tuple[str, ...]
    size: int
    instrument: Lab

    @property
    def classes(self) -> tuple[str, ...]:
        """Ids of its leaves."""
        return tuple(dict.fromkeys(BY_NAME[name].leaf for name in self.looks if BY_NAME[name].leaf))

    def render(self) -> Rendered:
        """Grey levels, masks and scale."""
        return render(self.entropy, self.looks, self.size, self.instrument)

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Grey levels, (size, size) uint8; ``min_side`` changes nothing."""
        return self.render().grey

    def masks(self) -> dict[str, np.ndarray]:
        """Leaf -> (size, size) bool: where its mechanism shows. A pixel belongs to one leaf or to none."""
        masks = {leaf: np.zeros((self.size, self.size), dtype=bool) for leaf in self.classes}
        for name, mask in self.render().masks.items():
            if BY_NAME[name].leaf:
                masks[BY_NAME[name].leaf] |= mask
        return masks


def pictures(size: int = 128, seed: int = 0, composite: float = 0.0, shifted: bool = True) -> Fractographs:
    """1,771 synthetic fractographs for training in six classes, 1,500 for testing, 1,500 more of another lab.

    Args:
        size: pixels along a side, 32 to 2,048. The same scenes at every size.
        seed: >= 0; another seed draws other specimens, in all partitions.
        composite: share of every partition, 0 to 1, that shows two or three mechanisms with irregular
            borders between them. It makes the task multi-label.
        shifted: adds the test set ``shifted``: another detector, more tilt, noise and defocus, and all looks
            of a class equally often.

    Raises:
        BadInput: a value outside these ranges.
    """
    check_parameters(size, seed, composite)
    ids: list[str] = []
    images: list[Scene] = []
    split: list[str] = []
    for number, side in enumerate(SIDES if shifted else SIDES[:2]):
        counts = [leaf.train for leaf in LEAVES] if side == "train" else test_counts()
        instrument = OTHER_LAB if side == "shifted" else MAIN_LAB
        plan = _plan(counts, composite, side == "shifted", (VERSION, seed, number, PLAN))
        names = (name.rpartition("/")[2] for name in LEAF_IDS)
        pairs = zip(names, counts, strict=True)
        ids += [f"synthetic-{side}-{name}-{k + 1:04d}" for name, n in pairs for k in range(n)]
        images += [
            Scene((VERSION, seed, number, PICTURE, k), looks, size, instrument)
            for k, looks in enumerate(plan)
        ]
        split += [side] * sum(counts)
    recipe = ["surfaces", VERSION, int(size), int(seed), float(composite), bool(shifted)]
    fingerprint = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()
    return Fractographs(ids, images, [list(image.classes) for image in images], split, fingerprint)


def test_counts() -> list[int]:
    """Images per leaf of a test set of :data:`EVALUATED`, in the proportions of table 1."""
    exact = np.array([leaf.test for leaf in LEAVES]) * (EVALUATED / sum(leaf.test for leaf in LEAVES))
    counts = np.floor(exact).astype(int)
    short = EVALUATED - int(counts.sum())
    counts[np.argsort(counts - exact)[:short]] += 1
    return [int(count) for count in counts]


def _plan(
    counts: Sequence[int], composite: float, even: bool, entropy: tuple[int, ...]
) -> list[tuple[str, ...]]:
    """The looks of each picture, ``counts`` per leaf in the order of the taxonomy."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
    leaves = np.repeat(LEAF_IDS, counts)
    mixed = rng.permutation(len(leaves)) < round(composite * len(leaves))
    drawn = rng.random((len(leaves), 6))
    plan = []
    for leaf, several, u in zip(leaves, mixed, drawn, strict=True):
        looks = [_choose(of_leaf(str(leaf)), even, u[0])]
        if several:
            for k in range(2 if u[5] < THIRD else 1):
                others = _partners(tuple(looks))
                if others:  # three looks may have no width in common
                    looks.append(_choose(others, even, u[1 + k]))
        elif u[3] < PARTLY_BARE:
            looks.append(BARE)
        plan.append(tuple(look.name for look in looks))
    return plan


def _choose(looks: Sequence[Look], even: bool, u: float) -> Look:
    """One of ``looks`` by share, or all alike; ``u`` is uniform."""
    shares = list(accumulate(1.0 if even else look.share for look in looks))
    return looks[bisect_right(shares, u * shares[-1], hi=len(looks) - 1)]


@cache
def _partners(looks: tuple[Look, ...]) -> list[Look]:
    """Looks of other leaves that suit a picture of the same width."""
    narrow, wide = max(look.width[0] for look in looks), min(look.width[1] for look in looks)
    leaves = {look.leaf for look in looks}
    return [
        other
        for other in LOOKS
        if other.leaf not in leaves and min(wide, other.width[1]) >= OVERLAP * max(narrow, other.width[0])
    ]
