"""The measures of CAFA: the best threshold of all, with hindsight [Clark & Radivojac 2013; Radivojac 2013].

Scores are coherent: the maximum over the class and its descendants. Classes that a dataset leaves unscored,
such as the roots of the Gene Ontology, do not count. Both choose their threshold on the samples that they
score, so that neither may rank a board.
"""

from __future__ import annotations

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.metrics.base import Reduce, Stats, pooled_metric
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.pooled import GRID
from hmcbench.metrics.rankings import finite_scores

Steps = tuple[np.ndarray, np.ndarray]
"""Positions in thresholds, and how much a sum grows there."""
_CELLS = 2**22  # compared together: keeps temporaries at tens of megabytes


def _thresholds(scores: np.ndarray, truth: np.ndarray, most: int = 0) -> np.ndarray:
    """Scores of positives, descending: where recall grows, and so the only ones that can be the best."""
    distinct = np.unique(scores[truth])[::-1]
    if most and len(distinct) > most:
        distinct = distinct[np.linspace(0, len(distinct) - 1, most).round().astype(np.int64)]
    return distinct


def _curve(e: Evaluation) -> np.ndarray:
    """float64 (3, T): sums over samples of precision, coverage and recall at the score of every positive."""
    scores, truth = e.hierarchy.cohere(finite_scores(e)), np.asarray(e.truth)
    at = _thresholds(scores, truth)
    sums = np.zeros((3, len(at)))
    for row, true in zip(scores, truth, strict=True):
        for line, (positions, steps) in enumerate(_steps(row, true, at)):
            np.add.at(sums[line], positions, steps)
    return np.cumsum(sums, axis=1)


def _place(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """int (n,): the first of descending thresholds that each value reaches; len(at) for none."""
    return len(at) - np.searchsorted(at[::-1], values, "right")


def _steps(row: np.ndarray, true: np.ndarray, at: np.ndarray) -> tuple[Steps, ...]:
    """Where precision, coverage and recall of a sample change, and by how much."""
    place = _place(row, at)
    order = np.argsort(place, kind="stable")
    order = order[place[order] < len(at)]
    places = place[order]
    last = np.flatnonzero(np.diff(places, append=-1) != 0)  # the last class of every threshold
    hits = np.cumsum(true[order])[last]
    precision = np.diff(hits / (last + 1), prepend=0.0)
    recall = np.diff(hits, prepend=0) / max(1, int(true.sum()))
    where = places[last]
    return (where, precision), (where[:1], np.ones(min(1, len(where)))), (where, recall)


def _best_f(
    precision: np.ndarray, covered: np.ndarray, recall: np.ndarray, labelled: np.ndarray
) -> np.ndarray:
    p = np.divide(precision, covered, out=np.zeros_like(precision), where=covered > 0)
    r = np.divide(recall, labelled, out=np.zeros_like(recall), where=labelled > 0)
    f = np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)
    return np.where(labelled[..., 0] > 0, f.max(axis=-1, initial=0.0), np.nan)


def _fmax_counts(e: Evaluation) -> tuple[Stats, Reduce]:
    scores, truth = e.hierarchy.cohere(finite_scores(e)), np.asarray(e.truth)
    at = _thresholds(scores, truth, GRID)
    size = np.maximum(truth.sum(axis=1), 1)[:, None]
    reached, hits = _reached(scores, truth, at, np.ones(e.hierarchy.n))
    precision = np.divide(hits, reached, out=np.zeros_like(hits), where=reached > 0)
    labelled = (truth.sum(axis=1) > 0)[:, None].astype(np.float64)
    stats = np.concatenate([precision, reached > 0, hits / size, labelled], axis=1)

    def reduce(sums: np.ndarray) -> np.ndarray:
        t = len(at)
        return _best_f(sums[..., :t], sums[..., t : 2 * t], sums[..., 2 * t : 3 * t], sums[..., 3 * t :])

    return stats, reduce


