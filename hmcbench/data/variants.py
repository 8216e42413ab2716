"""What a suite asks of its data beside a split: fewer training samples, wrong labels, classes never shown.

Each is one cell of its own (:meth:`hmcbench.data.protocol.Protocol.variants`) on the same test partition.
Everything is drawn by hashes of the split's seed and the sample ids, so it is the same on every machine, and
nested: the samples of a smaller share are among those of a larger one, as are the wrong labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import LISTED, SEEN, Split, fingerprinted, make_split
from hmcbench.data.stratify import SplitUnits
from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset

if TYPE_CHECKING:
    import numpy as np


class CannotBeUnknown(BadInput):
    """A class that these data cannot leave out: no sibling of it is shown, or no test sample is of it."""


def divide(dataset: Dataset, protocol: Protocol, fold: int = 0) -> tuple[Dataset, Split]:
    """The split of one fold, and the dataset as the cells of this protocol see it.

    A random split sets aside the dataset's own sides. Its further test sets may then hold copies of samples
    that a model sees: these are left out.

    Args:
        dataset: as its plugin made it.
        protocol: of cells: at most one share and one rate of noise.

    Raises:
        BadInput: what the protocol asks for cannot be done with these data.
    """
    split = make_split(dataset, protocol, fold)
    if protocol.kind != "predefined" and dataset.duplicates is not None:
        split = _without_copies(dataset, dataset.duplicates, split)
    if not (protocol.unknown or protocol.train_share or protocol.label_noise):
        return dataset, split
    if dataset.task.hierarchy is None and (protocol.unknown or protocol.label_noise):
        raise BadInput("unknown classes and label noise need classes; the dataset is a regression")
    if dataset.task.unit == "pixel" and (protocol.unknown or protocol.label_noise):
        raise BadInput(
            "unknown classes and label noise change labels of samples; the dataset labels pixels",
            allowed="train_share, or a dataset whose samples have labels",
        )
    if protocol.unknown:
        several = dataset.task.paths != "single"
        dataset, split = _without_classes(dataset, split, protocol.unknown)
        if several:
            text = "no metric of unknown classes: suspicion is defined for samples with one label path"
            split = replace(split, notes=(*split.notes, text))
    seed = protocol.seed + (fold if protocol.kind == "holdout" else 0)
    if protocol.train_share:
        split = _with_share(dataset, split, protocol.train_share[0], seed)
    if protocol.label_noise:
        dataset, split = _with_noise(dataset, split, protocol, seed)
    return dataset, split


def _without_copies(dataset: Dataset, keys: Sequence[str], split: Split) -> Split:
    """Further test sets without the copies of samples that a model sees; an empty one is gone."""
    seen = {keys[row] for side in SEEN for row in split.sides.get(side, ())} - {""}
    sides, notes = {name: rows.tolist() for name, rows in split.sides.items()}, list(split.notes)
    for name in sorted(sides.keys() - {"test", *SEEN}):
        kept = [row for row in sides[name] if keys[row] not in seen]
        left = len(sides[name]) - len(kept)
        if left:
            of = len(sides[name])
            notes.append(f"left out of {name}: {left} of {of} samples, copies of what a model sees")
            sides[name] = kept
            if not kept:
                del sides[name]
    return fingerprinted(dataset, sides, notes) if len(notes) > len(split.notes) else split


def can_be_unknown(hierarchy: Hierarchy, name: str) -> bool:
    """Whether a class has a sibling: else its parent would become an end, and nothing would be unknown."""
    above = hierarchy.parents(name)
    siblings = (
        hierarchy.children(above[0])
        if above
        else tuple(c for c in hierarchy.classes if not hierarchy.parents(c))
    )
    return len(siblings) > 1


# --------------------------------------------------------------------------- classes never shown


def _without_classes(dataset: Dataset, split: Split, unknown: Sequence[str]) -> tuple[Dataset, Split]:
    """The classes and all below them are taken out; their samples stay in ``test`` and further test sets.

    There they keep what lies above as truth. ``split.unknown`` has their rows.
    """
    import numpy as np

    hierarchy = _hierarchy(dataset)
    hidden = np.zeros(hierarchy.n, dtype=bool)
    for name in unknown:
        column = hierarchy.index(name)
        hidden |= np.asarray(hierarchy.descendants[[column]].toarray())[0]
    removed = [name for name, out in zip(hierarchy.classes, hidden, strict=True) if out]
    reduced = _reduced(hierarchy, removed, unknown)
    columns = np.array([hierarchy.index(name) for name in reduced.classes])
    rows = np.flatnonzero(np.asarray(dataset.targets[:, np.flatnonzero(hidden)].sum(axis=1)).ravel() > 0)
    sides = {
        name: side if name not in ("train", "validation", "calibration") else np.setdiff1d(side, rows)
        for name, side in split.sides.items()
    }
    tested = np.intersect1d(split.sides["test"], rows)
    names = ", ".join(unknown)
    if not len(tested) or not len(sides["train"]) or len(tested) == len(split.sides["test"]):
        raise CannotBeUnknown(
            f"unknown = {names}: {len(tested)} of {len(split.sides['test'])} test samples are of it",
            allowed="classes that some, and not all, training and test samples have",
        )
    left = len(rows) - sum(int(np.isin(side, rows).sum()) for side in sides.values())
    note = f"never shown: {names}: {left} samples left out, {len(tested)} in test"
    task = replace(
        dataset.task,
        hierarchy=reduced,
        unscored=tuple(name for name in dataset.task.unscored if name not in removed),
    )
    split = replace(fingerprinted(dataset, sides, [*split.notes, note]), unknown=frozenset(rows.tolist()))
    return replace(dataset, task=task, targets=dataset.targets[:, columns]), split


def _reduced(hierarchy: Hierarchy, removed: Sequence[str], unknown: Sequence[str]) -> Hierarchy:
    for name in unknown:
        above = hierarchy.parents(name)
        level = [c for c in hierarchy.classes if not hierarchy.parents(c)]
        siblings = set(hierarchy.children(above[0]) if above else level) - set(removed)
        if not siblings:
            where = f"of {above[0]}" if above else "at the top"
            raise CannotBeUnknown(
                f"unknown = {name}: it is the only class {where} that would be shown",
                allowed="a class with a sibling that stays known",
            )
    return hierarchy.without(removed)


def _hierarchy(dataset: Dataset) -> Hierarchy:
    assert dataset.task.hierarchy is not None, "divide() refuses regressions"
    hierarchy: Hierarchy = dataset.task.hierarchy
    return hierarchy


# --------------------------------------------------------------------------- fewer training samples


def _with_share(dataset: Dataset, split: Split, share: float, seed: int) -> Split:
    """The first units of an order in which every label set comes about evenly, up to ``share`` of all.

    Of n units with the same label sets the i-th stands at (i + u) / n, u drawn for the unit. So smaller
    shares are contained in larger ones, groups stay together, and label sets keep their shares.
    """
    import numpy as np

    train = split.sides["train"]
    ordered = _evenly(dataset, train.tolist(), seed)
    wanted = max(1, round(share * len(train)))
    chosen: list[int] = []
    for unit in ordered:
        if len(chosen) >= wanted:
            break
        chosen += unit
    lost = _lost(dataset, train, chosen)
    if lost and dataset.task.paths == "single":
        least = _least_share(dataset, ordered, len(train))
        raise BadInput(
            f"train_share = {share:g} leaves {len(lost)} classes without a training sample"
            f" ({', '.join(lost[:LISTED])})",
            allowed=f"shares from {least:.2g} on with these data",
        )
    notes = [*split.notes, f"training on {len(chosen)} of {len(train)} samples"]
    if lost:
        more = f" and {len(lost) - LISTED} more" if len(lost) > LISTED else ""
        notes.append(f"classes without a training sample at this share: {', '.join(lost[:LISTED])}{more}")
    sides: dict[str, Any] = {**split.sides, "train": np.array(chosen, dtype=np.int64)}
    return replace(fingerprinted(dataset, sides, notes), unknown=split.unknown)


def _evenly(dataset: Dataset, rows: Sequence[int], seed: int) -> list[list[int]]:
    """Units of samples in the order in which they are taken."""
    placed = []
    for bundle in SplitUnits(dataset, seed).bundles(rows):
        for i, unit in enumerate(bundle.units):
            name = dataset.ids[unit[0]]
            placed.append(((i + _number(seed, "share", name)) / len(bundle.units), name, unit))
    return [unit for _, _, unit in sorted(placed)]


def _number(seed: int, what: str, name: str) -> float:
    """A number in [0, 1) that depends on nothing else."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{what}\n{name}".encode()).digest()[:6], "big") / 2**48


