"""Counts at shared thresholds, which make a ranking a function of sums over samples.

Average precision needs, at the score of every positive, how many pairs and how many positives reach it.
Both are sums over samples, so that a bootstrap of them is a matrix product (see
:class:`hmcbench.metrics.base.PooledMetric`). Thresholds stand in descending order; a pair of sample and
class is counted at the highest one that its score reaches (>=), and nowhere if it reaches none.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, hstack, vstack

from hmcbench.metrics.base import Reduce, Stats, document
from hmcbench.metrics.evaluation import Evaluation

MOST_EXACT = 2048
"""With no more distinct scores of positives, each is a threshold and nothing is approximated."""
GRID = 512
"""With more, this many of them: draws of an area are then wrong by about 1 % of their standard deviation."""
_PAIRS = 2**22  # sorted together: keeps temporaries at tens of megabytes
PlacedSamples = tuple[
    np.ndarray, np.ndarray
]  # samples that stand at T thresholds, and how many at each, (T,)


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


def pair_counts(scores: np.ndarray, truth: np.ndarray, at: np.ndarray | None = None) -> csc_array:
    """Counts over all (sample, class) pairs together.

    Args:
        scores: float (N, C), finite.
        truth: boolean (N, C).
        at: T thresholds, descending; those of :func:`thresholds` by default.

    Returns:
        int32 (N, 2 T): the pairs of every sample at each of T thresholds, then its positives.
    """
    at = thresholds(scores[truth]) if at is None else at
    step = max(1, _PAIRS // max(1, scores.shape[1]))
    blocks = [_block(scores[i : i + step], truth[i : i + step], at) for i in range(0, len(scores), step)]
    if len(blocks) == 1:
        return blocks[0]
    return csc_array(vstack([csc_array((0, 2 * len(at)), dtype=np.int32), *blocks], format="csc"))


def _block(scores: np.ndarray, truth: np.ndarray, at: np.ndarray) -> csc_array:
    order = np.argsort(scores, axis=None)[::-1]
    hits = order[truth.ravel()[order]]
    values = scores.ravel()
    columns = [_placed(part // scores.shape[1], values[part], at) for part in (order, hits)]
    return _table(columns, len(scores))


def class_counts(
    scores: np.ndarray, truth: np.ndarray, choose: Callable[[np.ndarray], np.ndarray] = thresholds
) -> tuple[csc_array, np.ndarray]:
    """Counts class by class, each at thresholds of its own.

    Args:
        scores: float (N, C), finite.
        truth: boolean (N, C).
        choose: the scores of the positives of a class -> its thresholds, descending.

    Returns:
        int32 (N, 2 T): the samples at the thresholds of the first class with a positive, of the second, ...,
        then the positives likewise; and for each of these classes the place of its first threshold.
    """
    present = np.flatnonzero(truth.any(axis=0))
    orders = np.argsort(scores[:, present], axis=0)[::-1].T
    samples, positives = [], []
    for c, order in zip(present, orders, strict=True):
        values, true = scores[order, c], truth[order, c]
        at = choose(values[true])
        samples.append(_placed(order, values, at))
        positives.append(_placed(order[true], values[true], at))
    sizes = [len(counts) for _, counts in samples]
    return _table([*samples, *positives], len(scores)), np.cumsum([0, *sizes])[: len(sizes)]


def _placed(samples: np.ndarray, scores: np.ndarray, at: np.ndarray) -> PlacedSamples:
    """Samples with their descending scores, cut below the lowest threshold."""
    reached = len(scores) - np.searchsorted(scores[::-1], at)
    return samples[: reached[-1] if len(at) else 0], np.diff(reached, prepend=0)


def _table(columns: Sequence[PlacedSamples], n: int) -> csc_array:
    """int32 (n, thresholds of all columns)."""
    samples = np.concatenate([np.zeros(0, np.int32), *(samples for samples, _ in columns)], dtype=np.int32)
    lengths = np.concatenate([np.zeros(0, np.int64), *(counts for _, counts in columns)])
    size = len(lengths)
    if len(samples) <= n * size:
        ends = np.cumsum([0, *lengths], dtype=np.int32)
        return csc_array((np.ones(len(samples), dtype=np.int32), samples, ends), shape=(n, size))
    cells = np.repeat(np.arange(size), lengths) * n + samples  # of wide tables many pairs share a cell
    counts = np.bincount(cells, minlength=size * n).astype(np.int32)
    return csc_array(counts.reshape(size, n).T)


# --------------------------------------------------------------------------- reductions


def cumulated(counts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """float64 (..., T): sums so far along the last axis, beginning anew at every start.

    Row by row of the transposed array, in whose rows the draws lie: four times faster than ``cumsum``.

    >>> cumulated(np.array([1, 2, 3, 4]), np.array([0, 2])).tolist()
    [1.0, 3.0, 3.0, 7.0]
    """
    running = np.moveaxis(counts, -1, 0).astype(np.float64)
    for start, end in zip(starts, [*starts[1:], len(running)], strict=True):
        if running.ndim == 1:
            np.cumsum(running[start:end], out=running[start:end])
            continue
        rows = list(running[start:end])
        for above, row in itertools.pairwise(rows):
            np.add(row, above, out=row)
    return np.moveaxis(running, 0, -1)


def average_precisions(sums: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stepwise average precision of every segment of thresholds.

    Args:
        sums: (..., 2 T), pairs and positives as :func:`pair_counts` and :func:`class_counts` order them.
        starts: (S,), where each segment begins; S > 0.

    Returns:
        (..., S), the mean over the positives of the precision at their threshold, 0 without any;
        and (..., S), the number of positives.
    """
    half = sums.shape[-1] // 2
    pairs, positives = sums[..., :half], sums[..., half:]
    reached = cumulated(pairs, starts)
    np.maximum(reached, 1, out=reached)
    areas = cumulated(positives, starts)
    total = areas[..., np.append(starts[1:], half) - 1]
    areas /= reached  # in place: the arrays are as large as the processor's memory nearby
    areas *= positives
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


def roc_counts(scores: np.ndarray, truth: np.ndarray) -> tuple[csc_array, np.ndarray]:
    """Counts class by class, below and at the score of every positive, and one column of ones.

    Args:
        scores: float (N, C), finite.
        truth: boolean (N, C).

    Returns:
        int32 (N, 2 T + 1): as :func:`class_counts`, then 1 for every sample; and the starts.
    """
    counts, starts = class_counts(scores, truth, lambda positives: both_sides(thresholds(positives)))
    ones = csc_array(np.ones((len(scores), 1), dtype=np.int32))
    return csc_array(hstack([counts, ones], format="csc")), starts


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
        positives = np.asarray(sums[..., half:-1], dtype=np.float64)
        negatives = sums[..., :half] - positives
        before = cumulated(negatives, starts) - negatives / 2
        above = np.add.reduceat(positives * before, starts, axis=-1)
        total = np.add.reduceat(positives, starts, axis=-1)
        pairs = total * (sums[..., -1:] - total)
        areas = 1 - np.divide(above, pairs, out=np.ones_like(above), where=pairs > 0)
        varying = (pairs > 0).sum(axis=-1)
        mean: np.ndarray = np.divide(
            areas.sum(axis=-1), varying, out=np.full(varying.shape, np.nan), where=varying > 0
        )
        return mean

    return reduce
