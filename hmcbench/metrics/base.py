"""Metrics as functions of sums over samples.

``stats(evaluation)`` gives one row of K numbers per sample; ``reduce`` turns sums of rows into
values. The metric is ``reduce(stats.sum(0))``; a bootstrap with sample weights ``W`` (B, N) is
``reduce(W @ stats)``: no resampling, no second pass over the decisions. A row depends on its own
sample only, never on the others, so that rows of several folds may be stacked; of regressions, whose folds
are joined first, targets may be measured from their mean. Metrics that rank the
samples are no such functions; :class:`PooledMetric` makes them so by thresholds that all samples share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, hstack, issparse

if TYPE_CHECKING:
    from hmcbench.metrics.evaluation import Evaluation

Stats = Any
"""float64 (N, K): an ndarray, or a CSR array where that would take more than ``DENSE_LIMIT``."""
Reduce = Callable[[np.ndarray], np.ndarray]
"""Sums (..., K) -> values (...); 0/0 is 0; nan stands for "undefined" and for nothing else."""

DENSE_LIMIT = 2**28
"""Bytes: larger tables of per-class statistics stay sparse. ``W @ stats`` works for both."""


@dataclass(frozen=True)
class SampleMetric:
    """A metric that is a function of sums over samples.

    Attributes:
        stats: evaluation -> float64 (N, K).
        reduce: sums (..., K) -> values (...).
        sums: evaluation -> (K,), a short cut: ``reduce`` makes the same of it as of
            ``stats(evaluation).sum(0)``.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> share_of_a = SampleMetric(stats=lambda e: e.truth[:, :1] * 1.0, reduce=lambda s: s[..., 0] / 3)
    >>> round(share_of_a(three_samples()), 4)
    0.6667
    """

    stats: Callable[[Evaluation], Stats]
    reduce: Reduce
    sums: Callable[[Evaluation], np.ndarray] | None = None

    def __post_init__(self) -> None:
        document(self, self.stats)

    def __call__(self, evaluation: Evaluation) -> float:
        total = self.sums(evaluation) if self.sums else summed(self.stats(evaluation))
        return float(self.reduce(total))


@dataclass(frozen=True)
class PooledMetric:
    """A metric that ranks the samples, as a function of sums over samples of counts at shared thresholds.

    Attributes:
        exact: evaluation -> the value. Only scores and truth are read, no decisions: where there are
            several folds, their samples are ranked together, whatever thresholds each fold decides with.
        counts: evaluation -> (stats (N, K), reduce): counts of every sample at thresholds that all samples
            share (:func:`hmcbench.metrics.pooled.thresholds`), numbers of any type, dense or sparse; and
            sums (..., K) -> values (...), which may rest on the thresholds.

    A bootstrap with sample weights ``W`` (B, N) is ``reduce(W @ stats)``. Where scores share thresholds,
    ``reduce(stats.sum(0))`` lies beside ``exact``; draws are moved by the difference of the two.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> from hmcbench.metrics.rankings import auprc_micro
    >>> stats, reduce = auprc_micro.counts(four_scores())
    >>> round(float(reduce(stats.sum(axis=0))), 4), round(auprc_micro(four_scores()), 4)
    (0.9583, 0.9583)
    """

    exact: Callable[[Evaluation], float]
    counts: Callable[[Evaluation], tuple[Stats, Reduce]]

    def __post_init__(self) -> None:
        document(self, self.exact)

    def __call__(self, evaluation: Evaluation) -> float:
        return float(self.exact(evaluation))


@dataclass(frozen=True)
class LevelMetric:
    """A :class:`SampleMetric` per level: ``metric(evaluation, k)`` for k = 1..levels.

    Attributes:
        stats: (evaluation, k) -> float64 (N, K).
        reduce: sums (..., K) -> values (...).
        sums: (evaluation, k) -> (K,), a short cut.
    """

    stats: Callable[[Evaluation, int], Stats]
    reduce: Reduce
    sums: Callable[[Evaluation, int], np.ndarray] | None = None

    def __post_init__(self) -> None:
        document(self, self.stats)

    def __call__(self, evaluation: Evaluation, k: int) -> float:
        total = self.sums(evaluation, k) if self.sums else summed(self.stats(evaluation, k))
        return float(self.reduce(total))


@dataclass(frozen=True)
class ClassMetric:
    """A :class:`SampleMetric` per class (or per target): ``metric(evaluation)`` -> (C,).

    Attributes:
        stats: (evaluation, column) -> float64 (N, K), of one class.
        reduce: sums (..., K) -> values (...).
        sums: evaluation -> (C, K), the sums of all classes at once.
    """

    stats: Callable[[Evaluation, int], np.ndarray]
    reduce: Reduce
    sums: Callable[[Evaluation], np.ndarray]

    def __post_init__(self) -> None:
        document(self, self.stats)

    def __call__(self, evaluation: Evaluation) -> np.ndarray:
        return np.asarray(self.reduce(self.sums(evaluation)), dtype=np.float64)


def sample_metric(
    reduce: Reduce, sums: Callable[[Evaluation], np.ndarray] | None = None
) -> Callable[[Callable[[Evaluation], Stats]], SampleMetric]:
    """Decorates a function of statistics; its docstring becomes the metric's."""
    return lambda stats: SampleMetric(stats, reduce, sums)


