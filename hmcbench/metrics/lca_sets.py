"""Precision, recall and F1 of labels joined to their nearest common ancestors [Kosmopoulos 2015, section 4].

Closed sets count every ancestor, so that one mistake near the root counts once and one near a leaf several
times. Here each most specific label is joined to the nearest label of the other set, by edges through their
lowest common ancestor; the classes on these ways, of each side, are compared.

Of several nearest labels the one with the deepest common ancestor counts, then the first column. Where the
hierarchy is a DAG, the way from an ancestor to a label is all classes between the two. The virtual root is no
class: labels that meet only there are joined to the top.
"""

from __future__ import annotations

import weakref

import numpy as np
from scipy.sparse import csr_array

from hmcbench.metrics.base import Stats, columns, first_over_second, harmonic, ratio, sample_metric
from hmcbench.metrics.evaluation import Evaluation, as_csr

_KEPT: weakref.WeakKeyDictionary[Evaluation, np.ndarray] = weakref.WeakKeyDictionary()


def _counts(e: Evaluation) -> np.ndarray:
    """int64 (N, 3): classes in both joined sets, in the predicted one, in the true one."""
    if e not in _KEPT:
        hierarchy = e.hierarchy
        copies = (csr_array(sets, dtype=bool, copy=True) for sets in (e.truth, e.closed))  # they are sorted
        true, said = (as_csr(hierarchy.most_specific(sets)) for sets in copies)
        joined = _joined(e, true, said)
        both = joined[0].multiply(joined[1])
        parts = [both, joined[1], joined[0]]
        _KEPT[e] = np.stack([np.asarray(part.sum(axis=1)).ravel() for part in parts], axis=1).astype(np.int64)
    return _KEPT[e]


def _joined(e: Evaluation, true: csr_array, said: csr_array) -> tuple[csr_array, csr_array]:
    """The joined sets of truth and prediction, boolean CSR (N, C)."""
    rows, first, second, meet = _nearest(e, true, said)
    other_rows, other_second, other_first, other_meet = _nearest(e, said, true)
    rows, meet = np.concatenate([rows, other_rows]), np.concatenate([meet, other_meet])
    first, second = np.concatenate([first, other_first]), np.concatenate([second, other_second])
    alone = (_without_partner(labels, other) for labels, other in ((true, said), (said, true)))
    ways = []
    for ends, (lone_rows, lone) in zip((first, second), alone, strict=True):
        root = np.full(len(lone), -1)
        everything = (np.concatenate(pair) for pair in ((rows, lone_rows), (ends, lone), (meet, root)))
        ways.append(_ways(e, *everything))
    return ways[0], ways[1]


def _nearest(
    e: Evaluation, labels: csr_array, others: csr_array
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sample, label, nearest other label and their common ancestor (-1: the virtual root), all int64 (M,)."""
    levels = np.append(e.hierarchy.levels, 0)
    counts = np.diff(others.indptr)
    samples = np.repeat(np.arange(labels.shape[0]), np.diff(labels.indptr))
    repeats = counts[samples]
    pairs = np.repeat(np.arange(len(samples)), repeats)  # label of every (label, other label) pair
    first_pair = np.cumsum(repeats) - repeats
    other = others.indices[np.arange(len(pairs)) - first_pair[pairs] + others.indptr[samples[pairs]]]
    label = labels.indices[pairs]
    codes, same = np.unique(label.astype(np.int64) * e.hierarchy.n + other, return_inverse=True)
    meet = e.hierarchy.lca(codes // e.hierarchy.n, codes % e.hierarchy.n)[same]
    distance = levels[label] + levels[other] - 2 * levels[meet]
    order = np.lexsort((other, -levels[meet], distance, pairs))
    best = order[np.unique(pairs[order], return_index=True)[1]]
    return samples[pairs[best]], label[best].astype(np.int64), other[best].astype(np.int64), meet[best]


def _without_partner(labels: csr_array, others: csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Sample and label of the samples whose other set is empty: joined to the top."""
    samples = np.repeat(np.arange(labels.shape[0]), np.diff(labels.indptr))
    lone = np.diff(others.indptr)[samples] == 0
    return samples[lone], labels.indices[lone].astype(np.int64)


def _ways(e: Evaluation, rows: np.ndarray, ends: np.ndarray, meet: np.ndarray) -> csr_array:
    """The classes between common ancestors and labels, both included, by sample: boolean CSR (N, C)."""
    h = e.hierarchy
    codes, way = np.unique(ends * (h.n + 1) + meet + 1, return_inverse=True)  # many samples share a way
    ends, meet = codes // (h.n + 1), codes % (h.n + 1) - 1
    below = np.flatnonzero(meet >= 0)
    whole = csr_array(h.ancestors[ends], dtype=np.int64)
    inside = csr_array(whole[below].multiply(csr_array(h.descendants[meet[below]], dtype=np.int64)))
    shape = (len(e), len(codes))
    of_sample = csr_array((np.ones(len(rows), dtype=np.int64), (rows, way)), shape=shape)
    joined = of_sample[:, below] @ inside
    top = np.flatnonzero(meet < 0)
    return as_csr(joined + of_sample[:, top] @ whole[top])


@sample_metric(first_over_second)
def lca_p(e: Evaluation) -> Stats:
    """Mean precision of the joined sets, over samples with a predicted or a true class.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(lca_p(three_samples()), 4)  # {b, d} v {b, c}; {a, e} v {a, b, d}; {y, z} v {y}
    0.5
    """
    both, said, true = _counts(e).T
    return columns(ratio(both, said), said + true > 0)


@sample_metric(first_over_second)
def lca_r(e: Evaluation) -> Stats:
    """Mean recall of the joined sets, over samples with a predicted or a true class.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(lca_r(three_samples()), 4)  # (1/2 + 1/3 + 1) / 3
    0.6111
    """
    both, said, true = _counts(e).T
    return columns(ratio(both, true), said + true > 0)


@sample_metric(first_over_second)
def lca_f1(e: Evaluation) -> Stats:
    """Mean of the F1 of the joined sets, over samples with a predicted or a true class.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(lca_f1(three_samples()), 4)  # (1/2 + 2/5 + 2/3) / 3
    0.5222
    """
    both, said, true = _counts(e).T
    return columns(harmonic(ratio(both, said), ratio(both, true)), said + true > 0)
