"""The pooled area under the precision-recall curve as Clus computes it.

The curve has a point (recall, precision) at every distinct score. Between two points it runs as Davis &
Goadrich (2006) interpolate: true and false positives grow together in a straight line, one true positive at a
time, and the area between those is a trapezoid. From the first point it runs level to recall 0.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from hmcbench.metrics import pooled
from hmcbench.metrics.base import Reduce, Stats, pooled_metric
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import finite_scores


def interpolated_area(hits: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """The area below the points of a curve.

    Args:
        hits, reached: float (..., T), positives and all pairs that reach each of T descending thresholds.

    Returns:
        (...), nan where there is no positive.
    """
    none = np.zeros_like(hits[..., :1])
    before, reached_before = (np.concatenate([none, part[..., :-1]], axis=-1) for part in (hits, reached))
    gained = hits - before  # k true positives from one point to the next
    known = gained > 0
    growth = np.divide(reached - reached_before, gained, out=np.ones_like(hits), where=known)
    start = np.divide(before, reached_before, out=np.zeros_like(hits), where=reached_before > 0)
    end = np.divide(hits, reached, out=np.zeros_like(hits), where=known)
    # sum over x = 1..k of (b + x) / (r + B x): k / B + (b - r / B) / B * sum of 1 / (x + r / B)
    ratio = reached_before / growth
    reciprocals = digamma(gained + 1 + ratio) - digamma(1 + ratio)
    total = gained / growth + (before - ratio) / growth * reciprocals + (start - end) / 2
    total = np.where(reached_before == 0, gained * end, total)  # the first point: level to recall 0
    total = np.where(known, total, 0.0).sum(axis=-1)
    positives = hits[..., -1]
    area: np.ndarray = np.divide(total, positives, out=np.full(positives.shape, np.nan), where=positives > 0)
    return area


def _counts(e: Evaluation) -> tuple[Stats, Reduce]:
    scores, truth = _present(e)
    at = pooled.thresholds(scores[truth])
    if not len(at):
        return np.zeros((len(e), 1)), lambda sums: np.full(sums.shape[:-1], np.nan)
    stats = pooled.pair_counts(scores, truth, pooled.both_sides(at))

    def reduce(sums: np.ndarray) -> np.ndarray:
        half = sums.shape[-1] // 2
        running = pooled.cumulated(sums.astype(np.float64), np.array([0, half]))
        hits = running[..., half:]
        return interpolated_area(hits, running[..., :half] + hits)

    return stats, reduce


def _present(e: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Scores and truth of the classes with a test positive."""
    scores, truth = finite_scores(e), np.asarray(e.truth)
    present = np.flatnonzero(truth.any(axis=0))
    return (scores, truth) if len(present) == scores.shape[1] else (scores[:, present], truth[:, present])


@pooled_metric(_counts)
def auprc_pooled_clus(e: Evaluation) -> float:
    """Area under the pooled curve of the classes with a test positive, interpolated as in Clus [Vens 2008].

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(auprc_pooled_clus(four_scores()), 4)  # 5/6 level at 1; then (1 + 6/8) / 2
    0.9792
    """
    scores, truth = _present(e)
    positives = np.sort(scores[truth])
    if not len(positives):
        return float("nan")
    ordered = np.sort(scores, axis=None)
    at = pooled.both_sides(np.unique(positives)[::-1])
    hits, reached = (len(part) - np.searchsorted(part, at) for part in (positives, ordered))
    return float(interpolated_area(hits.astype(np.float64), reached.astype(np.float64)))
