"""Checks of datasets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hmcbench.data import contract
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.data.stratify import rows_by_key
from hmcbench.hierarchy.label_maps import LabelMaps
from hmcbench.interfaces import Dataset, DatasetSpec
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.fits import same_numbers
from hmcbench.testing.checks.state import state_check, unchanged

MOST, MOST_PICTURES = 2000, 150  # samples of a partition that are searched for near-duplicates
NEAR = 1e-3  # root mean square, in units of a column's standard deviation


def dataset_of(subject: Subject) -> Dataset:
    """The dataset, made once for all checks."""
    dataset: Dataset = subject.keep("dataset", subject.make)
    need(isinstance(dataset, Dataset), f"the factory returned a {type(dataset).__name__}, not a Dataset")
    return dataset


def truth(dataset: Dataset) -> np.ndarray:
    targets = dataset.targets
    if isinstance(targets, LabelMaps):  # the sets of classes that its pixels may have
        return targets.legend
    return np.asarray(targets.toarray() if hasattr(targets, "toarray") else targets)


def _keeps(subject: Subject, problem_of: Callable[[Dataset, DatasetSpec], str]) -> None:
    """A promise that is also enforced where the dataset is loaded (:mod:`hmcbench.data.contract`)."""
    problem = problem_of(dataset_of(subject), subject.spec)
    need(not problem, problem)


def ids(subject: Subject) -> None:
    _keeps(subject, contract.id_problem)


def stable(subject: Subject) -> None:
    first, second = dataset_of(subject), subject.make()
    need(list(first.ids) == list(second.ids), "loaded twice, the ids differ")
    need(first.fingerprint, "it has no fingerprint")
    need(first.fingerprint == second.fingerprint, "loaded twice, the fingerprints differ")
    need(same_numbers(truth(first), truth(second)), "loaded twice, the targets differ")
    if isinstance(first.targets, LabelMaps):
        rows = slice(0, MOST_PICTURES)
        need(first.targets[rows].same(second.targets[rows]), "loaded twice, the label maps differ")
    for name, view in first.views.items():
        if isinstance(view, np.ndarray):
            same = same_numbers(view, np.asarray(second.views[name]))
            need(same, f"loaded twice, the view {name} differs")


def complete(subject: Subject) -> None:
    dataset = dataset_of(subject)
    _keeps(subject, contract.size_problem)
    for view in dataset.views.values():
        view[0], view[len(dataset.ids) - 1]  # a row that cannot be read raises


def targets(subject: Subject) -> None:
    dataset = dataset_of(subject)
    _keeps(subject, contract.target_problem)
    task, labels = dataset.task, truth(dataset)
    if task.hierarchy is None:
        return
    need(bool(labels.any(axis=1).all()), "a sample has no class")
    paths, depth = task.hierarchy.label_shape(labels)
    need(task.paths == "multiple" or paths == "single", "samples have several paths; the task says single")
    need(task.depth == "ragged" or depth == "full", "paths end above the leaves; the task says full")


def splits(subject: Subject) -> None:
    """Disjoint and complete under every kind of protocol; drawn sides tear no group and no copies."""
    dataset = dataset_of(subject)
    _keeps(subject, contract.split_problem)
    for kind, fold in (("holdout", 0), ("kfold", 0), ("kfold", 1), ("predefined", 0)):
        split = make_split(dataset, Protocol(kind=kind, test=0.2, validation=0.2), fold)
        rows = [row for side in split.sides.values() for row in side.tolist()]
        need(len(rows) == len(set(rows)), f"{kind}: a sample is in two partitions")
        need(
            len(rows) == len(dataset.ids),
            f"{kind}: {len(dataset.ids) - len(rows)} samples are in no partition",
        )
        divided = [note for note in split.notes if " lie in " in note]
        need(not divided, f"{kind}: {'; '.join(divided)}")


def near_duplicates(subject: Subject) -> None:
    """Nearly equal samples of two partitions must share a key in ``groups`` or ``duplicates``."""
    dataset = dataset_of(subject)
    kind = "predefined" if dataset.split is not None else "holdout"
    sides = make_split(dataset, Protocol(kind=kind, test=0.2, validation=0.2)).sides
    views = [dataset.views[name] for name in subject.spec.views]
    most = MOST if all(isinstance(view, np.ndarray) for view in views) else MOST_PICTURES
    train, test = sides["train"][:most], sides["test"][:most]
    rows = np.concatenate([train, test])
    numbers = [block for view in views if (block := _numbers(view, rows)) is not None]
    if not numbers or sum(block.shape[1] for block in numbers) < 4:
        raise Skip("fewer than four columns of numbers and no pictures: samples are similar by chance")
    for i, j in _near(np.concatenate(numbers, axis=1), len(train)):
        i, j = int(train[i]), int(test[j])
        need(
            any(
                keys is not None and keys[i] == keys[j] != "" for keys in (dataset.groups, dataset.duplicates)
            ),
            f"{dataset.ids[j]!r} (test) is nearly equal to {dataset.ids[i]!r} (train);"
            " give them one key in groups or duplicates",
        )


def _numbers(view: Any, rows: np.ndarray) -> np.ndarray | None:
    """(n, F) float: a flattened array, or pictures reduced to 12 x 12 grey pixels; None for other views."""
    if isinstance(view, np.ndarray) and view.dtype.kind in "fiub":
        return np.nan_to_num(np.asarray(view[rows], dtype=np.float64)).reshape(len(rows), -1)
    if len(view) and hasattr(view[0], "load"):
        from PIL import Image

        def small(picture: Any) -> np.ndarray:
            grey = Image.fromarray(np.asarray(picture.load(min_side=12))).convert("L")
            return np.asarray(grey.resize((12, 12)), dtype=np.float64).ravel()

        return np.array([small(view[int(i)]) for i in rows])
    return None


def _near(numbers: np.ndarray, trained: int) -> list[tuple[int, int]]:
    """Pairs of a test row's nearest training row and the test row (each counted from 0), where NEAR."""
    from scipy.spatial import cKDTree

    spread = numbers.std(axis=0)
    scaled = numbers[:, spread > 0] / spread[spread > 0]
    if not scaled.shape[1] or not trained or trained == len(scaled):
        return []
    limit = NEAR * np.sqrt(scaled.shape[1])
    distance, nearest = cKDTree(scaled[:trained]).query(scaled[trained:], distance_upper_bound=limit)
    return [(int(nearest[j]), int(j)) for j in np.flatnonzero(np.isfinite(distance))]


def citation(subject: Subject) -> None:
    absent = [name for name in ("licence", "citation") if not getattr(subject.spec, name).strip()]
    need(not absent, f"the spec has no {' and no '.join(absent)}")


def state(subject: Subject) -> None:
    with unchanged():
        subject.make()


def groups(subject: Subject) -> None:
    dataset = dataset_of(subject)
    if dataset.groups is None:
        raise Skip("samples have no groups")
    largest = max(len(rows) for rows in rows_by_key(dataset.groups).values())
    need(largest < len(dataset.ids), "all samples are one group: it cannot be split")


CHECKS: list[Check] = [
    Check("ids unique", "predictions are stored and compared by id", ids),
    Check("the same when loaded again", "every cell of a run loads the data anew", stable),
    Check("views complete", "a model would fail during a run", complete),
    Check("targets closed", "hierarchical metrics count the ancestors of a class", targets),
    Check("splits disjoint", "a sample, group or copy in two partitions is memorised, then tested", splits),
    Check("groups divisible", "a single group leaves no test samples", groups),
    Check(
        "no near-duplicates",
        "copies of training samples in the test inflate scores",
        near_duplicates,
    ),
    Check("licence and citation", "a leaderboard prints them and is not published without them", citation),
    state_check(state),
]
