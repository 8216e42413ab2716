"""Values with their uncertainty, and what may be concluded from two or more of them.

Two things vary: the test samples and the training. The part of the samples comes from bootstrap draws,
which all rows of a board take of the same samples. The part of the training comes from the values of
several trainings. A half-width is the root of the sum of the squares of both parts, each at its own
quantile, because two to five trainings need Student's distribution and the samples do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from hmcbench.leaderboard.max_t import told_apart
from hmcbench.leaderboard.statistics import (
    LEVEL,
    ROUNDING,
    SEED,
    all_equal,
    paired_t_p,
    percentiles,
    t_interval,
    welch_p,
    wilson,
)

HANDFUL = 10
"""A value that rests on fewer samples is never marked best."""
FOLDS = 5
"""With so many folds or more, the fold is a repetition of the training."""
NORMAL = float(ndtri((1 + LEVEL) / 2))
_FEW_UNITS = 10  # with fewer groups, quantiles of draws are those of few combinations: the variance is used
_HEAVY = 1.12  # draws whose quantiles exceed those of a normal distribution by more have heavier tails
_SAMPLES_SHARE = 0.5  # of their variance is in the spread over folds: draws hold a part of that spread too
_MANY = 10**6
_SMALLEST = 30.0  # p-values are found down to 10 ** -30


class Basis(NamedTuple):
    """The samples behind a value.

    Attributes:
        units: the number of independent ones: groups where groups exist, else samples.
        support: the number of samples that count, such as the mistakes of a severity.
        share: 1 where the value is the share of samples with some property, else 0.
    """

    units: int
    support: int
    share: int = 0


class Training(NamedTuple):
    """The variance of a value that stems from training, with its degrees of freedom."""

    variance: float = 0.0
    freedom: float = 1.0


@dataclass(frozen=True)
class Kept:
    """Interval and differences, computed when the truth was available and kept without it.

    Attributes:
        row: label of the row.
        low, high: the interval.
        against: another row -> low, high and p of the difference to it, on the same samples.
        support: as in :class:`Basis`.
        constant: as in :class:`Estimate`.
    """

    row: str
    low: float | None
    high: float | None
    against: Mapping[str, tuple[float | None, float | None, float | None]] = field(default_factory=dict)
    support: int = HANDFUL
    constant: bool = False


@dataclass(frozen=True)
class Estimate:
    """A value with its uncertainty.

    Attributes:
        seeds: (S,) the value of every seed.
        draws: (B,) bootstrap draws of the mean over seeds, the same samples in draw b for every
            row of a board; or ``None``.
        repeats: (J,) the value of every repeated split, mean over seeds; or ``None``.
        ratio: test / training size, for ``repeats``.
        kept: instead of draws where the truth is missing; or ``None``.
        cells: (S, J) the value of every training, J folds or splits; or ``None`` for one split.
        basis: the samples behind the draws; or ``None`` where that is unknown.
        deterministic: whether every training gives the same model.
        bounds: of the metric; ``None`` for unbounded.
        constant: whether the model predicts the same for all samples.
    """

    seeds: np.ndarray
    draws: np.ndarray | None = None
    repeats: np.ndarray | None = None
    ratio: float = 0.0
    kept: Kept | None = None
    cells: np.ndarray | None = None
    basis: Basis | None = None
    deterministic: bool = False
    bounds: tuple[float | None, float | None] = (None, None)
    constant: bool = False

    @property
    def over_samples(self) -> bool:
        """Whether the interval is one over samples."""
        return self.drawn or self.kept is not None

    @property
    def drawn(self) -> bool:
        return self.draws is not None and bool(np.isfinite(self.draws).any())

    def paired(self, other: Estimate) -> bool:
        """Whether the difference on the same samples is known."""
        if self.kept is not None and other.kept is not None:
            return other.kept.row in self.kept.against
        return self.drawn and other.drawn

    def never_compared(self, other: Estimate) -> bool:
        """Whether both have an interval over samples, but no difference on the same samples."""
        return self.over_samples and other.over_samples and not self.paired(other)

    @property
    def mean(self) -> float:
        return float((self.seeds if self.repeats is None else self.repeats).mean())

    @property
    def trainings(self) -> int:
        """How many repetitions of the training the value rests on: seeds, five folds or more, splits."""
        if self.repeats is not None:
            return len(self.seeds) * len(self.repeats)
        folds = 1 if self.cells is None else self.cells.shape[1]
        return len(self.seeds) * (folds if folds >= FOLDS else 1)

    @property
    def one_draw(self) -> bool:
        """Whether the value is one draw of the training: another seed may give another value."""
        return self.trainings < 2 and not self.deterministic

    @property
    def silent(self) -> bool:
        """Whether nothing may be claimed: one draw of the training, or no spread over samples is known."""
        unsampled = self.cells is not None and self.repeats is None and not self.over_samples
        return self.one_draw or unsampled

    @property
    def support(self) -> int:
        """The number of samples that the value rests on; large where that is unknown."""
        if self.kept is not None:
            return self.kept.support
        return self.basis.support if self.basis is not None else _MANY

    @property
    def units(self) -> int:
        return self.basis.units if self.basis is not None else _MANY

    @property
    def training(self) -> Training:
        """The part of the training: within folds over seeds, or beyond the samples over five folds."""
        if self.deterministic or self.repeats is not None:
            return Training()
        cells = self.seeds[:, None] if self.cells is None else self.cells
        seeds, folds = cells.shape
        if not np.isfinite(cells).all():
            cells, folds = self.seeds[:, None], 1
        if seeds >= 2:
            return Training(float(cells.var(axis=0, ddof=1).mean()) / (seeds * folds), folds * (seeds - 1))
        return _over_folds(cells[0], self.draws)

    def interval(self) -> tuple[float, float] | None:
        """95 %; over samples and trainings, or over repeats, or over seeds alone, or none."""
        ends = self._ends(LEVEL)
        if ends is None:
            return None
        low, high = self.bounds
        return ends[0] if low is None else max(ends[0], low), ends[1] if high is None else min(ends[1], high)

    def _ends(self, level: float) -> tuple[float, float] | None:
        if self.drawn:
            reaches = self.sample_reaches(level)
            if reaches is None:
                return None
            part = quantile(self.training.freedom, level) * self.training.variance**0.5
            return self.mean - float(np.hypot(reaches[0], part)), self.mean + float(
                np.hypot(reaches[1], part)
            )
        if self.kept is not None and self.kept.low is not None and self.kept.high is not None:
            return self.kept.low, self.kept.high
        if self.repeats is not None:  # equal values say nothing of further splits
            return None if all_equal(self.repeats) else t_interval(self.repeats, self.ratio)
        if self.cells is not None and not self.seeds.std() > 0:  # equal seeds say nothing of samples
            return None
        return t_interval(self.seeds)

    def sample_reaches(self, level: float = LEVEL) -> tuple[float, float] | None:
        """How far the interval over samples reaches down and up; ``None`` for fewer than two units.

        Draws are centred on the value: samples that are drawn twice raise the average precision of rare
        classes, so that draws of ``auprc_macro`` may all lie above it.
        """
        draws = self.draws if self.draws is not None else np.zeros(0)
        draws = draws[np.isfinite(draws)]
        if self.units < 2 or not len(draws):
            return None
        score = self._score_interval(draws, quantile(self.units - 1, level))
        if score is not None:
            return self.mean - score[0], score[1] - self.mean
        factor = quantile(self.units - 1, level) * _inflated(self.units)
        if self.units < _FEW_UNITS:
            return float(draws.std()) * factor, float(draws.std()) * factor
        low, high = percentiles(draws - draws.mean())
        return max(0.0, -low) * factor / NORMAL, max(0.0, high) * factor / NORMAL

    def _score_interval(self, draws: np.ndarray, z: float) -> tuple[float, float] | None:
        """Wilson's interval of a share, and of a value at a bound from which no draw differs; else none."""
        low, high = self.bounds
        if low is None or high is None:
            return None
        value = min(max((self.mean - low) / (high - low), 0.0), 1.0)
        spread = float(draws.var()) / (high - low) ** 2
        if self.basis is not None and self.basis.share:
            most = float(self.basis.support) * len(self.seeds)
            exact = most == self.basis.units
            spread *= _inflated(self.units) ** 2
            n = most if exact else min(most, value * (1 - value) / spread if spread > 0 else self.units)
        elif value in (0.0, 1.0) and spread < ROUNDING**2:
            n = float(self.units)
        else:
            return None
        ends = wilson(value, n, z)
        return low + ends[0] * (high - low), low + ends[1] * (high - low)


