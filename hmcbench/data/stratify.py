"""Deal samples out to sides in given shares, so that every side looks like the whole.

What must stay together (a group, identical copies) is one *unit*; units with the same label sets
form a *bundle*. Bundles are dealt large units first, then rare classes first. Every side gets its
whole share of a bundle; what is left over goes, unit by unit, to the side that lacks its label
set, its classes and samples in general most: a greedy assignment in the spirit of iterative
stratification [Sechidis, Tsoumakas & Vlahavas 2011]. All arithmetic is on integers and the only
chance is a hash of seed and sample id, so the same ids land on the same side in every process, on
every machine, in whatever order the rows come.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from hmcbench.errors import BadInput

if TYPE_CHECKING:
    from hmcbench.interfaces import Dataset

Unit = list[int]
"""Rows that stay together, in the order of their ids."""


@dataclass(frozen=True)
class Bundle:
    """Units that differ in nothing but chance.

    Attributes:
        units: in the order of chance.
        counts: (feature, how many samples of one unit have it).
        rarity: the number of units that hold its rarest class.
    """

    units: list[Unit]
    counts: list[tuple[int, int]]
    rarity: int

    @property
    def size(self) -> int:
        """Samples in one unit."""
        return len(self.units[0])


class SplitUnits:
    """Features and units of all samples of a dataset.

    A feature is something of which every side should get its share: a class (its column), a label
    set (a number after the columns), and last, as number -1, being a sample at all.

    Attributes:
        classes: per sample, the columns of its classes, ancestors included; empty for regression.
    """

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.dataset, self.seed = dataset, seed
        self.classes = _class_rows(dataset)
        width = dataset.task.hierarchy.n if dataset.task.hierarchy is not None else 0
        numbers: dict[tuple[int, ...], int] = {}
        self.sets = [numbers.setdefault(columns, width + len(numbers)) for columns in self.classes]
        self.features = width + len(numbers) + 1
        self.unit_of = _union(len(dataset.ids), rows_by_key(dataset.groups), rows_by_key(dataset.duplicates))

    def divide(
        self, rows: Iterable[int], shares: Mapping[str, int], notes: list[str]
    ) -> dict[str, list[int]]:
        """Rows -> side -> rows, in proportion to ``shares`` (whole numbers); a share of 0 stays empty.

        A class that only one unit has goes to a side called ``train``, if there is one. Adds a
        note where the result is further from exact shares than rounding explains.

        Raises:
            BadInput: fewer units than sides.
        """
        wanted = {side: share for side, share in shares.items() if share}
        bundles = self.bundles(rows)
        units = sum(len(bundle.units) for bundle in bundles)
        if units < len(wanted):
            samples = sum(len(bundle.units) * bundle.size for bundle in bundles)
            raise BadInput(
                f"{samples} samples in {units} units cannot be divided into {', '.join(wanted)}",
                allowed="at least one unit per side (groups and identical copies are one unit)",
            )
        lone, bundles, weights = _set_aside(bundles, wanted)
        deal = _Deal(bundles, weights, self.features)
        for bundle in bundles:
            deal.bundle(bundle)
        dealt = deal.sides()
        for bundle in lone:
            dealt["train"] += bundle.units[0]
        notes += self._deviations(dealt, wanted)
        return {side: dealt.get(side, []) for side in shares}

    def bundles(self, rows: Iterable[int]) -> list[Bundle]:
        """The bundles that ``rows`` fall into, in the order in which they are dealt."""
        ids = self.dataset.ids
        members: dict[int, Unit] = defaultdict(list)
        for row in sorted(rows, key=ids.__getitem__):
            members[self.unit_of[row]].append(row)
        alike: dict[tuple[int, ...], list[tuple[str, Unit]]] = defaultdict(list)
        for unit in members.values():
            chance = hashlib.sha256(f"{self.seed}\n{ids[unit[0]]}".encode()).hexdigest()
            alike[tuple(sorted([self.sets[row] for row in unit]))].append((chance, unit))
        holders: Counter[int] = Counter()
        for drawn in alike.values():
            for k in {k for row in drawn[0][1] for k in self.classes[row]}:
                holders[k] += len(drawn)
        ordered = []
        for drawn in alike.values():
            drawn.sort()
            chance, first = drawn[0]
            counts = Counter([k for row in first for k in (*self.classes[row], self.sets[row], -1)])
            rarity = min([holders[k] for row in first for k in self.classes[row]], default=len(members))
            bundle = Bundle([unit for _chance, unit in drawn], list(counts.items()), rarity)
            ordered.append(((-len(first), rarity, chance), bundle))
        return [bundle for _key, bundle in sorted(ordered, key=lambda entry: entry[0])]

    def _deviations(self, dealt: Mapping[str, list[int]], shares: Mapping[str, int]) -> list[str]:
        """One line on the class (or size) that is off most, by over a sample and a tenth of its share."""
        whole = sum(shares.values())
        given = {s: Counter([k for r in rows for k in (*self.classes[r], -1)]) for s, rows in dealt.items()}
        total = sum(given.values(), Counter())
        off: dict[tuple[int, str], int] = {}
        for side, share in shares.items():
            for k, n in total.items():
                distance = abs(share * n - whole * given[side][k])
                if distance > whole and 10 * distance > share * n:
                    off[k, side] = distance
        if not off:
            return []
        k, side = max(off, key=lambda place: (off[place], -place[0], place[1]))
        hierarchy = self.dataset.task.hierarchy
        name = "samples" if k < 0 or hierarchy is None else hierarchy.classes[k]
        exact = shares[side] * total[k] / whole
        others = f" (other counts like this: {len(off) - 1})" if len(off) > 1 else ""
        return [f"not exactly stratified: {name} in {side}: {given[side][k]}, expected {exact:.1f}{others}"]


def rows_by_key(keys: Sequence[str] | None) -> dict[str, list[int]]:
    """Rows with the same key; an empty key binds nothing."""
    found: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys or ()):
        if key:
            found[key].append(row)
    return found


def _class_rows(dataset: Dataset) -> list[tuple[int, ...]]:
    """The columns of every sample's classes."""
    import numpy as np

    n = len(dataset.ids)
    if dataset.task.kind != "hmc":
        return [()] * n
    rows, columns = dataset.targets.nonzero()
    order = np.lexsort((columns, rows))
    cuts = np.searchsorted(rows[order], np.arange(n + 1)).tolist()
    found = columns[order].tolist()
    return [tuple(found[start:stop]) for start, stop in pairwise(cuts)]


