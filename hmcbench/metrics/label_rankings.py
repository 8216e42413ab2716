"""Rankings of the labels of each sample, as scikit-learn defines them; means over samples.

Every value follows from where the true classes of a sample stand among all of its classes, by raw scores:
*reached* is the number of classes that score at least as much, *above* the number that score more, and *hits*
the number of true classes that score at least as much.
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

import numpy as np

from hmcbench.metrics.base import Stats, columns, first_over_second, sample_metric
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import finite_scores


class Places(NamedTuple):
    """Of every true (sample, class) pair: its sample, and reached, above and hits; all int64 (P,)."""

    sample: np.ndarray
    reached: np.ndarray
    above: np.ndarray
    hits: np.ndarray


_KEPT: weakref.WeakKeyDictionary[Evaluation, Places] = weakref.WeakKeyDictionary()  # the metrics share it


def places(e: Evaluation) -> Places:
    """Where the true classes of every sample stand."""
    if e not in _KEPT:
        scores, truth = finite_scores(e), np.asarray(e.truth)
        parts = []
        for i, (row, true) in enumerate(zip(scores, truth, strict=True)):
            positives, ordered = np.sort(row[true]), np.sort(row)
            reached = len(row) - np.searchsorted(ordered, positives, "left")
            above = len(row) - np.searchsorted(ordered, positives, "right")
            hits = len(positives) - np.searchsorted(positives, positives, "left")
            parts.append(np.stack([np.full(len(positives), i), reached, above, hits]))
        _KEPT[e] = Places(*np.concatenate([np.zeros((4, 0), np.int64), *parts], axis=1))
    return _KEPT[e]


def _summed(e: Evaluation, values: np.ndarray) -> np.ndarray:
    """float64 (N,): sums of values of true classes over those of each sample."""
    return np.bincount(places(e).sample, weights=values, minlength=len(e))


@sample_metric(first_over_second)
def lrap(e: Evaluation) -> Stats:
    """Label ranking average precision: the mean over the true classes of hits / reached; 1 without any.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(lrap(four_scores()), 4)
    1.0
    """
    at, count = places(e), e.truth.sum(axis=1)
    mean = _summed(e, at.hits / at.reached) / np.maximum(count, 1)
    return columns(np.where(count > 0, mean, 1.0), np.ones(len(e)))


@sample_metric(first_over_second)
def coverage_error(e: Evaluation) -> Stats:
    """How many of the best classes hold all true ones; 0 for a sample without any.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> coverage_error(four_scores())
    1.5
    """
    depth = np.zeros(len(e))
    np.maximum.at(depth, places(e).sample, places(e).reached)
    return columns(depth, np.ones(len(e)))


@sample_metric(first_over_second)
def ranking_loss(e: Evaluation) -> Stats:
    """Share of (true, other) pairs of classes in which the other scores as much or more; 0 without pairs.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> ranking_loss(four_scores())  # every true class stands above the others
    0.0
    """
    at, count = places(e), e.truth.sum(axis=1)
    pairs = count * (e.hierarchy.n - count)
    return columns(_summed(e, at.reached - at.hits) / np.maximum(pairs, 1), np.ones(len(e)))


def _discounted(e: Evaluation, discounts: np.ndarray) -> np.ndarray:
    """(N,): sums over true classes of the discount of their rank; classes of one score share its mean."""
    total = np.concatenate([[0.0], np.cumsum(discounts)])
    at, last = places(e), len(discounts)
    ends, starts = np.minimum(at.reached, last), np.minimum(at.above, last)
    return _summed(e, (total[ends] - total[starts]) / (at.reached - at.above))


def _precision_at(e: Evaluation, k: int) -> Stats:
    return columns(_discounted(e, np.full(k, 1 / k)), np.ones(len(e)))


@sample_metric(first_over_second)
def precision_at_1(e: Evaluation) -> Stats:
    """Share of samples whose best class is true; of classes with one score, their share counts.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> precision_at_1(four_scores())
    0.75
    """
    return _precision_at(e, 1)


@sample_metric(first_over_second)
def precision_at_3(e: Evaluation) -> Stats:
    """Mean share of true classes among the three best; of classes with one score at the cut, their share.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> precision_at_3(four_scores())  # six true classes of 4 x 3
    0.5
    """
    return _precision_at(e, 3)


@sample_metric(first_over_second)
def precision_at_5(e: Evaluation) -> Stats:
    """Mean share of true classes among the five best; of classes with one score at the cut, their share.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(precision_at_5(four_scores()), 4)  # there are three classes
    0.3
    """
    return _precision_at(e, 5)


@sample_metric(first_over_second)
def ndcg_at_5(e: Evaluation) -> Stats:
    """Discounted gain of the true classes among the five best, of the largest possible; 0 without any.

    A class of rank r gains 1 / log2(r + 1) [Jarvelin & Kekalainen 2002]; classes of one score share it.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(ndcg_at_5(four_scores()), 4)  # the last sample has no true class
    0.75
    """
    discounts = 1 / np.log2(np.arange(5) + 2)
    gain = _discounted(e, discounts)
    best = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(e.truth.sum(axis=1), 5)]
    return columns(np.divide(gain, best, out=np.zeros(len(e)), where=best > 0), np.ones(len(e)))
