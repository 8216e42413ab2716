"""Any scikit-learn estimator as a model: hierarchical targets in, one probability per class out.

A plugin needs no more than::

    def knn(neighbours: int) -> EstimatorModel:
        return EstimatorModel(lambda task: KNeighborsClassifier(neighbours), view="table")

and ``factory="my_plugin.models:knn"`` in its spec, with ``scores="probability"``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy import sparse

from hmcbench.errors import PluginError
from hmcbench.interfaces import Inputs, Labelled, Run, Scores, Task, Value

if TYPE_CHECKING:
    from hmcbench.hierarchy import Hierarchy

__all__ = ["EstimatorModel"]

Fit = Callable[[np.ndarray, np.ndarray], Any]
"""``fit(X, y)`` returns a new fitted estimator."""


class EstimatorModel:
    """A model made of scikit-learn estimators (or anything with their methods).

    What is fitted depends on the task:

    - single paths: one classifier over the *end nodes*, the most specific class of each training
      sample (also inner ones, or none at all, where depth is ragged). The score of a class is the
      sum of the probabilities of the end nodes at and below it, so scores are coherent by
      construction. ``stop`` at a level is the probability of having ended above it.
    - multiple paths: one binary classifier per class, or one with several outputs. A class that
      all or no training samples have keeps that frequency, 1 or 0.
    - regression: ``predict``, one estimator per target or one with several outputs.

    Every ``random_state`` that is ``None`` is set to the seed. Every ``n_jobs`` that is given (say
    -1) is set to the threads of the run for ``fit``, and to 1 for ``predict``: forests add up their
    trees in the order in which threads finish, so that last digits would change from call to call.

    Args:
        make: ``make(task)`` returns a new, unfitted estimator: a classifier with
            ``predict_proba``, or a regressor where the task is regression. A pipeline will do;
            what it fits sees training data only.
        view: the view to read; rows are flattened to (N, F).
        multi_output: whether the estimator takes several targets at once (forests and trees do).
    """

    def __init__(self, make: Callable[[Task], Any], view: str, *, multi_output: bool = False) -> None:
        self._make, self._view, self._multi_output = make, view, multi_output
        self._name = ""
        self._solver: _Solver

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Fit on ``train``; ``valid`` is not used.

        Raises:
            PluginError: a classifier without ``predict_proba``.
        """
        estimator = self._make(run.task)
        self._name = type(estimator).__name__
        if run.task.kind == "hmc" and not hasattr(estimator, "predict_proba"):
            raise PluginError(f"{self._name} has no predict_proba", allowed="a classifier with probabilities")

        def fit(rows: np.ndarray, targets: np.ndarray) -> Any:
            fitted = _set(self._make(run.task), seed=run.seed, threads=run.threads)
            fitted.fit(rows, targets)
            return _set(fitted, seed=run.seed, threads=1)

        self._solver = _solver(run.task, self._multi_output)
        self._solver.fit(self._rows(train), train.targets, fit)

    def predict(self, inputs: Inputs) -> Scores:
        """Probabilities (N, C), or predicted targets (N, T)."""
        return self._solver.predict(self._rows(inputs))

    def describe(self) -> Mapping[str, Value]:
        return {"estimator": self._name}

    def _rows(self, inputs: Inputs) -> np.ndarray:
        return np.asarray(inputs.views[self._view]).reshape(len(inputs), -1)


def _set(estimator: Any, *, seed: int, threads: int) -> Any:
    """The estimator with its seeds and threads set, those of its parts included."""
    values: dict[str, int] = {}
    for name, value in estimator.get_params(deep=True).items():
        last = name.rpartition("__")[2]
        if last == "random_state" and value is None:
            values[name] = seed
        elif last == "n_jobs" and value is not None:  # some estimators warn when it is set at all
            values[name] = threads
    return estimator.set_params(**values)


# --------------------------------------------------------------------------- one solver per kind of task


class _Solver(Protocol):
    def fit(self, rows: np.ndarray, targets: Any, fit: Fit) -> None: ...

    def predict(self, rows: np.ndarray) -> Scores: ...


