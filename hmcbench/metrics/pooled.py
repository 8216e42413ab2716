"""Counts at shared thresholds, which make a ranking a function of sums over samples.

Average precision needs, at the score of every positive, how many pairs and how many positives reach it.
Both are sums over samples, so that a bootstrap of them is a matrix product (see
:class:`hmcbench.metrics.base.PooledMetric`). Thresholds stand in descending order; a pair of sample and
class is counted at the highest one that its score reaches (>=), and nowhere if it reaches none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from hmcbench.metrics.base import Reduce, Stats, document
from hmcbench.metrics.evaluation import Evaluation

MOST_EXACT = 2048
"""With no more distinct scores of positives, each is a threshold and nothing is approximated."""
GRID = 512
"""With more, this many of them: draws of an area are then wrong by about 1 % of their standard deviation."""
_PAIRS = 4_000_000  # sorted together: keeps temporaries at tens of megabytes
_ROWS = 16  # that are summed up one by one; then come the sums of so many


@dataclass(frozen=True)
class PooledLevelMetric:
    """A :class:`hmcbench.metrics.base.PooledMetric` per level: ``metric(evaluation, k)`` for k = 1..levels.

    Attributes:
        exact: (evaluation, k) -> the value.
        counts: (evaluation, k) -> (stats (N, K), reduce).
    """

    exact: Callable[[Evaluation, int], float]
    counts: Callable[[Evaluation, int], tuple[Stats, Reduce]]

    def __post_init__(self) -> None:
        document(self, self.exact)

    def __call__(self, evaluation: Evaluation, k: int) -> float:
        return float(self.exact(evaluation, k))


def pooled_level_metric(
    counts: Callable[[Evaluation, int], tuple[Stats, Reduce]],
) -> Callable[[Callable[[Evaluation, int], float]], PooledLevelMetric]:
    """Decorates the exact value; its docstring becomes the metric's."""
    return lambda exact: PooledLevelMetric(exact, counts)


def thresholds(scores: np.ndarray) -> np.ndarray:
    """Distinct scores of positives, descending: all, or ``GRID`` of them at equal ranks, the lowest included.

    >>> thresholds(np.array([0.2, 0.9, 0.2, 0.5])).tolist()
    [0.9, 0.5, 0.2]
    """
    distinct = np.unique(scores)[::-1]
    if len(distinct) <= MOST_EXACT:
        return distinct
    chosen: np.ndarray = distinct[np.linspace(0, len(distinct) - 1, GRID).round().astype(np.int64)]
    return chosen


def both_sides(at: np.ndarray) -> np.ndarray:
    """Every threshold, after the next larger number: so pairs between two thresholds are apart from ties.

    >>> both_sides(np.array([0.75, 0.5], dtype=np.float32)).tolist()
    [0.7500000596046448, 0.75, 0.5000000596046448, 0.5]
    """
    return np.stack([np.nextafter(at, np.inf, dtype=at.dtype), at], axis=1).ravel()