def level_metric(
    reduce: Reduce, sums: Callable[[Evaluation, int], np.ndarray] | None = None
) -> Callable[[Callable[[Evaluation, int], Stats]], LevelMetric]:
    """Decorates ``stats(evaluation, k)``."""
    return lambda stats: LevelMetric(stats, reduce, sums)


def pooled_metric(
    counts: Callable[[Evaluation], tuple[Stats, Reduce]],
) -> Callable[[Callable[[Evaluation], float]], PooledMetric]:
    """Decorates the exact value; its docstring becomes the metric's."""
    return lambda exact: PooledMetric(exact, counts)


def class_metric(
    reduce: Reduce, sums: Callable[[Evaluation], np.ndarray]
) -> Callable[[Callable[[Evaluation, int], np.ndarray]], ClassMetric]:
    """Decorates ``stats(evaluation, column)``."""
    return lambda stats: ClassMetric(stats, reduce, sums)


def document(metric: Any, source: Any) -> None:
    """Give an instance the docstring of the function it was made from."""
    object.__setattr__(metric, "__doc__", source.__doc__)


def summed(stats: Stats) -> np.ndarray:
    """(N, K) -> (K,), of either kind; raises ValueError for any other shape."""
    if stats.ndim != 2:
        raise ValueError(f"statistics of shape {stats.shape}, not (samples, K)")
    if issparse(stats) and stats.format == "csr":  # much faster than ``sum``
        return np.bincount(stats.indices, stats.data, minlength=stats.shape[1])
    return np.asarray(stats.sum(axis=0), dtype=np.float64).ravel()


def columns(*parts: np.ndarray) -> np.ndarray:
    """Vectors (N,) side by side as float64 (N, K)."""
    return np.stack([np.asarray(part, dtype=np.float64) for part in parts], axis=1)


def side_by_side(parts: list[Any]) -> Stats:
    """Matrices (N, C) of one kind side by side as float64 (N, K); sparse where that is large."""
    wide = parts[0].shape[0] * sum(part.shape[1] for part in parts) * 8
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=1, dtype=np.float64)
    stacked = csr_array(hstack(parts, format="csr", dtype=np.float64))
    return stacked.toarray() if wide <= DENSE_LIMIT else stacked


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """``above / below`` where 0/0 is 0."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    zeros = np.zeros(np.broadcast_shapes(above.shape, below.shape))
    result: np.ndarray = np.divide(above, below, out=zeros, where=below != 0)
    return result


def is_rounding(
    variance: np.ndarray,
    mean: np.ndarray,
    count: np.ndarray | int,
    epsilon: float = float(np.finfo(np.float64).eps),
) -> np.ndarray:
    """Whether numbers that vary so little are one number: a mean of equal numbers may miss their last digit.

    The bound is that of scikit-learn's scalers: what ``count`` numbers of this mean may miss by rounding.

    Args:
        epsilon: relative size of the last digit.

    >>> equal = np.array([0.3, 0.1 + 0.2, 0.3])
    >>> bool(equal.var()), bool(is_rounding(equal.var(), equal.mean(), 3))
    (True, True)
    """
    return np.asarray(variance <= count * epsilon * variance + (count * mean * epsilon) ** 2)


def harmonic(p: np.ndarray, r: np.ndarray) -> np.ndarray:
    """``2 p r / (p + r)``; 0 where both are 0."""
    return ratio(2.0 * p * r, p + r)


def first_over_second(sums: np.ndarray) -> np.ndarray:
    """(..., 2) -> (...): the mean of a column of values over a column of "it counts"."""
    return ratio(sums[..., 0], sums[..., 1])


def only(sums: np.ndarray) -> np.ndarray:
    """(..., 1) -> (...): a count."""
    return sums[..., 0]
