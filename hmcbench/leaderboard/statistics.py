"""The bootstrap as a matrix product, and tests: Student's t, Welch, Holm, Wilson.

Every draw is deterministic: it depends on the number of samples and on the groups alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.special import stdtr, stdtrit

DRAWS = 1000
LEVEL = 0.95
SEED = 20_260_101
_BLOCK = 4_000_000  # numbers held at once while drawing or multiplying
_HELD = 16_000_000  # weights that are held as numbers of two, four and eight bytes too


class Bootstrap:
    """Resampled samples, or groups where groups exist, as weights.

    Attributes:
        weights: uint8 (B, N): how often sample n is in draw b. All samples of a group share
            the group's count, so a draw may hold more or fewer than N samples.
        unit: (N,) the group of every sample as a number from 0; without groups its own.
    """

    def __init__(self, n: int, groups: Sequence[str] | None = None, draws: int = DRAWS) -> None:
        member = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        self.unit: np.ndarray = member
        units = int(member.max()) + 1 if n else 0
        rng = np.random.default_rng([SEED, units])
        counts = np.zeros((draws, units), dtype=np.uint8)
        step = max(1, _BLOCK // max(units, 1))
        for start in range(0, draws if units else 0, step):
            rows = min(step, draws - start)
            picked = rng.integers(0, units, size=(rows, units)) + np.arange(rows)[:, None] * units
            drawn = np.bincount(picked.ravel(), minlength=rows * units)
            counts[start : start + rows] = drawn.reshape(rows, units)
        self.weights = counts if groups is None else counts[:, member]
        self._held: dict[type, np.ndarray] = {}

    def values(self, metrics: Sequence[tuple[Any, Callable[[np.ndarray], np.ndarray]]]) -> np.ndarray:
        """Metrics as (stats (N, K), reduce) on every draw, (M, B).

        Dense statistics share one product, computed in blocks of draws to save memory.
        """
        draws, n = self.weights.shape
        out = np.empty((len(metrics), draws))
        dense = [i for i, (stats, _) in enumerate(metrics) if isinstance(stats, np.ndarray)]
        table = np.concatenate([np.zeros((n, 0)), *(metrics[i][0] for i in dense)], axis=1)
        whole = self._whole(table)
        whole_numbers = table[:, whole].astype(np.float32)
        # an even number of columns: BLAS rounds an odd last one otherwise, and it would depend on the others
        others = np.concatenate([table[:, ~whole], np.zeros((n, (~whole).sum() % 2))], axis=1)
        ends = np.cumsum([0, *(metrics[i][0].shape[1] for i in dense)])
        widest = max([n, 1, table.shape[1], *(stats.shape[1] for stats, _ in metrics)])
        step = max(1, _BLOCK // widest)
        for start in range(0, draws, step):
            rows = slice(start, start + step)
            sums = np.empty((len(self.weights[rows]), table.shape[1]))
            sums[:, ~whole] = (self._as(np.float64, rows) @ others)[:, : (~whole).sum()]
            sums[:, whole] = self._as(np.float32, rows) @ whole_numbers
            for i, low, high in zip(dense, ends, ends[1:], strict=False):
                out[i, rows] = metrics[i][1](sums[:, low:high])
            for i in set(range(len(metrics))).difference(dense):
                out[i, rows] = metrics[i][1](self._as(np.float64, rows) @ metrics[i][0])
        return out

    def _whole(self, table: np.ndarray) -> np.ndarray:
        """Which columns (K,) are whole numbers with sums that numbers of four bytes hold exactly."""
        sizes = np.abs(table).sum(axis=0) * self._largest
        whole: np.ndarray = (table == np.rint(table)).all(axis=0) & (sizes < 2**24)
        return whole

    def of_counts(self, stats: Any, reduce: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """One metric as counts (N, K), dense or sparse, and reduce on every draw, (B,)."""
        draws, n = self.weights.shape
        by_sample = csr_array(stats.T)
        kind = _kind(by_sample, self._largest)
        parts = by_sample.data.astype(kind), by_sample.indices, by_sample.indptr
        table = csr_array(parts, shape=by_sample.shape)  # ``astype`` would sum duplicates, which takes longer
        out = np.empty(draws)
        most = max(1, _BLOCK // max(n, table.shape[0], 1))  # that a processor's memory nearby holds
        step = -(-draws // -(-draws // most))  # blocks of about one size
        for draw in range(0, draws, step):
            weights: np.ndarray = np.ascontiguousarray(self._by_sample[:, draw : draw + step])
            out[draw : draw + step] = reduce((table @ weights.astype(kind, copy=False)).T)
        return out

    def _as(self, kind: type, rows: slice) -> np.ndarray:
        """Some of the weights as a product wants them; kept for the next where all are not too many."""
        if self.weights.size > _HELD:
            return self.weights[rows].astype(kind)
        held = self._held.get(kind)
        if held is None:
            held = self._held[kind] = self.weights.astype(kind)
        return held[rows]

    @cached_property
    def _by_sample(self) -> np.ndarray:
        """The weights (N, B): sparse products run along draws, which lie side by side here."""
        kind = np.uint16 if self.weights.size <= _HELD else np.uint8
        return np.ascontiguousarray(self.weights.T, dtype=kind)

    @cached_property
    def _largest(self) -> int:
        return int(self.weights.max(initial=0))


def _kind(table: csr_array, weight: int) -> type:
    """The narrowest type of number that holds every sum of a table of counts: products are as much faster."""
    if table.dtype.kind not in "iub" or not table.nnz or table.data.min() < 0:
        return np.float64
    filled = table.indptr[:-1][np.diff(table.indptr) > 0]
    most = int(np.add.reduceat(table.data, filled, dtype=np.int64).max()) * weight
    return np.uint16 if most < 2**16 else np.float32 if most < 2**24 else np.float64


def percentiles(draws: np.ndarray) -> tuple[float, float]:
    """The percentile interval of draws (B,); draws in which the metric is undefined do not count."""
    low, high = np.quantile(draws[np.isfinite(draws)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def t_interval(values: np.ndarray, ratio: float = 0.0) -> tuple[float, float] | None:
    """Student's interval for the mean of J values, ``None`` for fewer than two.

    ``ratio`` = test / training size for repeated random splits, whose training sets overlap: the
    variance of the mean is then (1/J + ratio) s^2 instead of s^2 / J [Nadeau & Bengio 2003].
    """
    j = len(values)
    if j < 2:
        return None
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    reach = float(stdtrit(j - 1, (1 + LEVEL) / 2)) * spread * float(np.sqrt(1 / j + ratio))
    return mean - reach, mean + reach


def two_sided(difference: float, error: float, freedom: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stdtr(freedom, -abs(difference) / error))


def paired_t_p(a: np.ndarray, b: np.ndarray, ratio: float) -> float:
    """p of the difference over J >= 2 repeated splits (J,), corrected as :func:`t_interval`."""
    difference = a - b
    j = len(difference)
    error = float(difference.std(ddof=1) * np.sqrt(1 / j + ratio))
    return two_sided(float(difference.mean()), error, j - 1)


def welch_p(a: np.ndarray, b: np.ndarray) -> float:
    """p of the difference of two unpaired means, unequal variances, two or more values each."""
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)) if va + vb > 0 else 1.0
    return two_sided(float(a.mean() - b.mean()), float(np.sqrt(va + vb)), float(freedom))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's step-down adjusted p-values, in the order given."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(adjusted, 1.0)
    return out


def wilson(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval of a share of n samples [Wilson 1927]; its width is never 0.

    Args:
        share: in [0, 1].
        n: number of samples, or the effective number.
        quantile: of the normal or of Student's distribution, such as 1.96.

    >>> [round(end, 4) for end in wilson(1.0, 20, 1.96)]
    [0.8389, 1.0]
    """
    squared = quantile**2
    centre = (share + squared / (2 * n)) / (1 + squared / n)
    reach = quantile / (1 + squared / n) * float(np.sqrt(share * (1 - share) / n + squared / (4 * n * n)))
    return max(0.0, centre - reach), min(1.0, centre + reach)
