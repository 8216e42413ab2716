"""Structure: whether scores and decisions respect the hierarchy.

Distances and heights count edges; the virtual root has depth 0, and its height is the number of
levels. In a DAG the depth of a class is its level, and the LCA the deepest common ancestor.
"""

from __future__ import annotations

import numpy as np

from hmcbench.metrics.base import Stats, columns, first_over_second, sample_metric
from hmcbench.metrics.evaluation import Evaluation


@sample_metric(first_over_second)
def violation_rate(e: Evaluation) -> Stats:
    """Share of (sample, edge) pairs with s_child > s_parent + 1e-6, on probabilities.

    Edges from the virtual root do not count.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> violation_rate(four_scores())  # one of 4 x 2: c .3 above a .2
    0.125
    """
    return columns(e.violations, np.full(len(e), len(e.hierarchy.edge_index)))


@sample_metric(first_over_second)
def incoherent_rate(e: Evaluation) -> Stats:
    """Share of samples whose raw decision is not its own closure.

    Single path: level decisions that do not lie on one path.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(incoherent_rate(confusion_matrices()), 4)  # 4 of 193
    0.0207
    """
    return columns(~e.hierarchy.closed_rows(e.raw), np.ones(len(e)))


@sample_metric(first_over_second)
def tice(e: Evaluation) -> Stats:
    """Single path: another name for ``incoherent_rate``.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(tice(confusion_matrices()), 4)
    0.0207
    """
    return incoherent_rate.stats(e)


def _ends(e: Evaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(N,) columns of the predicted class, the true class and their LCA; -1 is the virtual root."""
    said, true = e.deepest(e.closed), e.deepest(e.truth)
    lca = np.full(len(e), -1, dtype=np.int64)
    both = (said >= 0) & (true >= 0)
    lca[both] = e.hierarchy.lca(said[both], true[both])
    return said, true, lca


@sample_metric(first_over_second)
def tree_path_distance(e: Evaluation) -> Stats:
    """Single path: mean of depth(p) + depth(t) - 2 depth(lca(p, t)).

    p and t are the most specific predicted and true class, p of the coherent decision; the virtual root,
    at depth 0, stands for a class that is missing.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(tree_path_distance(three_samples()), 4)  # (2 + 3 + 1) / 3
    2.0
    """
    depth = np.append(e.hierarchy.levels, 0)
    said, true, lca = _ends(e)
    return columns(depth[said] + depth[true] - 2 * depth[lca], np.ones(len(e)))


def _mean_or_undefined(sums: np.ndarray) -> np.ndarray:
    return np.where(sums[..., 1] > 0, first_over_second(sums), np.nan)


@sample_metric(_mean_or_undefined)
def mistake_severity(e: Evaluation) -> Stats:
    """Single path: mean height of the LCA over mistakes only [Bertinetto 2020, section 3.1].

    Undefined where there is no mistake.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(mistake_severity(three_samples()), 4)  # b 1, a 2, y 1
    1.3333
    """
    height = np.append(e.hierarchy.heights, e.hierarchy.depth)
    said, true, lca = _ends(e)
    wrong = said != true
    return columns(height[lca] * wrong, wrong)
