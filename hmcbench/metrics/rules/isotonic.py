"""Isotonic repair: the scores nearest to the model's that respect the hierarchy.

    minimise  sum_c (x_c - s_c)^2   subject to   x_parent >= x_child for every edge

[isotonic regression on the hierarchy: Obozinski et al. 2008, "Consistent probabilistic outputs for protein
function prediction"]. The solution is constant on connected blocks of classes, each at the mean of its
scores. ``min over ancestors <= x <= max over descendants``, so an edge whose parent's lower bound reaches
the child's upper bound can never bind, and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.decisions import hierarchy_of

TOLERANCE = 1e-4
"""How far a repaired score of a DAG may be from the exact one, about; trees are exact."""

_GAIN = 1e-12  # a block is split for more than this
_SAMPLES = {True: 256, False: 64}  # of a tree or not, repaired together: the arrays stay small
_MOST = 5000  # steps on a DAG


def isotonic(scores: np.ndarray, task: Task) -> np.ndarray:
    """Isotonic repair: the nearest scores, by squared distance, with parent >= child (see the module).

    Trees: exact. All classes begin as one block per tree; a block is split where its best closed part lies
    above its mean, until no block has one [the partitioning algorithm: Spouge et al. 2003; Luss et al. 2012;
    the result of pooling adjacent violators, and all samples are done together]. Cost: some ten passes.

    DAGs: iterative. Accelerated projected gradient on the dual with a step per edge and restarts
    [Beck and Teboulle 2009; O'Donoghue and Candes 2015], until scores move less than ``TOLERANCE`` / 10 and
    no edge is broken by more than ``TOLERANCE``. Cost: hundreds of passes over the edges that are, or may
    come to be, broken. The maximum over descendants then closes what remains of a break.

    Args:
        scores: float (N, C).
        task: hmc.

    >>> from hmcbench.hierarchy.hierarchy import Hierarchy
    >>> task = Task(hierarchy=Hierarchy.from_edges([("", "a"), ("a", "b"), ("a", "c")]))
    >>> isotonic(np.array([[0.5, 0.75, 0.25]]), task)
    array([[0.625, 0.625, 0.25 ]])
    """
    hierarchy = hierarchy_of(task)
    parents, children = hierarchy.edge_index.T
    repaired = np.array(scores)
    broken = np.flatnonzero((scores[:, children] > scores[:, parents]).any(axis=1))
    project = _project_tree if hierarchy.is_tree else _project_dag
    step = _SAMPLES[hierarchy.is_tree]
    for start in range(0, len(broken), step):
        rows = broken[start : start + step]
        repaired[rows] = project(scores[rows].astype(np.float64), hierarchy)
    return hierarchy.cohere(repaired)


def _binding(
    scores: np.ndarray, hierarchy: Hierarchy, parents: np.ndarray, children: np.ndarray
) -> np.ndarray:
    """Boolean (E, N): edges that may bind."""
    low, high = hierarchy.minima(scores), hierarchy.cohere(scores)
    binding: np.ndarray = low.T[parents] < high.T[children]
    return binding


# --------------------------------------------------------------------------- trees


@dataclass
class _Blocks:
    """Blocks of (class, sample) pairs, numbered by class, so that parents come first.

    Attributes:
        pairs: int (M,), the pairs in blocks of two or more that may still be split.
        values: float (M,), their scores.
        parents, children: int (E,), the edges inside blocks as positions in ``pairs``; sorted by ``levels``
            of the children, then by parent.
    """

    pairs: np.ndarray
    values: np.ndarray
    parents: np.ndarray
    children: np.ndarray
    levels: np.ndarray

    def steps(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Parents and children by level, the top first."""
        cuts = np.flatnonzero(np.diff(self.levels)) + 1
        return list(zip(np.split(self.parents, cuts), np.split(self.children, cuts), strict=True))

    def only(self, edges: np.ndarray) -> _Blocks:
        """Some of the edges, and the pairs that they join."""
        parents, children = self.parents[edges], self.children[edges]
        used = np.zeros(len(self.pairs), dtype=bool)
        used[parents] = used[children] = True
        number = np.cumsum(used) - 1
        return _Blocks(
            self.pairs[used], self.values[used], number[parents], number[children], self.levels[edges]
        )


def _project_tree(scores: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """Exact; (N, C) -> (N, C)."""
    parents, children = hierarchy.edge_index.T
    edges, samples = np.nonzero(_binding(scores, hierarchy, parents, children))
    n = len(scores)
    above, below = parents[edges] * n + samples, children[edges] * n + samples
    levels = hierarchy.levels[children[edges]]
    repaired = scores.T.ravel()
    blocks = _Blocks(np.arange(scores.size), repaired.copy(), above, below, levels)
    blocks = blocks.only(np.lexsort((above, levels)))
    while len(blocks.pairs):
        means, tops, kept = _split(blocks.values, blocks.steps())
        unsplit = ~kept[tops]
        repaired[blocks.pairs[unsplit]] = means[unsplit]
        same_part = kept[blocks.parents] == kept[blocks.children]
        blocks = blocks.only(np.flatnonzero(same_part & ~unsplit[blocks.parents]))
    return repaired.reshape(hierarchy.n, n).T


def _split(
    values: np.ndarray, steps: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(M,) each: mean and top of the block, and whether a pair is in the best part above the mean."""
    sums, sizes, tops = values.copy(), np.ones(len(values)), np.arange(len(values))
    for parents, children in reversed(steps):
        _add(sums, parents, sums[children])
        _add(sizes, parents, sizes[children])
    means = sums / sizes
    for parents, children in steps:
        means[children], tops[children] = means[parents], tops[parents]
    gains = values - means
    for parents, children in reversed(steps):
        _add(gains, parents, np.maximum(gains[children], 0))
    kept = gains > _GAIN
    for parents, children in steps:
        kept[children] &= kept[parents]
    return means, tops, kept


def _add(target: np.ndarray, places: np.ndarray, values: np.ndarray) -> None:
    """``target[places] += values`` where places, sorted, may repeat."""
    firsts = np.flatnonzero(np.diff(places, prepend=-1))
    target[places[firsts]] += np.add.reduceat(values, firsts)


# --------------------------------------------------------------------------- DAGs


@dataclass
class _Dual:
    """One multiplier per edge and sample: x = s + those of the edges to children - those to parents.

    Attributes:
        moves: sparse (C, E), 1 for the parent of an edge, -1 for its child.
        steps: float (E, N), length of a step; 0 where an edge cannot bind.
        values: float (C, N), s.
        multipliers, ahead: float (E, N), and with the momentum of the last step.
        momentum: float (N,).
    """

    parents: np.ndarray
    children: np.ndarray
    moves: sparse.csr_array
    steps: np.ndarray
    values: np.ndarray
    multipliers: np.ndarray
    ahead: np.ndarray
    momentum: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, hierarchy: Hierarchy) -> _Dual:
        parents, children = hierarchy.edge_index.T
        binding = _binding(scores, hierarchy, parents, children)
        edges = np.flatnonzero(binding.any(axis=1))
        parents, children, binding = parents[edges], children[edges], binding[edges]
        ends = np.concatenate([parents, children]), np.tile(np.arange(len(edges)), 2)
        signs = np.repeat([1.0, -1.0], len(edges))
        moves = sparse.csr_array((signs, ends), shape=(hierarchy.n, len(edges)))
        degrees = np.abs(moves) @ binding
        steps = binding / np.maximum(degrees[parents] + degrees[children], 1)
        values, zeros = np.ascontiguousarray(scores.T), np.zeros(binding.shape)
        return cls(parents, children, moves, steps, values, zeros, zeros, np.ones(len(scores)))

    def advance(self) -> None:
        """One accelerated step; samples in which it turns back lose their momentum."""
        moved = self.values + self.moves @ self.ahead
        gaps = moved[self.children] - moved[self.parents]
        following = np.maximum(self.ahead + self.steps * gaps, 0)
        change = following - self.multipliers
        momentum = np.where((gaps * change).sum(axis=0) < 0, 1.0, self.momentum)
        self.momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        self.multipliers, self.ahead = following, following + (momentum - 1) / self.momentum * change

    def repaired(self) -> tuple[np.ndarray, np.ndarray]:
        """x (C, N), and by how much the worst edge of every sample is broken (N,)."""
        now = self.values + self.moves @ self.multipliers
        return now, np.where(self.steps > 0, now[self.children] - now[self.parents], 0).max(axis=0)

    def keep(self, samples: np.ndarray) -> None:
        for name in ("steps", "values", "multipliers", "ahead"):
            setattr(self, name, getattr(self, name)[:, samples])
        self.momentum = self.momentum[samples]


def _project_dag(scores: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """To about ``TOLERANCE``; (N, C) -> (N, C). A sample ends when it has converged, whatever others do."""
    dual = _Dual.of(scores, hierarchy)
    repaired = scores.copy()
    samples, last = np.arange(len(scores)), dual.values
    for _ in range(_MOST // 10):
        for _ in range(10):
            dual.advance()
        now, worst = dual.repaired()
        repaired[samples] = now.T
        moving = (worst > TOLERANCE) | (np.abs(now - last).max(axis=0) > TOLERANCE / 10)
        if not moving.any():
            break
        samples, last = samples[moving], now[:, moving]
        dual.keep(moving)
    return repaired
