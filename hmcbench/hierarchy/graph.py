"""The arithmetic of a hierarchy: column numbers, sparse matrices and array operations, no names.

:class:`hmcbench.hierarchy.hierarchy.Hierarchy`, the only subclass, adds class ids.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from hmcbench.errors import BadInput

Sets = Any
"""Class sets of N samples: boolean (N, C), an ndarray or a scipy CSR array (or matrix)."""


class Graph:
    """A directed acyclic graph over C columns that are sorted by level.

    Attributes:
        levels: int64 (C,), longest distance from the virtual root; the top level is 1.
        depth: the number of levels L.
        edge_index: int64 (E, 2), columns of parent and child, sorted by child, then parent; top-level
            classes have no row.
    """

    def __init__(self, levels: np.ndarray, edge_index: np.ndarray) -> None:
        self.levels, self.edge_index = levels, edge_index
        self.depth = int(levels[-1])
        self._starts: np.ndarray = np.searchsorted(levels, np.arange(1, self.depth + 2))
        for array in (self.levels, self.edge_index, self._starts):
            array.setflags(write=False)

    @property
    def n(self) -> int:
        """The number of classes C."""
        return len(self.levels)

    # ------------------------------------------------------------------ structure

    @cached_property
    def is_tree(self) -> bool:
        """Whether no class has two parents."""
        return len(self.edge_index) + int(self._starts[1]) == self.n

    @cached_property
    def leaves(self) -> np.ndarray:
        """int64: the columns of classes without children."""
        return np.setdiff1d(np.arange(self.n), self.edge_index[:, 0])

    @cached_property
    def even(self) -> bool:
        """Whether all leaves are at the deepest level; if not, full paths end at several levels."""
        return bool((self.levels[self.leaves] == self.depth).all())

    @cached_property
    def heights(self) -> np.ndarray:
        """int64 (C,): longest distance to a leaf below; leaves 0. The virtual root's is ``depth``."""
        heights = np.zeros(self.n, dtype=np.int64)
        for parents, children in self.rounds_up:
            heights[parents] = np.maximum(heights[parents], heights[children] + 1)
        return heights

    def level_classes(self, k: int) -> np.ndarray:
        """int64: the columns of level k (1..L), a contiguous range."""
        if not 1 <= k <= self.depth:
            raise BadInput(f"there is no level {k}", allowed=f"levels 1 to {self.depth}")
        return np.arange(self._starts[k - 1], self._starts[k])

    @property
    def level_sizes(self) -> np.ndarray:
        """int64 (L,): the number of classes at each level."""
        return np.diff(self._starts)

    # ------------------------------------------------------------------ matrices

    @cached_property
    def _above(self) -> sparse.csr_array:
        """Boolean CSR (C, C): row i holds the parents of i."""
        parent, child = self.edge_index.T
        ones = np.ones(len(parent), dtype=bool)
        return canonical(sparse.csr_array((ones, (child, parent)), shape=(self.n, self.n)))

    @cached_property
    def _below(self) -> sparse.csr_array:
        """Boolean CSR (C, C): row i holds the children of i."""
        return canonical(self._above.T)

    @cached_property
    def ancestors(self) -> sparse.csr_array:
        """Boolean CSR (C, C): row i holds class i and all its ancestors."""
        step = sparse.eye_array(self.n, dtype=bool, format="csr")
        pairs = []
        while step.nnz:  # pairs at distance 0, 1, 2, ...: linear in the size of the result, also for chains
            pairs.append(step.nonzero())
            step = self._above @ step
        rows, columns = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
        ones = np.ones(len(rows), dtype=bool)
        return canonical(sparse.csr_array((ones, (rows, columns)), shape=(self.n, self.n)))

    @cached_property
    def descendants(self) -> sparse.csr_array:
        """Boolean CSR (C, C): row i holds class i and all its descendants."""
        return canonical(self.ancestors.T)

    @cached_property
    def rounds_up(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Edges, deepest parents first, as (parents, children) with every parent at most once in a round.

        A pass over the hierarchy then takes a few array operations per level, not one per edge.
        """
        parents, children = self.edge_index.T
        return [(parents[edges], children[edges]) for edges in self._rounds(parents, -self.levels[parents])]

    @cached_property
    def rounds_down(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Edges, top children first, as (parents, children) with every child at most once in a round."""
        parents, children = self.edge_index.T
        return [(parents[edges], children[edges]) for edges in self._rounds(children, self.levels[children])]

    def _rounds(self, ends: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
        """Row numbers of ``edge_index`` by ``order``, split so that no group has one of ``ends`` twice."""
        if not len(ends):
            return []
        edges = np.argsort(ends, kind="stable")
        nth = np.arange(len(ends)) - np.searchsorted(ends[edges], ends[edges])
        edges, nth = (values[np.lexsort((nth, order[edges]))] for values in (edges, nth))
        cuts = np.flatnonzero((np.diff(nth) != 0) | (np.diff(order[edges]) != 0)) + 1
        return np.split(edges, cuts)

    def _climb(self, values: np.ndarray, combine: np.ufunc) -> np.ndarray:
        """``combine`` every column of (N, C) with those of all its descendants."""
        by_class = np.array(values.T, order="C")  # one row per class: operations on contiguous memory
        for parents, children in self.rounds_up:
            by_class[parents] = combine(by_class[parents], by_class[children])
        return np.ascontiguousarray(by_class.T)

    # ------------------------------------------------------------------ sets and scores

    def close(self, sets: Sets) -> Sets:
        """Add all ancestors. Boolean (N, C) in, the same kind out (dense or CSR)."""
        sets = self._sets(sets)
        if sparse.issparse(sets):
            return canonical(sets @ self.ancestors)
        return self._climb(sets, np.logical_or)

    def closed_rows(self, sets: Sets) -> np.ndarray:
        """Boolean (N,): whether each set holds all ancestors of its classes."""
        sets = self._sets(sets)
        closed = self.close(sets)
        same: np.ndarray
        if sparse.issparse(sets):
            same = np.diff(closed.indptr) == np.diff(sets.indptr)
        else:
            same = (closed == sets).all(axis=1)
        return same

    def is_closed(self, sets: Sets) -> bool:
        """Whether every set holds all ancestors of its classes."""
        return bool(self.closed_rows(sets).all())

    def cohere(self, scores: np.ndarray) -> np.ndarray:
        """Scores (N, C) -> for each class the maximum over it and its descendants [Giunchiglia 2020]."""
        return self._climb(self._check_width(np.asarray(scores)), np.maximum)

    def minima(self, scores: np.ndarray) -> np.ndarray:
        """Scores (N, C) -> for each class the minimum over it and its ancestors."""
        by_class = np.array(self._check_width(np.asarray(scores)).T, order="C")
        for parents, children in self.rounds_down:
            by_class[children] = np.minimum(by_class[children], by_class[parents])
        return np.ascontiguousarray(by_class.T)

    def most_specific(self, sets: Sets) -> Sets:
        """The classes of each set that have no child in it; the same kind as ``sets``."""
        sets = self._sets(sets)
        if sparse.issparse(sets):
            return canonical(sets > sets @ self._above)
        inner = np.zeros_like(sets.T, order="C")
        by_class = np.ascontiguousarray(sets.T)
        for parents, children in self.rounds_up:
            inner[parents] |= by_class[children]
        return np.ascontiguousarray((by_class & ~inner).T)

    def lca(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Lowest common ancestors of columns, pairwise: int64 (M,) -> int64 (M,), -1 the virtual root.

        A class is its own ancestor. In a DAG: the deepest common ancestor (of several, the last
        column). Level and height follow as ``np.append(h.levels, 0)[lca]`` and
        ``np.append(h.heights, h.depth)[lca]``.
        """
        common = self.ancestors[np.asarray(first)].multiply(self.ancestors[np.asarray(second)])
        common = canonical(common)
        lowest = np.full(common.shape[0], -1, dtype=np.int64)
        related = np.diff(common.indptr) > 0
        lowest[related] = common.indices[common.indptr[1:][related] - 1]  # columns are sorted by level
        return lowest

    # ------------------------------------------------------------------ one class per level

    def level_positions(self, targets: Sets) -> tuple[np.ndarray, np.ndarray]:
        """The position of the class of closed single-path sets at each level.

        Returns:
            positions int64 (N, L) within ``level_classes(k)``, or the number of classes at level k where
            the set has none; crowded boolean (N, L): several classes at one level (the position is any).
        """
        targets = self._sets(targets)
        rows, columns = targets.nonzero()
        level = self.levels[columns] - 1
        positions = np.tile(self.level_sizes, (targets.shape[0], 1)).astype(np.int64)
        positions[rows, level] = columns - self._starts[level]
        crowded = np.bincount(rows * self.depth + level, minlength=positions.size) > 1
        return positions, crowded.reshape(positions.shape)

    def level_sets(self, positions: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`level_positions` for any (N, L): boolean (N, C), not closed."""
        positions = np.asarray(positions)
        sets = np.zeros((len(positions), self.n), dtype=bool)
        rows, level = np.nonzero(positions < self.level_sizes)
        sets[rows, self._starts[level] + positions[rows, level]] = True
        return sets

    # ------------------------------------------------------------------ checks

    def _sets(self, sets: Sets) -> Sets:
        if sparse.issparse(sets):
            return self._check_width(canonical(sets))
        return self._check_width(np.asarray(sets, dtype=bool))

    def _check_width(self, values: Any) -> Any:
        if values.ndim != 2 or values.shape[1] != self.n:
            raise BadInput(
                f"an array of shape {values.shape} does not fit the hierarchy",
                allowed=f"shape (N, {self.n}): one column per class",
            )
        return values


def canonical(matrix: Any) -> sparse.csr_array:
    """Boolean CSR with sorted indices, no duplicates and no stored False; the input is not changed."""
    result = sparse.csr_array(matrix, dtype=bool)
    if not (result.has_canonical_format and result.data.all()):
        result = result.copy()
        result.eliminate_zeros()
        result.sum_duplicates()
    return result
