"""Sets that hold the truth with a promised probability.

**Single paths**: sets of ends (:mod:`hmcbench.metrics.ends`) by split conformal prediction [Vovk et al. 2005;
Sadinle et al. 2019]: an end belongs to the set if its q is at least that of the ceil((n + 1)(1 - alpha))-th
surest of the n truths of the calibration side. Where q ties, a number made from the id of the sample decides,
so that the truth of a new sample, exchangeable with those n, is inside with probability 1 - alpha to
1 - alpha + 1 / (n + 1): neither below nor above. That holds over all samples. Per class it is promised
only by the *Mondrian* variant, which has a limit per end, made from the calibration samples of that end
[Vovk et al. 2005, section 4.5]; an end with too few of them belongs to every set.

**Several paths**: conformal risk control [Angelopoulos et al. 2024] of the share of true classes that are
missed. Sets are the classes whose coherent score (the maximum over a class and its descendants) reaches one
threshold, so they are closed under ancestors; it is the largest one with (n risk + 1) / (n + 1) <= alpha on
the calibration side. Expected risk is at most alpha, and may be lower.

All of that is proved for exchangeable samples: another microscope, or samples of one group on both sides,
break it, and the coverage on the test side then shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.metrics.base import (
    Stats,
    class_metric,
    columns,
    first_over_second,
    level_metric,
    ratio,
    sample_metric,
)
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.promise import least_samples
from hmcbench.metrics.rankings import finite_scores
from hmcbench.metrics.selection import calibration_of


def truths(e: Evaluation) -> np.ndarray:
    """int64 (N,): the place among the ends of the true end of every sample; -1 where it has none."""
    ends = e.likeliest.ends.columns
    place = np.full(e.hierarchy.n + 1, -1, dtype=np.int64)
    place[ends] = np.arange(len(ends))
    true_ends: np.ndarray = place[e.deepest(e.truth)]
    return true_ends


def shares_of(e: Evaluation) -> np.ndarray:
    """float64 (N, E): q of every end."""
    return e.likeliest.shares


def limits(
    e: Evaluation, confidence: Callable[[Evaluation], np.ndarray] = shares_of, *, per_end: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The least q of an end in a set, and up to which tie number it belongs to it: float64 (E,) each.

    Args:
        confidence: the calibration side -> float64 (N, E), used in place of q.
        per_end: a limit for every end (Mondrian).

    Raises:
        NotApplicable: no calibration side, or too few samples in it.
    """
    apart, alpha = calibration_of(e), e.apart.alpha
    true = truths(apart)
    rows = np.flatnonzero(true >= 0)
    true, q, ties = true[rows], confidence(apart)[rows, true[rows]], apart.ties[rows]
    width = len(e.likeliest.ends.columns)
    if not per_end:
        if len(rows) < least_samples(alpha):
            raise NotApplicable(
                f"alpha = {alpha:g} needs {least_samples(alpha)} calibration samples with an end"
            )
        return tuple(np.full(width, value) for value in _limit(q, ties, alpha))  # type: ignore[return-value]
    each = [_limit(q[true == end], ties[true == end], alpha) for end in range(width)]
    return np.array([least for least, _ in each]), np.array([tie for _, tie in each])


def _limit(q: np.ndarray, ties: np.ndarray, alpha: float) -> tuple[float, float]:
    """q and tie number at rank ceil((n + 1)(1 - alpha)), the surest first; n too small: no limit."""
    rank = math.ceil((len(q) + 1) * (1 - alpha) - 1e-9)
    if rank > len(q):
        return -np.inf, 1.0
    last = np.lexsort((ties, -q))[rank - 1]
    return float(q[last]), float(ties[last])


def end_sets(e: Evaluation, *, per_end: bool = False) -> np.ndarray:
    """Boolean (N, E): which ends belong to the set of every sample; see :func:`limits`."""
    return inside(shares_of(e), e, *limits(e, per_end=per_end))


def inside(q: np.ndarray, e: Evaluation, least: np.ndarray, tie: np.ndarray) -> np.ndarray:
    """Boolean (N, E): which ends are within :func:`limits`."""
    within: np.ndarray = (q > least) | ((q == least) & (e.ties[:, None] <= tie))
    return within


def class_sets(e: Evaluation) -> np.ndarray:
    """Boolean (N, C), closed: the sets of samples with several paths.

    Raises NotApplicable as :func:`hmcbench.metrics.selection.calibration_of`.
    """
    sets: np.ndarray = e.hierarchy.cohere(finite_scores(e)) >= risk_threshold(
        calibration_of(e), e.apart.alpha
    )
    return sets


def risk_threshold(apart: Evaluation, alpha: float) -> float:
    """The largest threshold with (n risk + 1) / (n + 1) <= alpha, risk: mean share of missed true classes.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> risk_threshold(four_scores(), 0.45)  # .3 and .6, half of a sample each, are missed: (1 + 1) / 5
    0.7
    """
    scores, truth = apart.hierarchy.cohere(finite_scores(apart)), np.asarray(apart.truth)
    rows, classes = np.nonzero(truth)
    each, share = scores[rows, classes], 1 / apart.n_true[rows]
    order = np.argsort(each, kind="stable")
    each, missed = np.append(each[order], np.inf), np.concatenate([[0.0], share[order].cumsum()])
    first = np.searchsorted(each, each)  # true pairs with a lower score are missed
    fits = missed[first] + 1 <= alpha * (len(apart) + 1) + 1e-9
    return float(each[fits].max())  # where nothing is missed it fits: there are enough samples


