"""Rankings: areas under precision-recall curves, from scores alone.

Average precision is stepwise, as in scikit-learn: sum_n (R_n - R_{n-1}) P_n over the distinct
scores. That is the mean, over the positives, of the precision at their score, which takes two
sorted vectors and no copy of the matrix per class. Undefined where there is no positive. Each is a
:class:`hmcbench.metrics.base.PooledMetric`, so that it has bootstrap intervals whatever the size.
"""

from __future__ import annotations

import numpy as np

from hmcbench.metrics import pooled
from hmcbench.metrics.base import Reduce, Stats, pooled_metric, ratio
from hmcbench.metrics.evaluation import Evaluation

_CELLS = 2**22  # scores sorted together: keeps temporaries at tens of megabytes


def average_precision(scores: np.ndarray, positives: np.ndarray) -> float:
    """Stepwise average precision.

    Args:
        scores: all scores (n,), ascending.
        positives: the scores of the positives among them (p,), ascending, p > 0.

    >>> average_precision(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0.4, 0.8]))  # (2/3 + 1) / 2
    0.8333333333333333
    """
    reached = len(scores) - np.searchsorted(scores, positives)
    hits = len(positives) - np.searchsorted(positives, positives)
    return float(np.mean(hits / reached))


def class_average_precision(e: Evaluation) -> np.ndarray:
    """(C,): average precision of every class; nan outside C+.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> class_average_precision(four_scores()).round(4).tolist()
    [1.0, 0.8333, 1.0]
    """
    scores = finite_scores(e)
    result = np.full(scores.shape[1], np.nan)
    present = np.flatnonzero(_support(e))
    step = max(1, _CELLS // max(1, len(e)))
    for start in range(0, len(present), step):
        block = present[start : start + step]
        rows = scores.T[block]  # a copy, one class per row
        for row, true, c in zip(np.sort(rows), e.truth.T[block], block, strict=True):
            result[c] = average_precision(row, np.sort(scores[true, c]))
    return result


def _support(e: Evaluation) -> np.ndarray:
    """float64 (C,): samples of every class, from the truth alone: no decision is made for a ranking."""
    return np.asarray(np.count_nonzero(e.truth, axis=0), dtype=np.float64)


def finite_scores(e: Evaluation) -> np.ndarray:
    """The scores; raises ValueError where they hold nan or infinity, which have no order."""
    if not np.isfinite(e.scores).all():
        raise ValueError("the scores hold nan or infinity")
    return e.scores


def _all_pairs(e: Evaluation) -> tuple[Stats, Reduce]:
    return pooled.pair_counts(finite_scores(e), e.truth), pooled.pooled_area


def _by_class(e: Evaluation) -> tuple[Stats, Reduce]:
    counts, starts = pooled.class_counts(finite_scores(e), e.truth)
    return counts, pooled.mean_area(starts)


def _by_frequency(e: Evaluation) -> tuple[Stats, Reduce]:
    counts, starts = pooled.class_counts(finite_scores(e), e.truth)
    return counts, pooled.mean_area(starts, by_frequency=True)


def _of_level(e: Evaluation, k: int) -> tuple[Stats, Reduce]:
    level = e.level_columns(k)
    return pooled.pair_counts(finite_scores(e)[:, level], e.truth[:, level]), pooled.pooled_area


def _roc(e: Evaluation) -> tuple[Stats, Reduce]:
    counts, starts = pooled.roc_counts(finite_scores(e), e.truth)
    return counts, pooled.mean_roc_area(starts)


@pooled_metric(_all_pairs)
def auprc_micro(e: Evaluation) -> float:
    """Stepwise average precision over all (sample, class) pairs (scikit-learn, ``micro``).

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(auprc_micro(four_scores()), 4)  # (1 + 1 + 1 + 1 + 1 + 6/8) / 6: two misses share the last score
    0.9583
    """
    scores = finite_scores(e)
    positives = np.sort(scores[e.truth])
    return average_precision(np.sort(scores, axis=None), positives) if len(positives) else float("nan")


@pooled.pooled_level_metric(_of_level)
def level_auprc_micro(e: Evaluation, k: int) -> float:
    """Stepwise average precision over all (sample, class) pairs of level k.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(level_auprc_micro(four_scores(), 1), 4), round(level_auprc_micro(four_scores(), 2), 4)
    (1.0, 0.8667)
    """
    level = e.level_columns(k)
    scores, truth = finite_scores(e)[:, level], e.truth[:, level]
    positives = np.sort(scores[truth])
    return average_precision(np.sort(scores, axis=None), positives) if len(positives) else float("nan")


@pooled_metric(_roc)
def auroc_macro(e: Evaluation) -> float:
    """Mean area under the ROC curve of the classes that some samples have and others have not.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(auroc_macro(four_scores()), 4)  # a 1; b 1 1 of 2, .75 of 2; c 1
    0.9583
    """
    scores, n = finite_scores(e), len(e)
    support = e.truth.sum(axis=0)
    varying = np.flatnonzero((support > 0) & (support < n))
    areas = []
    for c in varying:
        true = e.truth[:, c]
        others, positives = np.sort(scores[~true, c]), scores[true, c]
        below = np.searchsorted(others, positives, "left") + np.searchsorted(others, positives, "right")
        areas.append(below.mean() / (2 * len(others)))
    return float(np.mean(areas)) if areas else float("nan")


@pooled_metric(_by_class)
def auprc_macro(e: Evaluation) -> float:
    """Mean over C+ of the average precision of a class.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(auprc_macro(four_scores()), 4)  # a 1, b .8333, c 1
    0.9444
    """
    values = class_average_precision(e)
    present = values[np.isfinite(values)]
    return float(present.mean()) if len(present) else float("nan")


@pooled_metric(_by_frequency)
def auprc_weighted(e: Evaluation) -> float:
    """Mean over C+ of the average precision of a class, weighted by its test frequency.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(auprc_weighted(four_scores()), 4)  # (3 * 1 + 2 * .8333 + 1 * 1) / 6
    0.9444
    """
    values, support = class_average_precision(e), _support(e)
    weighted = np.nansum(values * support)
    return float(ratio(weighted, support.sum())) if support.any() else float("nan")
