"""The bootstrap as a matrix product, and tests: Student's t, Welch, Holm, Wilson.

Every draw is deterministic: it depends on the number of samples and on the groups alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array, issparse
from scipy.special import stdtr, stdtrit

DRAWS = 1000
LEVEL = 0.95
SEED = 20_260_101
ROUNDING = 1e-12  # shares that differ by less are equal
_BLOCK = 4_000_000  # numbers held at once while drawing or multiplying
_HELD = 16_000_000  # weights that are held as numbers of two, four and eight bytes too
_FEW = 8  # samples per distinct row of statistics from which on the draws of each row are counted
StatsReduce = tuple[Any, Callable[[np.ndarray], np.ndarray]]
"""A metric as (stats (N, K), reduce); ``reduce`` makes (B,) of sums (B, K)."""


@dataclass(frozen=True)
class _Table:
    """The dense statistics of one model's metrics, side by side in K columns.

    Attributes:
        columns: the place of a metric -> its columns.
        whole: boolean (K,), columns of whole numbers with sums that numbers of four bytes hold exactly.
        drawn: float32 (B, P), how often each distinct row of those is in a draw; None where many differ.
        counts: float32 (P, K'), these rows; or (N, K'), those of all samples.
        fractions: (N, K - K'), the other columns.
    """

    columns: dict[int, slice]
    whole: np.ndarray
    drawn: np.ndarray | None
    counts: np.ndarray
    fractions: np.ndarray


class Bootstrap:
    """Resampled samples, or groups where groups exist, as weights.

    Args:
        n: number of samples.
        groups: of every sample; None where each is its own.
        draws: B.
        name: of a further test set. Its draws are independent of those of others with as many samples.

    Attributes:
        weights: uint8 (B, N): how often sample n is in draw b. All samples of a group share
            the group's count, so a draw may hold more or fewer than N samples.
        unit: (N,) the group of every sample as a number from 0; without groups its own.
    """

    def __init__(
        self, n: int, groups: Sequence[str] | None = None, draws: int = DRAWS, name: str = ""
    ) -> None:
        member = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        self.unit: np.ndarray = member
        units = int(member.max()) + 1 if n else 0
        rng = np.random.default_rng([SEED, units, *name.encode()])
        counts = np.zeros((draws, units), dtype=np.uint8)
        step = max(1, _BLOCK // max(units, 1))
        for start in range(0, draws, step):
            rows = min(step, draws - start)
            picked = rng.integers(0, units, size=(rows, units)) + np.arange(rows)[:, None] * units
            drawn = np.bincount(picked.ravel(), minlength=rows * units)
            counts[start : start + rows] = drawn.reshape(rows, units)
        self.weights = counts if groups is None else counts[:, member]
        self._held: dict[type, np.ndarray] = {}

    def values(self, metrics: Sequence[StatsReduce]) -> np.ndarray:
        """Metrics on every draw, (M, B)."""
        return self.of_models([metrics])[0]

    def of_models(self, models: Sequence[Sequence[StatsReduce]]) -> list[np.ndarray]:
        """:meth:`values` of several trained models, in blocks of draws to save memory.

        Whole numbers are summed exactly, per distinct row where there are few; fractions of all models share
        a matrix product, which reads the weights once.
        """
        draws, n = self.weights.shape
        out = [np.empty((len(metrics), draws)) for metrics in models]
        tables = [self._table(metrics) for metrics in models]
        ends = np.cumsum([0, *(table.fractions.shape[1] for table in tables)])
        fractions = _side_by_side([table.fractions for table in tables], n)
        step = max(1, _BLOCK // max([n, 1, ends[-1], *(len(table.whole) for table in tables)]))
        for start in range(0, draws, step):
            rows = slice(start, start + step)
            sums_of_all = self._as(np.float64, rows) @ fractions
            for model, table, values, low, high in zip(models, tables, out, ends, ends[1:], strict=False):
                drawn = self._as(np.float32, rows) if table.drawn is None else table.drawn[rows]
                sums = np.empty((len(drawn), len(table.whole)))
                sums[:, table.whole] = drawn @ table.counts
                sums[:, ~table.whole] = sums_of_all[:, low:high]
                for i, columns in table.columns.items():
                    values[i, rows] = model[i][1](sums[:, columns])
        for model, table, values in zip(models, tables, out, strict=True):
            for i in set(range(len(model))).difference(table.columns):
                stats, reduce = model[i]
                values[i] = self.of_counts(stats.astype(np.float64, copy=False), reduce)
        return out

    def _table(self, metrics: Sequence[StatsReduce]) -> _Table:
        """The dense statistics of some metrics."""
        dense = {i: stats for i, (stats, _) in enumerate(metrics) if isinstance(stats, np.ndarray)}
        ends = np.cumsum([0, *(stats.shape[1] for stats in dense.values())])
        columns = {i: slice(*pair) for i, pair in zip(dense, itertools.pairwise(ends), strict=True)}
        table = np.concatenate([np.zeros((self.weights.shape[1], 0)), *dense.values()], axis=1)
        whole = (table[:_FEW] == np.rint(table[:_FEW])).all(axis=0)  # of all rows: below
        counts, drawn, often = table[:, whole], None, np.ones(len(table), dtype=np.int64)
        if (distinct := _distinct(counts)) is not None:
            first, which = distinct
            counts, drawn = counts[first], self._drawn(which)
            often = np.bincount(which).astype(np.int64)
        exact = (counts == np.rint(counts)).all(axis=0) & (often @ np.abs(counts) * self._largest < 2**24)
        whole[whole] = exact
        return _Table(columns, whole, drawn, counts[:, exact].astype(np.float32), table[:, ~whole])

    def _drawn(self, which: np.ndarray) -> np.ndarray:
        """float32 (B, P): how often each of P rows is in a draw; ``which`` (N,) of them each sample has."""
        ones = np.ones(len(which), dtype=np.uint8), which, np.arange(len(which) + 1)
        blocks = [sums for _, sums in self._sums(csr_array(ones))]
        return np.concatenate(blocks).astype(np.float32)

    def of_counts(self, stats: Any, reduce: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """One metric as counts (N, K), dense or sparse, and reduce on every draw, (B,).

        The sums have a type that holds all those of a draw together, so that they may be cumulated in it.
        """
        out = np.empty(len(self.weights))
        for rows, sums in self._sums(stats):
            out[rows] = reduce(sums)
        return out

    def _sums(self, stats: Any) -> Iterator[tuple[slice, np.ndarray]]:
        """Sums (b, K) of counts (N, K) in blocks of draws; draws lie side by side in memory."""
        draws, n = self.weights.shape
        table = stats.tocsr() if issparse(stats) else csr_array(stats)
        kind, wide = self._kinds(table)
        parts = table.data.astype(kind), table.indices, table.indptr  # ``astype`` of all would sum duplicates
        by_sample = csc_array(parts, shape=table.shape[::-1])  # transposed; products read the weights once
        most = max(1, _BLOCK // max(n, table.shape[1], 1))  # that a processor's memory nearby holds
        step = -(-draws // -(-draws // most))  # blocks of about one size
        for draw in range(0, draws, step):
            rows = slice(draw, draw + step)
            weights: np.ndarray = np.ascontiguousarray(self._by_sample[:, rows])
            sums = by_sample @ weights.astype(kind, copy=False)
            yield rows, sums.astype(wide, copy=False).T

    def _kinds(self, table: csr_array) -> tuple[type, type]:
        """The narrowest types that hold every sum of a table of counts (N, K), and those of a draw together.

        Products and sums of 2 bytes are two to four times as fast as those of 8.
        """
        counts = table.data
        if counts.dtype.kind not in "iub" or not len(counts) or counts.min() < 0:
            return np.float64, np.float64
        filled = table.indptr[:-1][np.diff(table.indptr) > 0]
        column = int(np.bincount(table.indices, counts).max()) * self._largest
        total = int(np.add.reduceat(counts, filled, dtype=np.int64).max()) * self._size
        most = min(column, total)
        kind = np.uint16 if most < 2**16 else np.float32 if most < 2**24 else np.float64
        return kind, np.uint16 if total < 2**16 else np.int32 if total < 2**31 else np.float64

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

    @cached_property
    def _size(self) -> int:
        """The number of samples of the largest draw."""
        return int(self.weights.sum(axis=1).max(initial=0))


def _side_by_side(tables: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Tables (n, K), and a column of zeros where the number of columns would be odd.

    BLAS rounds an odd last column in another way, so that its sums would depend on the columns beside it.
    """
    odd = sum(table.shape[1] for table in tables) % 2
    return np.concatenate([*tables, np.zeros((n, odd))], axis=1)


def _distinct(table: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Where each of P distinct rows of (N, K) stands first, and which of them each row is; None for many."""
    numbers = table @ np.random.default_rng(SEED).random(table.shape[1])  # of equal rows they are equal
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    few = table.size > 0 and _FEW * len(first) < len(table)
    return (first, which) if few and np.array_equal(table[first][which], table) else None


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


def all_equal(values: np.ndarray) -> bool:
    """Whether values (J,) of shares or errors differ by rounding alone."""
    return bool(np.ptp(values) <= ROUNDING * max(1.0, float(np.abs(values).max())))


def two_sided(difference: float, error: float, freedom: float) -> float:
    if error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stdtr(freedom, -abs(difference) / error))


def paired_t_p(a: np.ndarray, b: np.ndarray, ratio: float) -> float | None:
    """p of the difference over J >= 2 repeated splits (J,), corrected as :func:`t_interval`.

    ``None`` where the difference is the same on all of them, and not 0: two or three splits of few samples
    often agree, which does not say that another would.
    """
    difference = a - b
    j = len(difference)
    if all_equal(difference):
        return 1.0 if all_equal(np.append(difference, 0.0)) else None
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