def _or_nan(sums: np.ndarray) -> np.ndarray:
    return np.where(sums[..., 1] > 0, first_over_second(sums), np.nan)


def _single(e: Evaluation) -> bool:
    return e.task.paths == "single"


def _inside(e: Evaluation, per_end: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Whether the true end is in the set, (N,), and whether there is one, (N,)."""
    true, sets = truths(e), end_sets(e, per_end=per_end)
    return sets[np.arange(len(e)), true] & (true >= 0), true >= 0


@sample_metric(first_over_second)
def conformal_coverage(e: Evaluation) -> Stats:
    """Share of samples whose true end is in the set; the promise is 1 - alpha.

    Several paths: the mean share of true classes in the set, 1 for a sample without any.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> conformal_coverage(with_calibration())  # alpha .4, rank 4 of 5
    0.8
    """
    if _single(e):
        return columns(*_inside(e))
    hits = np.count_nonzero(class_sets(e) & e.truth, axis=1)
    return columns(np.where(e.n_true > 0, ratio(hits, e.n_true), 1.0), np.ones(len(e)))


@sample_metric(first_over_second)
def conformal_size(e: Evaluation) -> Stats:
    """Mean number of ends in a set; several paths: of classes.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> conformal_size(with_calibration())
    1.2
    """
    sets = end_sets(e) if _single(e) else class_sets(e)
    return columns(np.count_nonzero(sets, axis=1), np.ones(len(e)))


@sample_metric(first_over_second)
def conformal_nodes(e: Evaluation) -> Stats:
    """Mean of the fewest nodes that describe a set: a node stands for all ends at or below it.

    The virtual root stands for all ends. Several paths: the most specific classes of the set.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> conformal_nodes(with_calibration())
    1.2
    """
    if _single(e):
        return columns(e.likeliest.ends.described_by(end_sets(e)), np.ones(len(e)))
    return columns(np.count_nonzero(e.hierarchy.most_specific(class_sets(e)), axis=1), np.ones(len(e)))


@level_metric(_or_nan)
def level_conformal_coverage(e: Evaluation, k: int) -> Stats:
    """Share of samples with a class at level k whose set has an end at or below it; not promised.

    Several paths: the mean share of the true classes of level k in the set.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> level_conformal_coverage(with_calibration(), 1), level_conformal_coverage(with_calibration(), 2)
    (1.0, 0.8)
    """
    reached, level = _reached(e), e.level_columns(k)
    truth = np.asarray(e.truth)[:, level]
    count = np.count_nonzero(truth, axis=1)
    hits = np.count_nonzero(reached[:, level] & truth, axis=1)
    return columns(ratio(hits, count), count > 0)


def _reached(e: Evaluation) -> np.ndarray:
    """Boolean (N, C): classes at or below which some end is in the set; several paths: the set."""
    if not _single(e):
        return class_sets(e)
    reached: np.ndarray = (e.likeliest.ends.below @ end_sets(e).T).T
    return reached


def _sums(e: Evaluation) -> np.ndarray:
    reached, truth = _reached(e), np.asarray(e.truth)
    return np.stack([np.count_nonzero(reached & truth, axis=0), np.count_nonzero(truth, axis=0)], axis=1)


@class_metric(_or_nan, _sums)
def class_conformal_coverage(e: Evaluation, column: int) -> Stats:
    """Share of the samples of each class with an end at or below it in the set; shown, not promised.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> class_conformal_coverage(with_calibration()).tolist()  # a, b, a1, a2, b1, b2
    [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    """
    reached = _reached(e)
    truth = np.asarray(e.truth)[:, column]
    return columns(reached[:, column] & truth, truth)


# --------------------------------------------------------------------------- per class


@sample_metric(first_over_second)
def mondrian_coverage(e: Evaluation) -> Stats:
    """Share of samples whose true end is in its Mondrian set; 1 - alpha is promised for each end.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> mondrian_coverage(with_calibration())
    1.0
    """
    return columns(*_inside(e, per_end=True))


@sample_metric(first_over_second)
def mondrian_size(e: Evaluation) -> Stats:
    """Mean number of ends in a Mondrian set.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> mondrian_size(with_calibration())  # a2, b1 and b2 have one sample each: they are in every set
    3.6
    """
    return columns(np.count_nonzero(end_sets(e, per_end=True), axis=1), np.ones(len(e)))


def _mondrian_sums(e: Evaluation) -> np.ndarray:
    inside, some = _inside(e, per_end=True)
    ends, true = e.likeliest.ends.columns, truths(e)
    sums = np.zeros((e.hierarchy.n, 2))
    np.add.at(sums, ends[true[some]], np.stack([inside[some], np.ones(some.sum())], axis=1))
    return sums


@class_metric(_or_nan, _mondrian_sums)
def class_mondrian_coverage(e: Evaluation, column: int) -> Stats:
    """Share of the samples that end at each class whose Mondrian set holds it; the promise is 1 - alpha.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> class_mondrian_coverage(with_calibration())[2:].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    inside, _some = _inside(e, per_end=True)
    here = e.deepest(e.truth) == column
    here &= np.isin(column, e.likeliest.ends.columns)
    return columns(inside & here, here)
