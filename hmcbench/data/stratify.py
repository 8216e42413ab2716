"""Stratification: assigns samples to partitions in given shares with similar label distributions.

Samples that must stay together (a group, identical copies) are one *unit*; units with the same label
sets form a *bundle*. Bundles are assigned large units first, then rare classes first. Every partition
gets the integer part of its share of a bundle; each remaining unit goes to the partition that lacks its
label set, its classes and samples in general most: a greedy assignment similar to iterative
stratification [Sechidis, Tsoumakas & Vlahavas 2011]. All arithmetic is on integers and the only random
number is a hash of seed and sample id, so the result is the same in every process, on every machine and
for every order of the rows. The code calls a partition a ``side``.
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
    """Units with the same label sets.

    Attributes:
        units: in random order.
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

    Every partition should get its share of every feature: of each class (its column), each label set (a
    number after the columns) and of all samples (number -1).

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

        A class that only one unit has goes to ``train``, if there is such a partition. Adds a note
        where the result differs from exact shares by more than rounding.

        Raises:
            BadInput: fewer units than partitions.
        """
        wanted = {side: share for side, share in shares.items() if share}
        bundles = self.bundles(rows)
        units = sum(len(bundle.units) for bundle in bundles)
        if units < len(wanted):
            samples = sum(len(bundle.units) * bundle.size for bundle in bundles)
            parts = ", ".join(wanted) if len(wanted) < 5 else f"{len(wanted)} parts"
            raise BadInput(
                f"{samples} samples in {units} units cannot be divided into {parts}",
                allowed="at least one unit per side (groups and identical copies are one unit)",
            )
        lone, bundles, weights = _set_aside(bundles, wanted)
        assignment = _Assignment(bundles, weights, self.features)
        for bundle in bundles:
            assignment.add(bundle)
        sides = assignment.sides()
        for bundle in lone:
            sides["train"] += bundle.units[0]
        notes += self._deviations(sides, wanted)
        return {side: sides.get(side, []) for side in shares}

    def bundles(self, rows: Iterable[int]) -> list[Bundle]:
        """The bundles of ``rows``, in the order of assignment."""
        ids = self.dataset.ids
        members: dict[int, Unit] = defaultdict(list)
        for row in sorted(rows, key=ids.__getitem__):
            members[self.unit_of[row]].append(row)
        by_sets: dict[tuple[int, ...], list[tuple[str, Unit]]] = defaultdict(list)
        for unit in members.values():
            random = hashlib.sha256(f"{self.seed}\n{ids[unit[0]]}".encode()).hexdigest()
            by_sets[tuple(sorted([self.sets[row] for row in unit]))].append((random, unit))
        holders: Counter[int] = Counter()
        for units in by_sets.values():
            for k in {k for row in units[0][1] for k in self.classes[row]}:
                holders[k] += len(units)
        ordered = []
        for units in by_sets.values():
            units.sort()
            random, first = units[0]
            counts = Counter([k for row in first for k in (*self.classes[row], self.sets[row], -1)])
            rarity = min([holders[k] for row in first for k in self.classes[row]], default=len(members))
            bundle = Bundle([unit for _random, unit in units], list(counts.items()), rarity)
            ordered.append(((-len(first), rarity, random), bundle))
        return [bundle for _key, bundle in sorted(ordered, key=lambda entry: entry[0])]

    def _deviations(self, sides: Mapping[str, list[int]], shares: Mapping[str, int]) -> list[str]:
        """A line on the largest deviation of a class (or size) over a sample and a tenth of its share."""
        whole = sum(shares.values())
        counts = {s: Counter([k for r in rows for k in (*self.classes[r], -1)]) for s, rows in sides.items()}
        total = sum(counts.values(), Counter())
        off: dict[tuple[int, str], int] = {}
        for side, share in shares.items():
            for k, n in total.items():
                distance = abs(share * n - whole * counts[side][k])
                if distance > whole and 10 * distance > share * n:
                    off[k, side] = distance
        if not off:
            return []
        k, side = max(off, key=lambda place: (off[place], -place[0], place[1]))
        hierarchy = self.dataset.task.hierarchy
        name = "samples" if k < 0 or hierarchy is None else hierarchy.classes[k]
        exact = shares[side] * total[k] / whole
        others = f" (other counts like this: {len(off) - 1})" if len(off) > 1 else ""
        return [f"not exactly stratified: {name} in {side}: {counts[side][k]}, expected {exact:.1f}{others}"]


def rows_by_key(keys: Sequence[str] | None) -> dict[str, list[int]]:
    """Key -> rows; rows with an empty key are left out."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys or ()):
        if key:
            rows[key].append(row)
    return rows