def _lost(dataset: Dataset, train: np.ndarray, chosen: Sequence[int]) -> list[str]:
    """Classes that have training samples, but none of those chosen."""
    import numpy as np

    if dataset.task.hierarchy is None or dataset.task.unit == "pixel":
        return []
    before, after = (
        np.asarray(dataset.targets[rows].sum(axis=0)).ravel() > 0
        for rows in (train, np.array(chosen, dtype=np.int64))
    )
    return [
        name for name, b, a in zip(dataset.task.hierarchy.classes, before, after, strict=True) if b and not a
    ]


def _least_share(dataset: Dataset, ordered: Sequence[Sequence[int]], total: int) -> float:
    """The least share, in whole hundredths, that leaves no class empty."""
    import math

    import numpy as np

    rows = np.array([row for unit in ordered for row in unit], dtype=np.int64)
    targets = dataset.targets[rows]
    dense = targets.toarray() if hasattr(targets, "toarray") else np.asarray(targets)
    first = dense.argmax(axis=0)[dense.any(axis=0)]
    return math.ceil(100 * (int(first.max(initial=0)) + 1) / total) / 100


# --------------------------------------------------------------------------- wrong labels


def _with_noise(dataset: Dataset, split: Split, protocol: Protocol, seed: int) -> tuple[Dataset, Split]:
    """One label of a share of the training samples becomes another one; other partitions keep theirs."""
    import numpy as np
    from scipy.sparse import issparse, vstack

    hierarchy, rate = _hierarchy(dataset), protocol.label_noise[0]
    train = split.sides["train"].tolist()
    ordered = sorted(train, key=lambda row: (_number(seed, "noise", dataset.ids[row]), dataset.ids[row]))
    dense = dataset.targets[split.sides["train"]]
    ends = {name for row in hierarchy.most_specific(dense).nonzero()[1] for name in (hierarchy.classes[row],)}
    candidates = _Candidates(hierarchy, sorted(ends), protocol.noise_to)
    rows, labels = [], []
    for row in ordered[: round(rate * len(train))]:
        name, names = dataset.ids[row], list(hierarchy.decode(dataset.targets[[row]]))
        if not names:
            continue
        old = names[int(_number(seed, "label", name) * len(names))]
        others = candidates.of(old)
        if others:
            new = others[int(_number(seed, "other", name) * len(others))]
            rows.append(row)
            labels.append([new if label == old else label for label in names])
    changed = hierarchy.encode(labels)
    if issparse(dataset.targets):
        place = np.arange(len(dataset.ids))
        place[rows] = len(dataset.ids) + np.arange(len(rows))
        targets: Any = vstack([dataset.targets, changed], format="csr")[place]
    else:
        targets = np.array(dataset.targets)
        targets[rows] = changed.toarray()
    where = "a sibling" if protocol.noise_to == "sibling" else "any class"
    note = f"label noise: {len(rows)} of {len(train)} training samples have one label changed to {where}"
    return replace(dataset, targets=targets), replace(split, notes=(*split.notes, note))


class _Candidates:
    """What a label may be taken for."""

    def __init__(self, hierarchy: Hierarchy, ends: Sequence[str], to: str) -> None:
        self.hierarchy, self.ends, self.to = hierarchy, ends, to
        self._known: dict[str, list[str]] = {}

    def of(self, label: str) -> list[str]:
        """Other ends: those below the nearest class above that has any, or all of them."""
        if label not in self._known:
            self._known[label] = self._find(label)
        return self._known[label]

    def _find(self, label: str) -> list[str]:
        if self.to == "sibling":
            above = [label]
            while above := [parent for name in above for parent in self.hierarchy.parents(name)]:
                below = {name for parent in above for name in self._below(parent)}
                nearest = [end for end in self.ends if end in below and end not in (label, *above)]
                if nearest:
                    return nearest
        return [end for end in self.ends if end != label]

    def _below(self, name: str) -> list[str]:
        row = self.hierarchy.descendants[[self.hierarchy.index(name)]]
        return [self.hierarchy.classes[i] for i in row.indices]
