"""Sets of the k best classes: k fixed (CSSA), or chosen per sample for the largest expected hF1.

Both read one ranking. The best closed set of k classes by the sum of scores is a union of the blocks of the
isotonic repair, taken by falling mean (the supernodes that CSSA condenses are these blocks), for every k at
which a block ends.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hmcbench.hierarchy.hierarchy import Sets
from hmcbench.interfaces import Task, Value
from hmcbench.metrics.base import ratio
from hmcbench.metrics.decisions import hierarchy_of, path_ends
from hmcbench.metrics.rules.isotonic import isotonic
from hmcbench.metrics.rules.repairs import check_probabilities


def cssa(scores: np.ndarray, task: Task, *, k: int) -> np.ndarray:
    """Condensing sort and select: the closed set of k classes with the largest sum of scores.

        maximise  sum_{c in P} s_c   over closed sets P with |P| = k      [Bi and Kwok 2011]

    Of a block that k cuts, classes are taken from the top, by column. On trees the sum is the largest
    wherever k cuts no block; on DAGs to the accuracy of the isotonic repair. Cost: that of the repair,
    and a sort.

    Args:
        scores: float (N, C).
        task: hmc, several paths.
        k: classes per sample, at most C.

    >>> from hmcbench.hierarchy.hierarchy import Hierarchy
    >>> h = Hierarchy.from_edges([("", "a"), ("", "b"), ("a", "c")])
    >>> cssa(np.array([[0.3, 0.5, 0.9]]), Task(paths="multiple", hierarchy=h), k=2)
    array([[ True, False,  True]])
    """
    order = _ranking(isotonic(_wide(scores), task))
    return _firsts(order, np.full(len(order), k))


def fit_cssa(scores: np.ndarray, truth: Sets, task: Task, *, k: int) -> Mapping[str, Value]:
    """``k`` itself, or for 0 the number with the largest ``hf1_micro`` on validation data (the least such).

    Bi and Kwok take the number of labels as known; a sample's own is not. Classes that the task leaves
    unscored are among the ``k``, and do not count for the choice.
    """
    if k or not len(scores):
        return {"k": k or 1}
    order = _ranking(isotonic(_wide(scores), task))
    counted = _counted(task)
    dense = np.asarray(truth.toarray() if hasattr(truth, "toarray") else truth, dtype=bool) & counted
    hits = np.take_along_axis(dense, order, axis=1).sum(axis=0).cumsum()
    sizes = counted[order].sum(axis=0).cumsum()
    return {"k": int(ratio(2 * hits, sizes + dense.sum()).argmax()) + 1}


def expected_f1(scores: np.ndarray, task: Task) -> np.ndarray:
    """The closed set of largest expected hF1, as the ratio of expectations:

        maximise  2 sum_{c in P} s_c / (|P| + sum_c s_c)   over closed sets P

    Classes that the task leaves unscored count in no sum and no size; the heights are those of all classes.
    The best P holds the classes above some height of the isotonic repair [as for every such ratio: Dinkelbach
    1967], so the best of C heights is exact on trees, and on DAGs to the accuracy of the repair. Where all
    scores are 0 it is empty. Single paths: the best admissible path. Cost: as ``cssa``.

    Args:
        scores: float (N, C), probabilities.
        task: hmc.

    >>> from hmcbench.hierarchy.hierarchy import Hierarchy
    >>> h = Hierarchy.from_edges([("", "a"), ("a", "b"), ("a", "c")])
    >>> expected_f1(np.array([[0.9, 0.3, 0.1]]), Task(paths="multiple", hierarchy=h))
    array([[ True, False, False]])
    """
    check_probabilities(scores)
    scores, counted = _wide(scores), _counted(task)
    shares = scores * counted
    total = shares.sum(axis=1)
    if task.paths == "single":
        return _best_ratio_path(scores, total, task)
    order = _ranking(isotonic(scores, task))
    sums = np.take_along_axis(shares, order, axis=1).cumsum(axis=1)
    values = ratio(2 * sums, counted[order].cumsum(axis=1) + total[:, None])
    return _firsts(order, np.where(total > 0, values.argmax(axis=1) + 1, 0))


def _best_ratio_path(scores: np.ndarray, total: np.ndarray, task: Task) -> np.ndarray:
    hierarchy = hierarchy_of(task)
    paths = hierarchy.ancestors[path_ends(task, hierarchy)]
    values = ratio(2 * (paths @ scores.T), np.diff(paths.indptr)[:, None] + total)
    chosen: np.ndarray = paths[values.argmax(axis=0)].toarray()
    return chosen


def _counted(task: Task) -> np.ndarray:
    """Boolean (C,): whether a class is scored."""
    return ~np.isin(hierarchy_of(task).classes, list(task.unscored))


def _wide(scores: np.ndarray) -> np.ndarray:
    return scores.astype(np.float64)


def _ranking(repaired: np.ndarray) -> np.ndarray:
    """int (N, C): columns by falling score, parents first among equals: every prefix is closed."""
    return np.argsort(-repaired, axis=1, kind="stable")


def _firsts(order: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Boolean (N, C): the first ``sizes`` (N,) columns of every row."""
    sets = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(sets, order, np.arange(order.shape[1]) < sizes[:, None], axis=1)
    return sets