def _union(n: int, *bonds: Mapping[str, Sequence[int]]) -> list[int]:
    """Rows that are bound together, directly or through others, get the same number (union-find)."""
    parent = list(range(n))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for groups in bonds:
        for first, *others in groups.values():
            for other in others:
                parent[root(other)] = root(first)
    return [root(row) for row in range(n)]


def _set_aside(
    bundles: list[Bundle], shares: Mapping[str, int]
) -> tuple[list[Bundle], list[Bundle], dict[str, int]]:
    """Units for train that alone hold some class, the other bundles, and the shares of those others.

    Train's share of the others is so much smaller that the sides come out at their sizes. Where
    there are too many such units for that, none is set aside.
    """
    lone = [bundle for bundle in bundles if bundle.rarity == 1]
    others = [bundle for bundle in bundles if bundle.rarity > 1]
    kept = sum(bundle.size for bundle in lone)
    total = kept + sum(len(bundle.units) * bundle.size for bundle in others)
    weights = {side: share * total for side, share in shares.items()}
    if "train" in weights and lone:
        weights["train"] -= sum(shares.values()) * kept
        if weights["train"] > 0 and sum(len(bundle.units) for bundle in others) >= len(shares):
            return lone, others, weights
    return [], bundles, dict(shares)


class _Deal:
    """The table: what every side has, lacks, and has room for.

    Single units fill the sides to their exact sizes, rounded; a unit that fits nowhere goes where
    most room is left. Of like units no side gets more than its share, rounded up, while it can be
    helped.
    """

    def __init__(self, bundles: Sequence[Bundle], shares: Mapping[str, int], features: int) -> None:
        self.names, self.weights = list(shares), list(shares.values())
        self.all = range(len(self.names))
        self.whole = sum(self.weights)
        self.dealt: list[list[Unit]] = [[] for _ in self.names]
        self.lack = [[0] * features for _ in self.names]  # share of what was dealt, less own; times whole
        room = _rounded(sum(len(b.units) * b.size for b in bundles), self.weights)
        self.room = [room[j] - sum(self._sure(b, j) * b.size for b in bundles) for j in self.all]

    def _sure(self, bundle: Bundle, j: int) -> int:
        return len(bundle.units) * self.weights[j] // self.whole

    def bundle(self, bundle: Bundle) -> None:
        """Deal the sure parts, then unit by unit what is left over."""
        start = 0
        for j in self.all:
            sure = self._sure(bundle, j)
            self.dealt[j] += bundle.units[start : start + sure]
            start += sure
            excess = self.weights[j] * len(bundle.units) - self.whole * sure
            for k, n in bundle.counts:
                self.lack[j][k] += n * excess
        due = {j for j in self.all if len(bundle.units) * self.weights[j] % self.whole}
        for unit in bundle.units[start:]:
            j = self._choose(bundle, due)
            due.discard(j)
            self.dealt[j].append(unit)
            self.room[j] -= bundle.size
            lack = self.lack[j]
            for k, n in bundle.counts:
                lack[k] -= self.whole * n

    def _choose(self, bundle: Bundle, due: set[int]) -> int:
        """The side for one unit; ``due`` are those that have not had their part rounded up."""
        fitting = [j for j in self.all if bundle.size <= self.room[j]]
        if not fitting:
            return max(self.all, key=lambda j: (self.room[j], -j))
        best: list[tuple[int, int, int]] = []
        for j in [j for j in fitting if j in due] or fitting:
            lack = self.lack[j]
            best.append((sum([n * lack[k] for k, n in bundle.counts]), lack[-1], -j))
        return -max(best)[2]

    def sides(self) -> dict[str, list[int]]:
        """Side -> rows; a side that got nothing takes the last unit of the one with the most."""
        while not all(self.dealt):
            self.dealt[self.dealt.index([])].append(max(self.dealt, key=len).pop())
        return {name: [row for unit in self.dealt[j] for row in unit] for j, name in enumerate(self.names)}


def _rounded(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` in proportion to ``weights``, as whole numbers of that sum (largest remainders)."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda j: (-(total * weights[j] % whole), j))
    for j in by_remainder[: total - sum(parts)]:
        parts[j] += 1
    return parts