def pair_counts(scores: np.ndarray, truth: np.ndarray, at: np.ndarray | None = None) -> csr_array:
    """Counts over all (sample, class) pairs together.

    Args:
        scores: float (N, C), finite.
        truth: boolean (N, C).
        at: T thresholds, descending; those of :func:`thresholds` by default.

    Returns:
        int32 (N, 2 T): the negatives of every sample at each of T thresholds, then its positives.
    """
    at = thresholds(scores[truth]) if at is None else at
    step = max(1, _PAIRS // max(1, scores.shape[1]))
    starts = range(0, max(1, len(scores)), step)
    places = (_places(scores[i : i + step].ravel(), at) for i in starts)
    blocks = [_table(place, truth[i : i + step], len(at)) for i, place in zip(starts, places, strict=True)]
    return blocks[0] if len(blocks) == 1 else csr_array(vstack(blocks, format="csr"))


def class_counts(
    scores: np.ndarray, truth: np.ndarray, choose: Callable[[np.ndarray], np.ndarray] = thresholds
) -> tuple[csr_array, np.ndarray]:
    """Counts class by class, each at thresholds of its own.

    Args:
        scores: float (N, C), finite.
        truth: boolean (N, C).
        choose: the scores of the positives of a class -> its thresholds, descending.

    Returns:
        int32 (N, 2 T): the negatives at the thresholds of the first class with a positive, of the second,
        ..., then the positives likewise; and for each of these classes the place of its first threshold.
    """
    present = np.flatnonzero(truth.any(axis=0))
    places, starts = np.empty((len(scores), len(present)), dtype=np.int32), [0]
    for column, c in enumerate(present):
        at = choose(scores[truth[:, c], c])
        place = _places(scores[:, c], at)
        places[:, column] = np.where(place < 0, -1, starts[-1] + place)
        starts.append(starts[-1] + len(at))
    return _table(places.ravel(), truth[:, present], starts[-1]), np.array(starts[:-1], dtype=np.int64)


def _places(scores: np.ndarray, at: np.ndarray) -> np.ndarray:
    """int32 (n,): the first of T descending thresholds that each of n scores reaches, -1 for none."""
    order = np.argsort(scores)
    ends = np.searchsorted(scores[order], at[::-1])
    places = np.empty(len(scores), dtype=np.int32)
    ascending = np.append(-1, np.arange(len(at))[::-1])
    places[order] = np.repeat(ascending, np.diff(ends, prepend=0, append=len(scores)))
    return places


def _table(places: np.ndarray, truth: np.ndarray, size: int) -> csr_array:
    """int32 (n, 2 size): the pairs of n samples at their places (n * C,), negatives first."""
    n, reached = len(truth), places >= 0
    cells = (places + size * truth.ravel())[reached]
    ends = np.zeros(n + 1, dtype=np.int32)
    np.cumsum(np.count_nonzero(reached.reshape(truth.shape), axis=1), out=ends[1:])
    whole = n * 2 * size
    if len(cells) > whole:  # of wide tables many pairs share a cell
        cells += np.repeat(np.arange(n) * 2 * size, np.diff(ends))
        table = np.bincount(cells, minlength=whole).astype(np.int32)
        return csr_array(table.reshape(n, 2 * size))
    return csr_array((np.ones(len(cells), dtype=np.int32), cells, ends), shape=(n, 2 * size))


# --------------------------------------------------------------------------- reductions


def cumulated(counts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(..., T), of the type of the counts: sums so far along the last axis, beginning anew at every start.

    By whole rows of the transposed array, in which the draws lie, and few calls: ten times faster than
    ``cumsum``. The type has to hold the sum of all counts.

    >>> cumulated(np.array([1, 2, 3, 4]), np.array([0, 2])).tolist()
    [1, 3, 3, 7]
    """
    running = np.array(np.moveaxis(counts, -1, 0), order="C")
    if running.ndim == 1:
        np.cumsum(running, out=running)
    else:
        for i in range(1, _ROWS):
            rows = running[i::_ROWS]
            rows += running[i - 1 :: _ROWS][: len(rows)]
        for i in range(_ROWS, len(running), _ROWS):
            running[i : i + _ROWS] += running[i - 1]
    before, ends = running[starts[1:] - 1], [*starts[1:], len(running)]
    for start, end, sums in zip(starts[1:], ends[1:], before, strict=True):
        running[start:end] -= sums
    return np.moveaxis(running, 0, -1)


def average_precisions(sums: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stepwise average precision of every segment of thresholds.

    Args:
        sums: (..., 2 T), negatives and positives as :func:`pair_counts` and :func:`class_counts` order them.
        starts: (S,), where each segment begins; S > 0.

    Returns:
        (..., S), the mean over the positives of the precision at their threshold, 0 without any;
        and (..., S), the number of positives.
    """
    half = sums.shape[-1] // 2
    running = cumulated(sums, np.concatenate([starts, half + starts]))
    reached, hits = running[..., :half], running[..., half:]
    reached += hits  # in place: the arrays are as large as the processor's memory nearby
    reached += reached == 0
    total = hits[..., np.append(starts[1:], half) - 1].astype(np.float64)
    areas = hits.astype(np.float64)
    areas /= reached
    areas *= sums[..., half:]
    above = areas.sum(axis=-1, keepdims=True) if len(starts) == 1 else np.add.reduceat(areas, starts, axis=-1)
    return above / np.maximum(total, 1), total


def pooled_area(sums: np.ndarray) -> np.ndarray:
    """(..., 2 T) -> (...): average precision over all pairs; nan without positives."""
    if not sums.shape[-1]:
        return np.full(sums.shape[:-1], np.nan)
    areas, positives = average_precisions(sums, np.zeros(1, dtype=np.int64))
    return np.where(positives > 0, areas, np.nan)[..., 0]


def mean_area(starts: np.ndarray, *, by_frequency: bool = False) -> Reduce:
    """(..., 2 T) -> (...): the mean over the classes that have a positive in a draw; nan without any.

    Args:
        starts: as :func:`class_counts` gives them.
        by_frequency: whether classes are weighted by their positives in the draw.
    """

    def reduce(sums: np.ndarray) -> np.ndarray:
        if not len(starts):
            return np.full(sums.shape[:-1], np.nan)
        areas, positives = average_precisions(sums, starts)
        weights = positives if by_frequency else (positives > 0).astype(np.float64)
        total = weights.sum(axis=-1)
        above = (areas * weights).sum(axis=-1)
        mean: np.ndarray = np.divide(above, total, out=np.full_like(above, np.nan), where=total > 0)
        return mean

    return reduce


def roc_counts(scores: np.ndarray, truth: np.ndarray) -> tuple[csr_array, np.ndarray]:
    """Counts class by class, below and at the score of every positive, and one column of ones.

    Args:
        scores: float (N, C), finite.
        truth: boolean (N, C).

    Returns:
        int32 (N, 2 T + 1): as :func:`class_counts`, then 1 for every sample; and the starts.
    """
    counts, starts = class_counts(scores, truth, lambda positives: both_sides(thresholds(positives)))
    ones = csr_array(np.ones((len(scores), 1), dtype=np.int32))
    return csr_array(hstack([counts, ones], format="csr")), starts


def mean_roc_area(starts: np.ndarray) -> Reduce:
    """(..., 2 T + 1) -> (...): the mean area under the ROC curves of the classes that vary in a draw.

    A curve is straight between two thresholds: a negative that ties with a positive counts half. Negatives
    below all positives are right, so that only those above cost: the area is 1 - above / (p n).

    Args:
        starts: as :func:`roc_counts` gives them.
    """

    def reduce(sums: np.ndarray) -> np.ndarray:
        if not len(starts):
            return np.full(sums.shape[:-1], np.nan)
        half = sums.shape[-1] // 2
        negatives, positives = sums[..., :half], sums[..., half:-1]
        before = cumulated(negatives, starts) - negatives / 2
        above = np.add.reduceat(positives * before, starts, axis=-1)
        total = np.add.reduceat(positives, starts, axis=-1, dtype=np.float64)
        pairs = total * (sums[..., -1:] - total)
        areas = 1 - np.divide(above, pairs, out=np.ones_like(above), where=pairs > 0)
        varying = (pairs > 0).sum(axis=-1)
        mean: np.ndarray = np.divide(
            areas.sum(axis=-1), varying, out=np.full(varying.shape, np.nan), where=varying > 0
        )
        return mean

    return reduce