def _solver(task: Task, multi_output: bool) -> _Solver:
    if task.hierarchy is None:
        return _Targets(multi_output)
    if task.paths == "single":
        return _EndNodes(task.hierarchy, task.depth == "ragged")
    return _Classes(multi_output)


class _EndNodes:
    """Single paths: a classifier over end nodes, summed upwards."""

    def __init__(self, hierarchy: Hierarchy, ragged: bool) -> None:
        self._hierarchy = hierarchy
        uneven = bool((hierarchy.levels[hierarchy.leaves] < hierarchy.depth).any())
        self._stops = ragged or uneven
        self._estimator: Any = None

    def fit(self, rows: np.ndarray, targets: Any, fit: Fit) -> None:
        h = self._hierarchy
        ends = np.full(len(rows), h.n)  # h.n: no class at all
        sample, column = targets.nonzero()
        deepest = np.full(len(rows), -1)
        np.maximum.at(deepest, sample, column)  # columns are sorted by level
        ends = np.where(deepest < 0, ends, deepest)
        nodes, numbers = np.unique(ends, return_inverse=True)
        if len(nodes) > 1:
            self._estimator = fit(rows, numbers)
        # row i: what follows from ending at class i; the last row: from ending nowhere
        holds = sparse.vstack([h.ancestors, sparse.csr_array((1, h.n), dtype=bool)], format="csr")
        level = np.append(h.levels, 0)
        self._to_values = holds[nodes].astype(np.float64).T.tocsr()  # (C, K)
        ended = level[nodes] < np.arange(1, h.depth + 1)[:, None]
        self._to_stop = sparse.csr_array(ended.astype(np.float64))  # (L, K)

    def predict(self, rows: np.ndarray) -> Scores:
        shares = np.ones((len(rows), 1)) if self._estimator is None else self._estimator.predict_proba(rows)
        # sparse products add up in a fixed order, whatever the number of rows; dense ones do not
        turned = np.asarray(shares, dtype=np.float64).T
        return Scores((self._to_values @ turned).T, (self._to_stop @ turned).T if self._stops else None)


class _Classes:
    """Multiple paths: the probability of every class on its own."""

    def __init__(self, multi_output: bool) -> None:
        self._multi_output = multi_output

    def fit(self, rows: np.ndarray, targets: Any, fit: Fit) -> None:
        dense = np.asarray(targets.toarray() if sparse.issparse(targets) else targets, dtype=np.int8)
        self._frequency = dense.mean(axis=0)
        self._varying = np.flatnonzero((self._frequency > 0) & (self._frequency < 1))
        self._estimators = _fit_outputs(rows, dense[:, self._varying], fit, self._multi_output)

    def predict(self, rows: np.ndarray) -> Scores:
        values = np.tile(self._frequency, (len(rows), 1))
        found: list[np.ndarray] = []
        for estimator in self._estimators:
            shares = estimator.predict_proba(rows)
            found += shares if isinstance(shares, list) else [shares]
        for column, shares in zip(self._varying, found, strict=True):
            values[:, column] = shares[:, 1]
        return Scores(values)


class _Targets:
    """Regression."""

    def __init__(self, multi_output: bool) -> None:
        self._multi_output = multi_output

    def fit(self, rows: np.ndarray, targets: Any, fit: Fit) -> None:
        self._estimators = _fit_outputs(rows, np.asarray(targets), fit, self._multi_output)

    def predict(self, rows: np.ndarray) -> Scores:
        found = [
            np.asarray(e.predict(rows), dtype=np.float64).reshape(len(rows), -1) for e in self._estimators
        ]
        return Scores(np.concatenate(found, axis=1))


def _fit_outputs(rows: np.ndarray, targets: np.ndarray, fit: Fit, multi_output: bool) -> list[Any]:
    """One estimator for all columns of ``targets``, or one for each."""
    if multi_output and targets.shape[1] > 1:
        return [fit(rows, targets)]
    return [fit(rows, column) for column in targets.T]