def quantile(freedom: float, level: float = LEVEL) -> float:
    """Of Student's distribution, two-sided."""
    return float(stdtrit(freedom, (1 + level) / 2))


def _inflated(units: int) -> float:
    """Resampling n units gives a variance that is too small by (n - 1) / n."""
    return float(np.sqrt(units / (units - 1)))


def _over_folds(values: np.ndarray, draws: np.ndarray | None) -> Training:
    """What the spread over folds exceeds that of the samples by; nothing for fewer than five folds."""
    folds = len(values)
    if folds < FOLDS:
        return Training()
    known = np.zeros(1) if draws is None else draws[np.isfinite(draws)]
    return Training(
        max(0.0, float(values.var(ddof=1)) / folds - _SAMPLES_SHARE * float(known.var())), folds - 1
    )


# --------------------------------------------------------------------------- two rows


@dataclass(frozen=True)
class Contrast:
    """The difference of two rows, its 95 % interval and its p-value; ``None`` where unknown."""

    difference: float
    low: float | None = None
    high: float | None = None
    p: float | None = None


def contrast(a: Estimate, b: Estimate) -> Contrast:
    """a minus b."""
    return contrasts([a], b)[0]


def contrasts(rows: Sequence[Estimate], reference: Estimate) -> list[Contrast]:
    """Every row minus the reference.

    Over samples: a half-width d with d^2 = (t s)^2 + (t' s')^2 for the parts of samples and training; p is
    the level at which it equals the difference. Where the draws have heavier tails than a normal
    distribution, p is at least (k + 1) / (B + 1), with k of B draws as far from their mean.
    """
    drawn = [i for i, row in enumerate(rows) if row.drawn and reference.drawn]
    out = [
        Contrast(row.mean - reference.mean) if i in drawn else _other(row, reference)
        for i, row in enumerate(rows)
    ]
    finite = [i for i in drawn if np.isfinite(_difference(rows[i], reference)).all()]
    batches = [finite, *([i] for i in drawn if i not in finite)]
    for batch in batches:
        if batch:
            for i, result in zip(batch, _of_draws([rows[i] for i in batch], reference), strict=True):
                out[i] = result
    return out


