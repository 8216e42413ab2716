"""Sets with a promise that few classes describe, for single paths [after Mortier et al. 2025].

A set of ends may take many classes to say. Here at most k do: a class stands for all ends at or below it, the
virtual root for all. Every sample has a chain of such sets: ends join in falling order of q
(:mod:`hmcbench.metrics.ends`), and where the set would take more than k classes it becomes the smallest one
that holds it and takes no more. Two sets of ends at or below classes are nested or disjoint (also on DAGs, as
ends have one class per level above them), so that this one is found exactly: the set takes k + 1 classes, and
the cheapest class above two of them replaces these.

An end *enters* with the q of the end that brought it in. Split conformal prediction with that number in place
of q (:mod:`hmcbench.metrics.conformal`) keeps its promise, neither below nor above, because the chain depends
on the scores of the sample alone and never shrinks. Mortier et al. ask for the smallest set of a given
probability with at most k classes; these sets do not form a chain.
"""

from __future__ import annotations

import weakref

import numpy as np

from hmcbench.metrics.base import Stats, columns, first_over_second, sample_metric
from hmcbench.metrics.conformal import inside, limits, truths
from hmcbench.metrics.ends import Ends
from hmcbench.metrics.evaluation import Evaluation


def entries(
    ends: Ends, q: np.ndarray, most: int, *, least: float = -np.inf, until: np.ndarray | None = None
) -> np.ndarray:
    """float64 (N, E): the q with which every end enters the sets of at most ``most`` classes.

    Args:
        q: float64 (N, E), of every end.
        least: ends that enter with less may get -inf.
        until: int64 (N,): the end after which those of a sample may get -inf.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> likeliest = with_calibration().likeliest  # of ends a1, a2, b1, b2
    >>> entries(likeliest.ends, np.array([[0.5, 0.1, 0.25, 0.15]]), 1).tolist()  # a1; then all
    [[0.5, 0.25, 0.25, 0.25]]
    >>> entries(likeliest.ends, np.array([[0.5, 0.1, 0.25, 0.15]]), 2).tolist()  # a1; b1; b; all
    [[0.5, 0.1, 0.25, 0.15]]
    """
    order = np.argsort(-q, axis=1, kind="stable")
    entered = np.full(q.shape, -np.inf)
    active = np.arange(len(q))
    for step in range(q.shape[1]):
        brought = q[active, order[active, step]]
        active, brought = active[brought >= least], brought[brought >= least]
        sets = entered[active] > -np.inf
        sets[np.arange(len(active)), order[active, step]] = True
        crowded = ends.described_by(sets) > most
        sets[crowded] = _widened(ends, sets[crowded], q[active[crowded]])
        new = sets & (entered[active] == -np.inf)
        entered[active] = np.where(new, brought[:, None], entered[active])
        settled = sets.all(axis=1)
        if until is not None:
            settled |= sets[np.arange(len(active)), until[active]]
        active = active[~settled]
        if not len(active):
            break
    return entered


def _widened(ends: Ends, sets: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Sets (N, E) with all ends below the class above two of their classes that adds fewest ends.

    Of several, the one with the largest q of what it adds, then the first column; the virtual root is last.
    """
    below = np.concatenate([ends.below.toarray(), np.ones((1, sets.shape[1]), dtype=bool)]).astype(np.float64)
    classes = ends.describing(sets).astype(np.float64) @ below.T  # (N, C + 1): of the set, below each
    added = (~sets).astype(np.float64) @ below.T
    likelier = np.round((~sets * q) @ below.T, 12)
    usable = classes > 1
    fewest = np.where(usable, added, np.inf).min(axis=1, keepdims=True)
    usable &= added == fewest
    best = np.where(usable, likelier, -np.inf).argmax(axis=1)
    widened: np.ndarray = sets | (below[best] > 0)
    return widened


def bounded_sets(e: Evaluation, most: int) -> np.ndarray:
    """Boolean (N, E): the sets of at most ``most`` classes.

    Raises:
        NotApplicable: no calibration side, or too few samples in it.
    """
    ends = e.likeliest.ends
    least, tie = limits(e, lambda apart: entries(ends, apart.likeliest.shares, most, until=truths(apart)))
    return inside(entries(ends, e.likeliest.shares, most, least=float(least.min())), e, least, tie)


_KEPT: weakref.WeakKeyDictionary[Evaluation, dict[int, tuple[np.ndarray, np.ndarray]]] = (
    weakref.WeakKeyDictionary()
)


def _facts(e: Evaluation, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether the true end is in the set, boolean (N,), and its number of ends, (N,); found once for both."""
    kept = _KEPT.setdefault(e, {})
    if most not in kept:
        sets = bounded_sets(e, most)
        kept[most] = sets[np.arange(len(e)), truths(e)], np.count_nonzero(sets, axis=1)
    return kept[most]


def _coverage(e: Evaluation, most: int) -> Stats:
    known = truths(e) >= 0
    return columns(_facts(e, most)[0] & known, known)


def _size(e: Evaluation, most: int) -> Stats:
    return columns(_facts(e, most)[1], np.ones(len(e)))


@sample_metric(first_over_second)
def bounded_coverage_at_1(e: Evaluation) -> Stats:
    """Share of samples whose true end is at or below the one class that is their set; 1 - alpha is promised.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> bounded_coverage_at_1(with_calibration())
    0.8
    """
    return _coverage(e, 1)


@sample_metric(first_over_second)
def bounded_coverage_at_2(e: Evaluation) -> Stats:
    """Share of samples whose true end is in their set of at most two classes; 1 - alpha is promised.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> bounded_coverage_at_2(with_calibration())
    0.8
    """
    return _coverage(e, 2)


@sample_metric(first_over_second)
def bounded_coverage_at_3(e: Evaluation) -> Stats:
    """Share of samples whose true end is in their set of at most three classes; 1 - alpha is promised.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> bounded_coverage_at_3(with_calibration())
    0.8
    """
    return _coverage(e, 3)


@sample_metric(first_over_second)
def bounded_size_at_1(e: Evaluation) -> Stats:
    """Mean number of ends at or below the one class that is the set of a sample.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> bounded_size_at_1(with_calibration())
    1.6
    """
    return _size(e, 1)


@sample_metric(first_over_second)
def bounded_size_at_2(e: Evaluation) -> Stats:
    """Mean number of ends in the sets of at most two classes.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> bounded_size_at_2(with_calibration())
    1.2
    """
    return _size(e, 2)


@sample_metric(first_over_second)
def bounded_size_at_3(e: Evaluation) -> Stats:
    """Mean number of ends in the sets of at most three classes.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> bounded_size_at_3(with_calibration())
    1.2
    """
    return _size(e, 3)
