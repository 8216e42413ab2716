"""What a dataset promises. It is made with the parameters of the profile ``quick``, or those chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hmcbench.data import contract
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.data.stratify import rows_by_key
from hmcbench.interfaces import Dataset, DatasetSpec
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.state import unchanged

MOST, MOST_PICTURES = 2000, 150  # samples of a side that the search for near-duplicates looks at
NEAR = 1e-3  # root mean square, in units of a column's standard deviation


def made(subject: Subject) -> Dataset:
    """The dataset, made once for all checks."""
    dataset: Dataset = subject.keep("dataset", subject.make)
    need(isinstance(dataset, Dataset), f"the factory made a {type(dataset).__name__}, not a Dataset")
    return dataset


def truth(dataset: Dataset) -> np.ndarray:
    targets = dataset.targets
    return np.asarray(targets.toarray() if hasattr(targets, "toarray") else targets)


def _keeps(subject: Subject, problem_of: Callable[[Dataset, DatasetSpec], str]) -> None:
    """A promise that is also enforced where the dataset is loaded (:mod:`hmcbench.data.contract`)."""
    problem = problem_of(made(subject), subject.spec)
    need(not problem, problem)


# --------------------------------------------------------------------------- the checks


def ids(subject: Subject) -> None:
    _keeps(subject, contract.id_problem)


def stable(subject: Subject) -> None:
    one, two = made(subject), subject.make()
    need(list(one.ids) == list(two.ids), "loaded twice, the ids differ")
    need(one.fingerprint and one.fingerprint == two.fingerprint, "loaded twice, the fingerprints differ")
    need(
        np.array_equal(truth(one), truth(two), equal_nan=truth(one).dtype.kind == "f"),
        "... the targets differ",
    )
    for name, view in one.views.items():
        if isinstance(view, np.ndarray):
            same = np.array_equal(view, np.asarray(two.views[name]), equal_nan=view.dtype.kind == "f")
            need(same, f"loaded twice, the view {name} differs")


def complete(subject: Subject) -> None:
    dataset = made(subject)
    _keeps(subject, contract.size_problem)
    for view in dataset.views.values():
        view[0], view[len(dataset.ids) - 1]  # a row that cannot be read raises


def targets(subject: Subject) -> None:
    dataset = made(subject)
    _keeps(subject, contract.target_problem)
    task, labels = dataset.task, truth(dataset)
    if task.hierarchy is None:
        return
    need(bool(labels.any(axis=1).all()), "a sample has no class at all")
    paths, depth = task.hierarchy.label_shape(labels)
    need(task.paths == "multiple" or paths == "single", "samples have several paths; the task says single")
    need(task.depth == "ragged" or depth == "full", "paths end above the leaves; the task says full")


def splits(subject: Subject) -> None:
    """Disjoint and complete under every kind of protocol; drawn sides tear no group and no copies."""
    dataset = made(subject)
    _keeps(subject, contract.split_problem)
    for kind, fold in (("holdout", 0), ("kfold", 0), ("kfold", 1), ("predefined", 0)):
        split = make_split(dataset, Protocol(kind=kind, test=0.2, validation=0.2), fold)
        rows = [row for side in split.sides.values() for row in side.tolist()]
        need(len(rows) == len(set(rows)), f"{kind}: a sample is on two sides")
        need(len(rows) == len(dataset.ids), f"{kind}: {len(dataset.ids) - len(rows)} samples are on no side")
        torn = [note for note in split.notes if " lie in " in note]
        need(not torn, f"{kind}: {'; '.join(torn)}")


def near_duplicates(subject: Subject) -> None:
    """Nearly equal samples on two sides, which neither ``groups`` nor ``duplicates`` hold together."""
    dataset = made(subject)
    kind = "predefined" if dataset.split is not None else "holdout"
    sides = make_split(dataset, Protocol(kind=kind, test=0.2, validation=0.2)).sides
    views = [dataset.views[name] for name in subject.spec.views]
    most = MOST if all(isinstance(view, np.ndarray) for view in views) else MOST_PICTURES
    train, test = sides["train"][:most], sides["test"][:most]
    rows = np.concatenate([train, test])
    numbers = [found for view in views if (found := _numbers(view, rows)) is not None]
    if not numbers or sum(block.shape[1] for block in numbers) < 4:
        raise Skip("no pictures and no four columns of numbers: what is alike is so by chance")
    for i, j in _near(np.concatenate(numbers, axis=1), len(train)):
        i, j = int(train[i]), int(test[j])
        need(
            _held_together(dataset, i, j),
            f"{dataset.ids[j]!r} (test) is all but equal to {dataset.ids[i]!r} (train);"
            " name what they share in groups or duplicates",
        )


def _numbers(view: Any, rows: np.ndarray) -> np.ndarray | None:
    """(n, F) float: an array flattened, or pictures brought to 12 x 12 grey pixels."""
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
    """Pairs of a training row and the test row, counted from 0, that is nearest to it."""
    from scipy.spatial import cKDTree

    spread = numbers.std(axis=0)
    scaled = numbers[:, spread > 0] / spread[spread > 0]
    if not scaled.shape[1] or not trained or trained == len(scaled):
        return []
    limit = NEAR * np.sqrt(scaled.shape[1])
    distance, nearest = cKDTree(scaled[:trained]).query(scaled[trained:], distance_upper_bound=limit)
    return [(int(nearest[j]), int(j)) for j in np.flatnonzero(np.isfinite(distance))]


def _held_together(dataset: Dataset, i: int, j: int) -> bool:
    return any(keys is not None and keys[i] == keys[j] != "" for keys in (dataset.groups, dataset.duplicates))


def citation(subject: Subject) -> None:
    absent = [name for name in ("licence", "citation") if not getattr(subject.spec, name).strip()]
    need(not absent, f"the spec has no {' and no '.join(absent)}")


def state(subject: Subject) -> None:
    with unchanged():
        subject.make()


def groups(subject: Subject) -> None:
    dataset = made(subject)
    if dataset.groups is None:
        raise Skip("samples belong to no groups")
    largest = max(len(rows) for rows in rows_by_key(dataset.groups).values())
    need(largest < len(dataset.ids), "all samples are one group: no split can part them")


CHECKS: list[Check] = [
    Check("ids unique", "predictions are kept and compared by id", ids),
    Check("the same when loaded again", "a run loads the data once per cell, perhaps elsewhere", stable),
    Check("views complete", "a model would fail in the middle of a run", complete),
    Check("targets closed", "hierarchical metrics count the classes above a class", targets),
    Check("splits disjoint", "a sample, group or copy on two sides is learnt by heart, then tested", splits),
    Check("groups divisible", "one group that holds everything leaves nothing to test", groups),
    Check(
        "no near-duplicates",
        "a copy of a training sample among the tests flatters",
        near_duplicates,
    ),
    Check("licence and citation", "a leaderboard prints them; without them nobody may publish it", citation),
    Check("no global state left behind", "what runs after it in the process would be another thing", state),
]