def _difference(a: Estimate, b: Estimate) -> np.ndarray:
    assert a.draws is not None and b.draws is not None
    difference: np.ndarray = a.draws - b.draws
    return difference


def _other(a: Estimate, b: Estimate) -> Contrast:
    """The difference of two rows without draws for both."""
    difference = a.mean - b.mean
    if a.kept is not None and b.kept is not None:
        low, high, p = a.kept.against.get(b.kept.row, (None, None, None))
        return Contrast(difference, low, high, p)
    if a.repeats is not None and b.repeats is not None and len(a.repeats) == len(b.repeats) >= 2:
        ratio = max(a.ratio, b.ratio)
        differences = a.repeats - b.repeats
        ends = None if all_equal(differences) else t_interval(differences, ratio)
        low, high = ends or (None, None)
        return Contrast(difference, low, high, paired_t_p(a.repeats, b.repeats, ratio))
    unsampled = a.cells is not None and not max(a.seeds.std(), b.seeds.std()) > 0
    if a.repeats is None and b.repeats is None and min(len(a.seeds), len(b.seeds)) >= 2 and not unsampled:
        return Contrast(difference, p=welch_p(a.seeds, b.seeds))
    return Contrast(difference)


def _of_draws(rows: Sequence[Estimate], reference: Estimate) -> list[Contrast]:
    """Differences whose draws are all finite, or of one pair of rows."""
    differences = np.array([row.mean - reference.mean for row in rows])
    draws = np.stack([_difference(row, reference) for row in rows])
    draws = np.ascontiguousarray(draws[:, np.isfinite(draws).all(axis=0)])  # one order of sums for all rows
    if not draws.shape[1]:
        return [Contrast(difference) for difference in differences.tolist()]
    away = np.abs(draws - draws.mean(axis=1, keepdims=True))
    spread, heavy = _shape(away)
    units = np.array([min(row.units, reference.units) for row in rows])
    spread = spread * np.sqrt(units / np.maximum(units - 1, 1))
    training = [_training_of(row, reference) for row in rows]
    variance, freedom = (np.array(part) for part in zip(*training, strict=True))
    reach = _reach(np.full(len(rows), 1 - LEVEL), spread, units - 1, variance, freedom)
    p = _p_values(differences, spread, units - 1, variance, freedom)
    far = (away >= np.abs(differences)[:, None] - ROUNDING).sum(axis=1)
    counted = (far + 1) / (away.shape[1] + 1)
    p = np.where(heavy, np.maximum(p, counted), p)
    p[np.abs(differences) < ROUNDING] = 1.0
    ends = zip(differences, differences - reach, differences + reach, p, units, strict=True)
    return [
        Contrast(float(d), float(a), float(b), float(q)) if n > 1 else Contrast(float(d), p=1.0)
        for d, a, b, q, n in ends
    ]