def _class_rows(dataset: Dataset) -> list[tuple[int, ...]]:
    """The columns of every sample's classes."""
    import numpy as np

    n = len(dataset.ids)
    if dataset.task.kind != "hmc":
        return [()] * n
    targets = dataset.targets.present if dataset.task.unit == "pixel" else dataset.targets
    rows, columns = targets.nonzero()
    order = np.lexsort((columns, rows))
    cuts = np.searchsorted(rows[order], np.arange(n + 1)).tolist()
    classes = columns[order].tolist()
    return [tuple(classes[start:stop]) for start, stop in pairwise(cuts)]


def _union(n: int, *bonds: Mapping[str, Sequence[int]]) -> list[int]:
    """Rows that are connected, directly or through others, get the same number (union-find)."""
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
    """Bundles for train whose unit alone has some class, the other bundles, and the shares of those.

    Train's share of the others is reduced so that the partitions keep their sizes. Where there are too
    many such units for that, none is set aside.
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


class _Assignment:
    """The units of every partition, the features that it lacks, and the room that is left in it.

    Single units fill the partitions to their exact sizes, rounded; a unit that fits nowhere goes where
    most room is left. Of a bundle no partition gets more than its share, rounded up, if that is possible.
    """

    def __init__(self, bundles: Sequence[Bundle], shares: Mapping[str, int], features: int) -> None:
        self.names, self.weights = list(shares), list(shares.values())
        self.all = range(len(self.names))
        self.whole = sum(self.weights)
        self.assigned: list[list[Unit]] = [[] for _ in self.names]
        self.lack = [[0] * features for _ in self.names]  # share of all assigned, minus own; times whole
        room = _rounded(sum(len(b.units) * b.size for b in bundles), self.weights)
        self.room = [room[j] - sum(self._whole_part(b, j) * b.size for b in bundles) for j in self.all]

    def _whole_part(self, bundle: Bundle, j: int) -> int:
        return len(bundle.units) * self.weights[j] // self.whole

    def add(self, bundle: Bundle) -> None:
        """Assign the integer part of every share, then the remaining units one by one."""
        start = 0
        for j in self.all:
            n_units = self._whole_part(bundle, j)
            self.assigned[j] += bundle.units[start : start + n_units]
            start += n_units
            excess = self.weights[j] * len(bundle.units) - self.whole * n_units
            for k, n in bundle.counts:
                self.lack[j][k] += n * excess
        due = {j for j in self.all if len(bundle.units) * self.weights[j] % self.whole}
        for unit in bundle.units[start:]:
            j = self._choose(bundle, due)
            due.discard(j)
            self.assigned[j].append(unit)
            self.room[j] -= bundle.size
            lack = self.lack[j]
            for k, n in bundle.counts:
                lack[k] -= self.whole * n

    def _choose(self, bundle: Bundle, due: set[int]) -> int:
        """The partition for one unit; ``due`` are those whose share was not rounded up yet."""
        fitting = [j for j in self.all if bundle.size <= self.room[j]]
        if not fitting:
            return max(self.all, key=lambda j: (self.room[j], -j))
        best: list[tuple[int, int, int]] = []
        for j in [j for j in fitting if j in due] or fitting:
            lack = self.lack[j]
            best.append((sum([n * lack[k] for k, n in bundle.counts]), lack[-1], -j))
        return -max(best)[2]

    def sides(self) -> dict[str, list[int]]:
        """Side -> rows; an empty partition takes the last unit of the one with the most."""
        while not all(self.assigned):
            self.assigned[self.assigned.index([])].append(max(self.assigned, key=len).pop())
        rows = ([row for unit in units for row in unit] for units in self.assigned)
        return dict(zip(self.names, rows, strict=True))


def _rounded(total: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to ``weights`` with the sum ``total`` (largest remainders)."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda j: (-(total * weights[j] % whole), j))
    for j in by_remainder[: total - sum(parts)]:
        parts[j] += 1
    return parts
