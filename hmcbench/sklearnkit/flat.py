"""Solvers that do not use the hierarchy in training: end nodes, independent classes, targets.

A *solver* turns the targets of a task into targets of estimators, and their predictions into scores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy import sparse

from hmcbench.interfaces import Scores

if TYPE_CHECKING:
    from hmcbench.hierarchy.hierarchy import Hierarchy

FitFunction = Callable[[np.ndarray, np.ndarray], Any]
"""``fit(X, y)`` returns a new fitted estimator."""


EstimatorState = dict[str, Any]
"""Estimators, arrays and numbers by name: what a fitted solver keeps."""


class Solver(Protocol):
    """Fits estimators to the targets of one kind of task.

    ``restore(state())`` of a new solver for the same task replaces ``fit``.
    """

    def fit(self, rows: np.ndarray, targets: Any, fit: FitFunction) -> None: ...

    def predict(self, rows: np.ndarray) -> Scores: ...

    def state(self) -> EstimatorState: ...

    def restore(self, state: EstimatorState) -> None: ...


class EndNodes:
    """Single paths: a classifier over end nodes; the score of a class is the sum of those at or below it."""

    def __init__(self, hierarchy: Hierarchy, stops: bool) -> None:
        self._hierarchy, self._stops = hierarchy, stops
        self._exclusive = Exclusive()

    def fit(self, rows: np.ndarray, targets: Any, fit: FitFunction) -> None:
        ends = np.full(len(rows), -1)  # no class at all
        sample, column = targets.nonzero()
        np.maximum.at(ends, sample, column)  # columns are sorted by level
        self._exclusive.fit(rows, ends, fit)
        self._sums()

    def state(self) -> EstimatorState:
        return self._exclusive.state()

    def restore(self, state: EstimatorState) -> None:
        self._exclusive.restore(state)
        self._sums()

    @property
    def sums(self) -> tuple[np.ndarray, np.ndarray | None]:
        """float64 (K, C) and (K, L): what the probabilities of the K end nodes are multiplied by."""
        return self._to_values.toarray().T, self._to_stop.toarray().T if self._stops else None

    def _sums(self) -> None:
        """The matrices that sum the probabilities of end nodes."""
        h, nodes = self._hierarchy, self._exclusive.labels
        # row i: the classes of a path that ends at class i; the last row: of an empty path
        paths = sparse.vstack([h.ancestors, sparse.csr_array((1, h.n), dtype=bool)], format="csr")
        self._to_values = paths[nodes].astype(np.float64).T.tocsr()  # (C, K)
        ended = np.append(h.levels, 0)[nodes] < np.arange(1, h.depth + 1)[:, None]
        self._to_stop = sparse.csr_array(ended.astype(np.float64))  # (L, K)

    def predict(self, rows: np.ndarray) -> Scores:
        # the order of a sum does not depend on the number of rows in sparse products; in dense ones it does
        shares = self._exclusive.shares(rows).T
        return Scores((self._to_values @ shares).T, (self._to_stop @ shares).T if self._stops else None)


class Exclusive:
    """One of several labels for every sample: a classifier, or probability 1 for a single label."""

    def fit(self, rows: np.ndarray, labels: np.ndarray, fit: FitFunction) -> None:
        self.labels, numbers = np.unique(labels, return_inverse=True)
        self._estimator = fit(rows, numbers) if len(self.labels) > 1 else None

    def state(self) -> EstimatorState:
        return {"labels": self.labels, "estimator": self._estimator}

    def restore(self, state: EstimatorState) -> None:
        self.labels, self._estimator = np.asarray(state["labels"]), state["estimator"]

    def shares(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities float64 (N, K), in the order of ``labels``."""
        if self._estimator is None:
            return np.ones((len(rows), 1))
        return _summing_to_one(np.asarray(self._estimator.predict_proba(rows), dtype=np.float64))


def _summing_to_one(shares: np.ndarray) -> np.ndarray:
    """Probabilities (N, K) whose sum is off by rounding, divided by it; all others bit for bit.

    Naive Bayes takes differences of logarithms near 1e10, and its sums are 1.000003 then.
    """
    total = shares.sum(axis=1, keepdims=True)
    error = np.abs(total - 1)
    rounded = (error > 1e-9) & (error < 1e-3)
    return shares / np.where(rounded, total, 1.0) if rounded.any() else shares


class Classes:
    """Multiple paths: the probability of every class by itself."""

    def __init__(self, multi_output: bool) -> None:
        self._multi_output = multi_output

    def fit(self, rows: np.ndarray, targets: Any, fit: FitFunction) -> None:
        dense = np.asarray(targets.toarray() if sparse.issparse(targets) else targets, dtype=np.int8)
        self._frequency = dense.mean(axis=0)
        self._varying = np.flatnonzero((self._frequency > 0) & (self._frequency < 1))
        self._estimators = _fit_outputs(rows, dense[:, self._varying], fit, self._multi_output)

    def state(self) -> EstimatorState:
        return {"frequency": self._frequency, "varying": self._varying, "estimators": self._estimators}

    def restore(self, state: EstimatorState) -> None:
        self._frequency, self._varying = np.asarray(state["frequency"]), np.asarray(state["varying"])
        self._estimators = list(state["estimators"])

    def predict(self, rows: np.ndarray) -> Scores:
        values = np.tile(self._frequency, (len(rows), 1))
        outputs: list[np.ndarray] = []
        for estimator in self._estimators:
            shares = estimator.predict_proba(rows)
            outputs += map(_summing_to_one, shares if isinstance(shares, list) else [shares])
        for column, shares in zip(self._varying, outputs, strict=True):
            values[:, column] = shares[:, 1]
        return Scores(values)


class Targets:
    """Regression."""

    def __init__(self, multi_output: bool) -> None:
        self._multi_output = multi_output

    def fit(self, rows: np.ndarray, targets: Any, fit: FitFunction) -> None:
        self._estimators = _fit_outputs(rows, np.asarray(targets), fit, self._multi_output)

    def state(self) -> EstimatorState:
        return {"estimators": self._estimators}

    def restore(self, state: EstimatorState) -> None:
        self._estimators = list(state["estimators"])

    def predict(self, rows: np.ndarray) -> Scores:
        outputs = [np.asarray(e.predict(rows), dtype=np.float64) for e in self._estimators]
        return Scores(np.concatenate([y.reshape(len(rows), -1) for y in outputs], axis=1))


def _fit_outputs(rows: np.ndarray, targets: np.ndarray, fit: FitFunction, multi_output: bool) -> list[Any]:
    """One estimator for all columns of ``targets``, or one for each."""
    if multi_output and targets.shape[1] > 1:
        return [fit(rows, targets)]
    return [fit(rows, column) for column in targets.T]
