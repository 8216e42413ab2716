"""The most probable closed set, under independent classes.

    maximise  sum_{c in P} w_c   over closed sets P,   w_c = log(s_c / (1 - s_c))

which is the largest probability ``prod_{c in P} s_c * prod_{c not in P} (1 - s_c)`` among the sets that
respect the hierarchy: what a circuit of the constraint decodes when its inputs are one sigmoid per class
[Ahmed et al. 2022, "Semantic probabilistic layers"].
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.decisions import hierarchy_of, path_ends
from hmcbench.metrics.rules.repairs import check_probabilities

_SURE = 1e-12  # scores nearer to 0 or 1 count as this near
_LARGEST = 2**31 - 1  # capacity of an edge that is never cut


def most_probable(scores: np.ndarray, task: Task) -> np.ndarray:
    """The closed set with the largest sum of log odds; of equally probable ones the smallest.

    Trees: exact, by dynamic programming from the leaves: a subtree is kept under its parent where the best
    sum in it is positive. Cost: two passes over the edges. DAGs: exact but for the rounding of log odds to
    a 2e9th of a sample's sum, as a maximum closure by minimum cut [Picard 1976], of the classes that are not
    decided by one pass. Cost: one small maximum flow per sample whose scores break the hierarchy around .5.
    Single paths: the admissible path with the largest sum, the first of equal ones; a matrix product.

    Args:
        scores: float (N, C), probabilities.
        task: hmc.

    >>> from hmcbench.hierarchy.hierarchy import Hierarchy
    >>> h = Hierarchy.from_edges([("", "a"), ("a", "b"), ("a", "c")])
    >>> most_probable(np.array([[0.4, 0.7, 0.2], [0.2, 0.7, 0.2]]), Task(paths="multiple", hierarchy=h))
    array([[ True,  True, False],
           [False, False, False]])
    """
    hierarchy = hierarchy_of(task)
    check_probabilities(scores)
    inside = np.clip(scores, _SURE, 1 - _SURE, dtype=np.float64)
    odds = np.log(inside) - np.log1p(-inside)
    if task.paths == "single":
        paths = hierarchy.ancestors[path_ends(task, hierarchy)]
        likeliest: np.ndarray = paths[(paths @ odds.T).argmax(axis=0)].toarray()
        return likeliest
    return _of_tree(odds, hierarchy) if hierarchy.is_tree else _of_dag(odds, hierarchy)


def _of_tree(odds: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    gains = np.array(odds.T, order="C")  # of a class and the best of what is below it
    for parents, children in hierarchy.rounds_up:
        gains[parents] += np.maximum(gains[children], 0)
    kept = gains > 0
    for parents, children in hierarchy.rounds_down:
        kept[children] &= kept[parents]
    return np.ascontiguousarray(kept.T)


def _of_dag(odds: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """In: classes with positive ancestors only. Out: those above no positive one. Flows decide on others."""
    positive = odds > 0
    chosen = hierarchy.minima(positive)
    open_classes = hierarchy.close(positive) & ~chosen
    for i in np.flatnonzero(open_classes.any(axis=1)):
        columns = np.flatnonzero(open_classes[i])
        chosen[i, columns] = _closure(odds[i, columns], *_edges_among(columns, hierarchy))
    return chosen


def _edges_among(columns: np.ndarray, hierarchy: Hierarchy) -> tuple[np.ndarray, np.ndarray]:
    """Parents and children among some columns, as positions in them."""
    position = np.full(hierarchy.n, -1)
    position[columns] = np.arange(len(columns))
    parents, children = position[hierarchy.edge_index].T
    inside = (parents >= 0) & (children >= 0)
    return parents[inside], children[inside]


def _closure(weights: np.ndarray, parents: np.ndarray, children: np.ndarray) -> np.ndarray:
    """Boolean (M,): the smallest closed set with the largest sum of weights.

    The source feeds classes of positive weight, the others drain into the sink, and a class is tied to its
    parents; the closure is what the source still reaches when the flow is at its maximum.
    """
    n = len(weights)
    scaled = np.rint(weights * (_LARGEST / weights[weights > 0].sum() * 0.999)).clip(-_LARGEST, _LARGEST)
    gains, losses = np.flatnonzero(scaled > 0), np.flatnonzero(scaled < 0)
    source, sink = n, n + 1
    starts = np.concatenate([np.full(len(gains), source), losses, children])
    ends = np.concatenate([gains, np.full(len(losses), sink), parents])
    values = np.concatenate([scaled[gains], -scaled[losses], np.full(len(parents), _LARGEST)])
    capacities = csr_array((values.astype(np.int32), (starts, ends)), shape=(n + 2, n + 2))
    left = capacities - maximum_flow(capacities, source, sink).flow
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    kept = np.zeros(n + 2, dtype=bool)
    kept[reached] = True
    return kept[:n]