def _reached(
    scores: np.ndarray, truth: np.ndarray, at: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """float64 (N, T) twice: weights of all classes, and of true ones, that reach each threshold."""
    n, t = len(scores), len(at)
    both = np.zeros((2, n, t + 1))
    step = max(1, _CELLS // max(1, scores.shape[1]))
    for i in range(0, n, step):
        block = scores[i : i + step]
        cells = _place(block, at) + (t + 1) * np.arange(len(block))[:, None]
        for part, counted in enumerate((np.ones_like(truth[i : i + step]), truth[i : i + step])):
            sums = np.bincount(cells.ravel(), (counted * weights).ravel(), minlength=len(block) * (t + 1))
            both[part, i : i + step] = sums.reshape(len(block), t + 1)
    return np.cumsum(both[0, :, :t], axis=1), np.cumsum(both[1, :, :t], axis=1)


@pooled_metric(_fmax_counts)
def fmax(e: Evaluation) -> float:
    """The largest F1 over thresholds of mean precision and mean recall [Radivojac 2013].

    Precision is the mean over the samples with a class that reaches the threshold, recall over those with a
    true class. Undefined without a true class.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(fmax(four_scores()), 4)
    0.9091
    """
    precision, covered, recall = _curve(e)
    labelled = np.array([np.count_nonzero(e.truth.any(axis=1))], dtype=np.float64)
    return float(_best_f(precision, covered, recall, labelled))


# --------------------------------------------------------------------------- smin


def _information(e: Evaluation) -> np.ndarray:
    if e.information is None:
        raise NotApplicable("information content needs the training frequencies, which are not stored")
    return e.information


def _smin_counts(e: Evaluation) -> tuple[Stats, Reduce]:
    information = _information(e)
    scores, truth = e.hierarchy.cohere(finite_scores(e)), np.asarray(e.truth)
    at = _thresholds(scores, truth, GRID)
    reached, hits = _reached(scores, truth, at, information)
    total = (truth @ information)[:, None]
    stats = np.concatenate([total - hits, reached - hits, total, np.ones((len(e), 1))], axis=1)

    def reduce(sums: np.ndarray) -> np.ndarray:
        t = len(at)
        return _least(
            sums[..., :t], sums[..., t : 2 * t], sums[..., 2 * t : 2 * t + 1], sums[..., 2 * t + 1 :]
        )

    return stats, reduce


def _least(remaining: np.ndarray, wrong: np.ndarray, total: np.ndarray, n: np.ndarray) -> np.ndarray:
    distance = np.hypot(remaining, wrong).min(axis=-1, initial=np.inf)
    least: np.ndarray = np.minimum(distance, total[..., 0]) / np.maximum(n[..., 0], 1)  # nothing predicted
    return least


@pooled_metric(_smin_counts)
def smin(e: Evaluation) -> float:
    """The smallest semantic distance over thresholds [Clark & Radivojac 2013, eq. 8].

    The root of ru^2 + mi^2: ru, the remaining uncertainty, is the mean over samples of the information
    content of the true classes below the threshold; mi, the misinformation, that of the others above it.
    Content: :func:`hmcbench.metrics.evaluation.information_content`.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(smin(four_scores()), 4)
    0.25
    """
    information = _information(e)
    scores, truth = e.hierarchy.cohere(finite_scores(e)), np.asarray(e.truth)
    at = _thresholds(scores, truth)
    place = _place(scores, at).ravel()
    size = len(at) + 1
    weights = np.broadcast_to(information, scores.shape)
    everything = np.bincount(place, weights.ravel(), minlength=size)
    hits = np.bincount(place[truth.ravel()], weights[truth], minlength=size)
    reached, hits_reached = np.cumsum(everything)[: len(at)], np.cumsum(hits)[: len(at)]
    total = np.array([hits.sum()])
    return float(_least(total - hits_reached, reached - hits_reached, total, np.array([float(len(e))])))
