"""Fits that the checks of models share: 40 training, 10 validation and 10 test samples."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.execute.cell import seed_everything
from hmcbench.execute.predict import check_scores
from hmcbench.interfaces import Dataset, Scores
from hmcbench.registry.registry import load_object
from hmcbench.testing.checks.base import Skip, Subject
from hmcbench.testing.checks.standins import SHAPES, stand_in
from hmcbench.testing.checks.state import Trace, generators, unchanged
from hmcbench.testing.helpers import fitted, inputs

TRAIN, VALID, TEST = range(40), range(40, 50), range(50, 60)


def applies(subject: Subject, shape: str) -> bool:
    """Whether the spec declares tasks of this shape."""
    spec = subject.spec
    if shape == "regression":
        return "regression" in spec.tasks
    paths = "multiple" if shape in ("multiple", "dag") else "single"
    depth = "ragged" if shape in ("ragged", "dag", "chain") else "full"
    fits = "hmc" in spec.tasks and paths in spec.paths and depth in spec.depths
    return fits and ("dag" if shape == "dag" else "tree") in spec.hierarchies


def data(subject: Subject, shape: str) -> Dataset:
    if not applies(subject, shape):
        raise Skip(f"its spec declares no tasks of this shape: {SHAPES[shape]}")
    dataset: Dataset = subject.keep(("data", shape), lambda: stand_in(subject, subject.spec.views, shape))
    reason = load_object(subject.spec.applicable)(dataset.task) if subject.spec.applicable else ""
    if reason:
        raise Skip(f"it does not apply to {SHAPES[shape]}: {reason}")
    if subject.spec.check_task:
        try:
            load_object(subject.spec.check_task)(**{**subject.params, "task": dataset.task})
        except BadInput as error:
            raise Skip(f"with these parameters it does not apply to {SHAPES[shape]}: {error}") from None
    return dataset


def usual(subject: Subject) -> Dataset:
    """Data of the first shape that the model declares."""
    return data(subject, next((shape for shape in SHAPES if applies(subject, shape)), "tree"))


def fit(subject: Subject, dataset: Dataset, seed: int = 0, train: Any = TRAIN, valid: Any = VALID) -> Any:
    model = subject.make()
    seed_everything(seed)
    return fitted(model, dataset, train=train, valid=valid, seed=seed)


def clean(subject: Subject) -> Any:
    """The model fitted on the usual data with seed 0; fitted once for all checks."""
    return subject.keep("clean", lambda: fit(subject, usual(subject)))


@dataclass
class Watched:
    """A fit and a prediction, with their side effects."""

    model: Any
    scores: Scores
    seconds: float
    traces: str  # changed global state
    written: str  # modified data
    generators: dict[str, bytes]


def watched(subject: Subject) -> Watched:
    """The same fit as :func:`clean`, with its side effects; fitted once for all checks."""

    def make() -> Watched:
        dataset = usual(subject)
        before = {k: v.copy() for k, v in dataset.views.items() if isinstance(v, np.ndarray)}
        truth, traces = np.array(dataset.targets), ""
        model = subject.make()
        seed_everything(0)
        began = time.monotonic()
        try:
            with unchanged(threads=1):
                fitted(model, dataset, train=TRAIN, valid=VALID)
                scores = model.predict(inputs(dataset, TEST))
        except Trace as error:
            traces = str(error)
        seconds, states = time.monotonic() - began, generators()
        written = [f"the view {k}" for k, v in before.items() if not same_numbers(v, dataset.views[k])]
        if not np.array_equal(truth, dataset.targets):
            written.append("the targets")
        return Watched(model, scores, seconds, traces, ", ".join(written), states)

    result: Watched = subject.keep("watched", make)
    return result


def same_numbers(first: np.ndarray, second: Any) -> bool:
    return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def scored(subject: Subject, model: Any, dataset: Dataset, rows: Sequence[int] = TEST) -> Scores:
    """Predictions that the runner accepts: their shape is right, they are finite and in range."""
    return check_scores(model.predict(inputs(dataset, rows)), len(rows), dataset.task, subject.spec)
