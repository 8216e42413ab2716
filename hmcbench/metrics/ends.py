"""Confidence along the likeliest path, for single paths.

*Ends* are the classes where a path may end. q of an end is its path product, normalised over all admissible
ends (:func:`hmcbench.metrics.decisions.path_shares`); q of any class is the sum over the ends at or below it,
and q of the virtual root is 1. q falls along a path, so that a path can be climbed to its deepest class with
q >= theta. How much a class says is measured as in hierarchical selective classification
[Goren et al. 2024]: 1 - log2 n(v) / log2 n(root), n = number of ends at or below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics import decisions

_DIGITS = 12  # q that differ by rounding alone are equal: products depend on the order of their factors


@dataclass(frozen=True, eq=False)
class Ends:
    """Where the single paths of a task may end.

    Attributes:
        columns: int64 (E,), the classes.
        below: boolean CSR (C, E): row v holds the ends at or below class v.
        counts: int64 (C,): n(v), the number of ends at or below.
        information: float64 (C,): 1 - log2 n(v) / log2 n(root), 0 for classes above no end; nan where there
            is one end only, so that nothing can be said.
        parent: int64 (C,): the class right above on the paths to the ends below, -1 for the virtual root.
    """

    columns: np.ndarray
    below: sparse.csr_array
    counts: np.ndarray
    information: np.ndarray
    parent: np.ndarray

    def described_by(self, sets: np.ndarray) -> np.ndarray:
        """The fewest nodes, the virtual root included, that describe sets of ends, boolean (N, E) -> (N,).

        A node describes all ends at or below it. An inner class whose own end is in a set but not all ends
        below it is described by itself. Exact for trees and DAGs: ends have one class per level above them,
        so that two nodes share all ends of one of them or none.
        """
        fewest: np.ndarray = np.count_nonzero(self.describing(sets), axis=1)
        return fewest

    def describing(self, sets: np.ndarray) -> np.ndarray:
        """Boolean (N, E): the first end at or below each of the fewest nodes that describe a set."""
        held = np.asarray((self.below @ sets.T.astype(np.int64)).T)  # (N, C)
        full = (held == self.counts) & (self.counts > 0)
        everything: np.ndarray = np.all(sets, axis=1, keepdims=True)
        above = np.concatenate([full, everything], axis=1)[:, self.parent]
        first: np.ndarray = sets & ~full[:, self.columns]
        sample, node = np.nonzero(full & ~above)
        first[sample, self.below.indices[self.below.indptr[node]]] = True
        first[:, 0] |= everything[:, 0]
        return first


@lru_cache(maxsize=8)
def ends_of(task: Task) -> Ends:
    """The ends of a task of single paths; raises BadInput where it has none."""
    hierarchy = decisions.hierarchy_of(task)
    columns = decisions.path_ends(task, hierarchy)
    below = sparse.csr_array(hierarchy.descendants[:, columns])
    counts = np.diff(below.indptr)
    information = np.full(hierarchy.n, np.nan)
    if len(columns) > 1:
        information = np.where(counts > 0, 1 - np.log2(np.maximum(counts, 1)) / np.log2(len(columns)), 0.0)
    return Ends(columns, below, counts.astype(np.int64), information, _parents(hierarchy, counts))


def _parents(hierarchy: Hierarchy, counts: np.ndarray) -> np.ndarray:
    """Classes above an end have one line of ancestors; of the others any parent will do."""
    parent = np.full(hierarchy.n, -1, dtype=np.int64)
    above, child = hierarchy.edge_index.T
    parent[child] = above
    parent[counts == 0] = -1
    return parent


@dataclass(frozen=True, eq=False)
class PathConfidence:
    """The likeliest path of N samples, level by level, and the confidence of every admissible end.

    Attributes:
        ends: where paths may end.
        shares: float64 (N, E): q of every end.
        path: int64 (N, L): the class of the path at each level, -1 below its end.
        q: float64 (N, L): q of these classes, -1 where there is none; never rises along a row.
    """

    ends: Ends
    shares: np.ndarray
    path: np.ndarray
    q: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, stop: np.ndarray | None, task: Task) -> PathConfidence:
        """Of probabilities (N, C) and ``stop`` outputs (N, L) or None.

        >>> h = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c"), ("a", "d"), ("b", "e")])
        >>> scores = np.array([[0.75, 0.25, 0.5, 0.25, 0.25]])  # products .375, .1875, .0625
        >>> PathConfidence.of(scores, None, Task(hierarchy=h)).q
        array([[0.9, 0.6]])
        """
        hierarchy, ends = decisions.hierarchy_of(task), ends_of(task)
        where, shares = decisions.path_shares(scores, stop, task)
        shares = shares[:, where >= 0]
        positions, _crowded = hierarchy.level_positions(decisions.coherent(scores, stop, task))
        starts = np.cumsum(hierarchy.level_sizes) - hierarchy.level_sizes
        path = np.where(positions < hierarchy.level_sizes, starts + positions, -1)
        by_class = np.asarray(ends.below @ shares.T)  # (C, N)
        q = np.where(path >= 0, by_class[path, np.arange(len(path))[:, None]], -1.0)
        for k in range(q.shape[1] - 2, -1, -1):  # rounding must not let a class surpass its parent
            q[:, k] = np.maximum(q[:, k], q[:, k + 1])
        return cls(ends, shares.round(_DIGITS), path, q.round(_DIGITS))

    @property
    def chosen(self) -> np.ndarray:
        """float64 (N,): q of the class where the path ends; 0 for the empty path."""
        depth = np.count_nonzero(self.path >= 0, axis=1)
        rows = np.arange(len(self.q))
        return np.where(depth > 0, self.q[rows, np.maximum(depth - 1, 0)], 0.0)

    def climbed(self, theta: float) -> np.ndarray:
        """int64 (N,): the deepest class of the path with q >= theta, -1 for the virtual root."""
        depth = np.count_nonzero((self.path >= 0) & (self.q >= theta), axis=1)
        rows = np.arange(len(self.q))
        return np.where(depth > 0, self.path[rows, np.maximum(depth - 1, 0)], -1)