def _shape(away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K, B) distances from the mean -> the spread (K,), and whether the tails are heavier than normal.

    The spread is the standard deviation, or that of a normal distribution with the same 95 % quantile,
    whichever is larger.
    """
    deviation = np.sqrt(np.mean(away**2, axis=1))
    draws = away.shape[1]
    places = [min(draws - 1, int(np.ceil(level * (draws + 1))) - 1) for level in (LEVEL, 0.99)]
    usual, far = np.partition(away, places, axis=1)[:, places].T
    heavy = (far > _HEAVY * float(ndtri(0.995)) * deviation) | (deviation < ROUNDING)
    return np.maximum(deviation, usual / NORMAL), heavy


def _training_of(a: Estimate, b: Estimate) -> Training:
    """The part of the training in the difference of two rows."""
    seeds = [e for e in (a, b) if not e.deterministic]
    if seeds and min(len(e.seeds) for e in seeds) == 1:
        folds = [None if e.cells is None else e.cells.mean(axis=0) for e in (a, b)]
        if folds[0] is not None and folds[1] is not None and FOLDS <= len(folds[0]) == len(folds[1]):
            return _over_folds(folds[0] - folds[1], _difference(a, b))
    parts = [part for part in (a.training, b.training) if part.variance > 0]
    total = sum(part.variance for part in parts)
    if not parts:
        return Training()
    return Training(total, total**2 / sum(part.variance**2 / part.freedom for part in parts))


def _reach(
    p: np.ndarray, spread: np.ndarray, units: np.ndarray, variance: np.ndarray, freedom: np.ndarray
) -> np.ndarray:
    """Half-widths (K,) at the levels 1 - p."""
    samples = -stdtrit(np.maximum(units, 1), p / 2) * spread
    trained = -stdtrit(freedom, p / 2) * np.sqrt(variance)
    reach: np.ndarray = np.hypot(samples, trained)
    return reach


def _p_values(
    differences: np.ndarray, spread: np.ndarray, units: np.ndarray, variance: np.ndarray, freedom: np.ndarray
) -> np.ndarray:
    """The levels at which half-widths equal the differences: a bisection over the exponent of p."""
    low, high = np.zeros(len(differences)), np.full(len(differences), _SMALLEST)
    for _ in range(40):
        middle = (low + high) / 2
        within = _reach(10.0**-middle, spread, units, variance, freedom) >= np.abs(differences)
        high, low = np.where(within, middle, high), np.where(within, low, middle)
    p: np.ndarray = 10.0**-low
    return p


# --------------------------------------------------------------------------- all rows of a board


def best(estimates: Sequence[Estimate], better: str) -> int | None:
    """Position of the best value if it differs significantly from every other, else ``None``.

    An intersection-union test: "better than every other" is claimed only if every two-sided comparison
    has p < 0.05, so its error is at most 0.05 without any adjustment [Berger 1982]. ``None`` also for a
    single row, for a column without a direction, where a row is one draw of its training or nothing is
    known of its samples, where a value rests on a handful of samples, and where the best row predicts the
    same for all samples.
    """
    if len(estimates) < 2 or better not in ("higher", "lower"):
        return None
    if any(e.silent or e.support < HANDFUL for e in estimates):
        return None
    sign = 1.0 if better == "higher" else -1.0
    first = int(np.argmax([sign * e.mean for e in estimates]))
    others = [e for i, e in enumerate(estimates) if i != first]
    p_values = [c.p for c in contrasts(others, estimates[first])]
    return first if not estimates[first].constant and _differs_from_all(p_values) else None


def _differs_from_all(p_values: Sequence[float | None]) -> bool:
    return all(p is not None and p < 1 - LEVEL for p in p_values)


def not_told_apart(estimates: Sequence[Estimate]) -> list[int]:
    """Positions of the rows that cannot be told apart from the first, which ranks first.

    Rows that cannot be compared with it are among them: no common samples, or one draw of a training.
    None are left where the first differs from all by the test of :func:`best`.
    """
    others = list(range(1, len(estimates)))
    if not others or estimates[0].silent:
        return others
    p_values = [c.p for c in contrasts(estimates[1:], estimates[0])]
    if not any(e.silent for e in estimates) and _differs_from_all(p_values):
        return []
    known = [i for i in others if p_values[i - 1] is not None and not estimates[i].silent]
    scores = -ndtri(np.array([p_values[i - 1] for i in known], dtype=float) / 2)
    deviations = _deviations([estimates[0], *(estimates[i] for i in known)])
    told = told_apart(scores, deviations, len(known) + 1)
    return [i for i in others if i not in known or not told[known.index(i)]]


def _deviations(estimates: Sequence[Estimate]) -> np.ndarray | None:
    """(R, B) draws minus their means with the part of the training; None where a row has none."""
    rng = np.random.default_rng(SEED)
    if all(e.repeats is not None for e in estimates):
        repeats = np.stack([e.repeats for e in estimates if e.repeats is not None])
        centred = repeats - repeats.mean(axis=1, keepdims=True)
        return np.asarray(centred @ rng.standard_normal((repeats.shape[1], 1000)))
    draws = [e.draws for e in estimates if e.draws is not None and np.isfinite(e.draws).all()]
    if len(draws) < len(estimates):
        return None
    table = np.stack(draws)
    noise = rng.standard_normal(table.shape) * np.sqrt([[e.training.variance] for e in estimates])
    return np.asarray(table - table.mean(axis=1, keepdims=True) + noise)


# --------------------------------------------------------------------------- published values


def prediction_interval(estimate: Estimate, level: float) -> tuple[float, float] | None:
    """Where the value of one further training on a further split of the same data lies.

    Over repeated splits, mean +- t s (1 + 1/J)^0.5, which is exact as splits are exchangeable. Else both
    test sets count, and their training beside ours; ``None`` where the training was not repeated, or where
    all splits have the same value.
    """
    e = estimate
    if e.repeats is not None:
        j = len(e.repeats)
        if j < 2 or all_equal(e.repeats):
            return None
        within = 0.0
        if len(e.seeds) > 1 and e.cells is not None and np.isfinite(e.cells).all():
            within = float(e.cells.var(axis=0, ddof=1).mean()) * (1 - 1 / len(e.seeds))
        spread = float(np.sqrt(e.repeats.var(ddof=1) * (1 + 1 / j) + within))
        reach = quantile(j - 1, level) * spread
        return e.mean - reach, e.mean + reach
    if e.one_draw:
        return None
    if not e.drawn:
        ends = e.interval()
        scale = float(np.sqrt(2)) * float(ndtri((1 + level) / 2)) / NORMAL
        return (
            None
            if ends is None
            else (e.mean - scale * (e.mean - ends[0]), e.mean + scale * (ends[1] - e.mean))
        )
    reaches = e.sample_reaches(level)
    if reaches is None:
        return None
    trained = quantile(e.training.freedom, level) * float(np.sqrt(e.training.variance * (len(e.seeds) + 1)))
    low, high = (float(np.hypot(np.sqrt(2) * reach, trained)) for reach in reaches)
    return e.mean - low, e.mean + high


def same_split_interval(estimate: Estimate, level: float, trainings: int) -> tuple[float, float] | None:
    """Where the mean of further trainings on the same split lies.

    The test samples are the same, so that only the training varies: mean +- t s (1/S + 1/R)^0.5 for S
    trainings of ours and R others. ``None`` where ours was not repeated, and its model is not deterministic.

    Args:
        estimate: over one split.
        level: such as .95.
        trainings: R.
    """
    if estimate.one_draw or estimate.repeats is not None:
        return None
    part = estimate.training
    spread = float(np.sqrt(part.variance * (1 + len(estimate.seeds) / trainings)))
    reach = quantile(part.freedom, level) * spread
    return estimate.mean - reach, estimate.mean + reach
