"""Divides a dataset into train, validation and test: stratified, group-aware, the same on every machine.

This module decides which partitions a protocol needs, which the dataset defines itself, and which notes the
record gets. :mod:`hmcbench.data.stratify` divides. The code calls a partition a ``side``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hmcbench.data.contract import USUAL
from hmcbench.data.protocol import Protocol
from hmcbench.data.stratify import SplitUnits, rows_by_key
from hmcbench.data.views import Rows
from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, Inputs, Labelled

if TYPE_CHECKING:
    import numpy as np

SCALE = 1_000_000  # shares are whole millionths
LISTED = 8  # names in a note; further ones are counted
SEEN = ("train", "validation", "calibration")  # partitions that a model, or what corrects it, sees


@dataclass(frozen=True)
class Split:
    """The partitions of one fold.

    Attributes:
        sides: ``train``, ``validation``, ``test`` and further test sets -> int64 positions in
            ``dataset.ids``, in the order of the ids.
        fingerprint: hex digest of the partitions and their ids.
        notes: for the record: absent classes, deviations, leaks.
        unknown: rows of classes that the run never shows (:mod:`hmcbench.data.variants`).
    """

    sides: Mapping[str, np.ndarray]
    fingerprint: str
    notes: tuple[str, ...]
    unknown: frozenset[int] = frozenset()


def make_split(dataset: Dataset, protocol: Protocol, fold: int = 0) -> Split:
    """Divide ``dataset`` as ``protocol`` says.

    - ``holdout``: ``protocol.test`` of the samples, then ``protocol.validation`` of the others; fold
      ``fold`` (0 to ``repeats - 1``) is another draw.
    - ``kfold``: fold ``fold`` (0 to ``folds - 1``) is the test partition; validation as above.
    - ``predefined``: the dataset's own partitions; undecided samples (``""``) train. Where there is no
      test partition it is drawn from the undecided samples, and a validation partition from train.

    Where ``protocol.calibration`` is not 0, that share of the training samples is the partition
    ``calibration``; one that the dataset defines stays as it is.

    Partitions of the dataset with other names than the usual three (``shifted``) are kept under every
    protocol and never trained on. A class that only one unit has goes to train. What cannot be
    balanced is in ``notes``, never an error.

    Raises:
        BadInput: fewer units than partitions or folds, nothing to train on, an unknown fold.
    """
    folds = protocol.splits
    if not 0 <= fold < folds:
        raise BadInput(f"fold {fold} of a {protocol.kind} split", allowed=f"folds 0 to {folds - 1}")
    samples = SplitUnits(dataset, protocol.seed + (fold if protocol.kind == "holdout" else 0))
    sides, notes = _own_sides(dataset, protocol)
    free = sides.pop("", [])
    if protocol.kind == "kfold":
        parts = samples.divide(free, {f"fold {k}": 1 for k in range(folds)}, notes)
        sides["test"] = parts.pop(f"fold {fold}")
        free = [row for part in parts.values() for row in part]
    elif "test" not in sides:
        test = round(SCALE * protocol.test)
        parts = samples.divide(free, {"train": SCALE - test, "test": test}, notes)
        sides["test"], free = parts["test"], parts["train"]
    sides["train"] = sides.get("train", []) + free
    wanted = {"validation": protocol.validation}
    if protocol.calibration:
        wanted["calibration"] = protocol.calibration
    shares = {name: round(SCALE * share) for name, share in wanted.items() if name not in sides}
    if shares:
        sides |= samples.divide(sides["train"], {"train": SCALE - sum(shares.values()), **shares}, notes)
    _leaks(dataset, sides, protocol, notes)
    if not sides["train"]:
        raise BadInput("the split leaves no sample to train on", hint="choose another protocol or more data")
    _absences(samples, dataset, sides, notes)
    return fingerprinted(dataset, sides, notes)


def _own_sides(dataset: Dataset, protocol: Protocol) -> tuple[dict[str, list[int]], list[str]]:
    """Partition -> rows as the dataset defines them, undecided ones under ``""``; and notes."""
    if dataset.split is None:
        own = protocol.kind == "predefined"
        notes = ["the dataset has no sides of its own: test and validation were drawn"] if own else []
        return {"": list(range(len(dataset.ids)))}, notes
    sides: dict[str, list[int]] = defaultdict(list)
    notes = []
    for row, side in enumerate(dataset.split):
        sides["" if protocol.kind != "predefined" and side in USUAL else side].append(row)
    if protocol.kind == "predefined":
        if "test" not in sides and not sides.get(""):
            names = ", ".join(sorted(sides))
            raise BadInput(
                f"the dataset's own split has no test side (it has {names})",
                allowed="rows marked test, or rows left empty to draw it from",
                hint="or use the protocol holdout or kfold",
            )
    elif set(dataset.split) & set(USUAL):
        notes.append(f"the dataset's own sides were set aside for a {protocol.kind} split")
    return dict(sides), notes


def _leaks(dataset: Dataset, sides: dict[str, list[int]], protocol: Protocol, notes: list[str]) -> None:
    """Note copies and groups of what a model sees in other sides; drop these copies where that is asked.

    Of copies in several sides those in the last of train, validation, calibration and the others stay.
    Copies that further test sets have of a random split's samples are left out there
    (:func:`hmcbench.data.variants.divide`), and noted there.
    """
    side_of = {row: side for side, rows in sides.items() for row in rows}
    rank = defaultdict(lambda: len(SEEN), {side: place for place, side in enumerate(SEEN)})
    dropped: set[int] = set()
    for kind, keys in (("identical copies", dataset.duplicates), ("samples of one group", dataset.groups)):
        divided: Counter[str] = Counter()
        for rows in rows_by_key(keys).values():
            between = sorted({side_of[row] for row in rows}, key=lambda side: (rank[side], side))
            if len(between) > 1 and set(between) & set(SEEN):  # two test sets may show one sample
                if protocol.kind == "predefined" or keys is dataset.groups:
                    divided[" and ".join(between)] += 1
                if keys is dataset.duplicates:
                    highest = rank[between[-1]]
                    dropped.update(row for row in rows if rank[side_of[row]] < highest)
        notes += [f"{n} times {kind} lie in {where}" for where, n in sorted(divided.items())]
    if protocol.drop_leaks and dropped:
        left = Counter(side_of[row] for row in dropped)
        counts = ", ".join(f"{left[side]} of {side}" for side in SEEN if left[side])
        notes.append(f"identical copies of samples of other sides, left out: {counts}")
        for side in left:
            sides[side] = [row for row in sides[side] if row not in dropped]


def _absences(
    samples: SplitUnits, dataset: Dataset, sides: Mapping[str, list[int]], notes: list[str]
) -> None:
    """Note the classes that one partition has and another lacks."""
    hierarchy = dataset.task.hierarchy
    if hierarchy is None:
        return
    present = {
        side: {k for row in rows for k in samples.classes[row]} for side, rows in sides.items() if rows
    }
    everywhere = set[int]().union(*present.values())
    for side in sorted(present, key=_side_order):
        absent = [hierarchy.classes[k] for k in sorted(everywhere - present[side])]
        if absent:
            notes.append(f"classes absent from {side}: {_listed(absent)}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _side_order(side: str) -> tuple[int, str]:
    return (USUAL.index(side) if side in USUAL else len(USUAL), side)


def fingerprinted(dataset: Dataset, sides: Mapping[str, Iterable[int]], notes: Sequence[str]) -> Split:
    """A split of these rows, in the order of their ids."""
    import numpy as np

    ids = dataset.ids
    ordered = {side: sorted(sides[side], key=ids.__getitem__) for side in sorted(sides, key=_side_order)}
    text = json.dumps([[side, [ids[row] for row in rows]] for side, rows in ordered.items()])
    return Split(
        {side: np.array(rows, dtype=np.int64) for side, rows in ordered.items()},
        hashlib.sha256(text.encode()).hexdigest(),
        tuple(notes),
    )


# --------------------------------------------------------------------------- samples for a model


def inputs(dataset: Dataset, views: Mapping[str, Any], rows: np.ndarray) -> Inputs:
    return Inputs([dataset.ids[i] for i in rows], {k: Rows(v, rows) for k, v in views.items()})


def side(dataset: Dataset, views: Mapping[str, Any], split: Split, name: str) -> Labelled:
    """Train or validation samples with their targets."""
    return labelled(dataset, views, split.sides[name])


def labelled(dataset: Dataset, views: Mapping[str, Any], rows: np.ndarray) -> Labelled:
    groups = None if dataset.groups is None else [dataset.groups[i] for i in rows]
    samples = inputs(dataset, views, rows)
    return Labelled(samples.ids, samples.views, targets=dataset.targets[rows], groups=groups)
