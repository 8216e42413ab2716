"""When to trust an answer, and how far to go down: selection along the likeliest path.

Single paths: the likeliest path is climbed to its deepest class with q >= theta
(:mod:`hmcbench.metrics.ends`); the virtual root, which is always right, stands for "refer". A class is right
if it is the label or an ancestor of it. Risk is the share of all samples that get a wrong class; coverage is
the mean information of the answers. `hierarchical_aurc` reads the whole curve over theta. Back-off reads one
point of it: the least theta that keeps the promise (wrong + 1) / (n + 1) <= alpha on the calibration side.
The expected risk of a new sample is then at most alpha if it is exchangeable with those n samples, because a
larger theta never makes a wrong answer of a right one [Angelopoulos et al. 2024, theorem 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.sparse import coo_array, csr_array

from hmcbench.errors import NotApplicable
from hmcbench.metrics import pooled
from hmcbench.metrics.base import (
    Reduce,
    Stats,
    columns,
    first_over_second,
    level_metric,
    pooled_metric,
    sample_metric,
)
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.promise import least_samples
from hmcbench.metrics.rankings import finite_scores

COVERAGE = 0.9
"""Of ``risk_at_90``."""
CurveOfSums = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Sums (..., K) -> coverage and risk (..., T) of the curve, from (0, 0) on."""
NO_CALIBRATION = "it needs samples put apart: calibration = 0.1 under [protocol]"


def calibration_of(e: Evaluation) -> Evaluation:
    """The samples of the calibration side.

    Raises:
        NotApplicable: none were put apart, or too few for any promise at the suite's alpha.
    """
    apart = e.apart.calibration
    if apart is None:
        raise NotApplicable(NO_CALIBRATION)
    least = least_samples(e.apart.alpha)
    if len(apart) < least:
        raise NotApplicable(f"alpha = {e.apart.alpha:g} needs {least} calibration samples, not {len(apart)}")
    return apart


# --------------------------------------------------------------------------- the curve


def steps(e: Evaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What changes when the answer of a sample goes one class deeper, of single paths.

    Returns:
        sample int64 (M,), q float64 (M,) of the deeper class, gain float64 (M,) in information, and
        wrong int64 (M,): 1 where the answer becomes wrong.
    """
    path, ends = e.likeliest.path, e.likeliest.ends
    there = path >= 0
    rows = np.arange(len(path))[:, None]
    information = np.where(there, ends.information[path], 0.0)
    wrong = there & ~np.asarray(e.truth)[rows, path]
    before = np.zeros((len(path), 1))
    gain = np.diff(np.concatenate([before, information], axis=1), axis=1)
    turned = np.diff(np.concatenate([before, wrong], axis=1), axis=1)
    sample = np.broadcast_to(rows, path.shape)[there]
    return sample, e.likeliest.q[there], gain[there], turned[there].astype(np.int64)


def _check_coverage(e: Evaluation) -> None:
    """Raise NotApplicable where coverage is undefined: there is one end only, or nothing to recall."""
    if e.task.paths == "single":
        if len(e.likeliest.ends.columns) < 2:
            raise NotApplicable("paths can end at one class only")
    elif not e.n_true.any():
        raise NotApplicable("no sample has a class")


def curve(e: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Coverage and risk (T,), from (0, 0) on, at every distinct theta in falling order, where either grows.

    Several paths: coverage is ``hr_micro``, risk 1 - ``hp_micro`` of the classes whose coherent score reaches
    one threshold.

    Raises:
        NotApplicable: there is one end only, or nothing to recall, so that coverage is undefined.
    """
    _check_coverage(e)
    if e.task.paths == "single":
        _sample, q, gain, wrong = steps(e)
        order = np.argsort(-q, kind="stable")
        last = np.flatnonzero(np.diff(-q[order], append=np.inf) > 0)
        above, below = gain[order].cumsum()[last] / len(e), wrong[order].cumsum()[last] / len(e)
    else:
        above, below = _pair_curve(e.hierarchy.cohere(finite_scores(e)), np.asarray(e.truth))
    return np.concatenate([[0.0], above]), np.concatenate([[0.0], below])


def _pair_curve(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall, and 1 - precision, just above and at the score of every true pair, in falling order.

    Coverage grows at the scores of true pairs only, so that no other threshold adds an area.
    """
    ranked, true = np.sort(scores, axis=None), np.sort(scores[truth])
    at = np.unique(true)[::-1]
    pairs, true_pairs = (
        np.stack([len(v) - np.searchsorted(v, at, side) for side in ("right", "left")], axis=1).ravel()
        for v in (ranked, true)
    )
    return true_pairs / len(true), np.where(pairs > 0, 1 - true_pairs / np.maximum(pairs, 1), 0.0)


def area_under(coverage: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """Trapezoids under curves (..., T)."""
    area: np.ndarray = (np.diff(coverage) * (risk[..., 1:] + risk[..., :-1]) / 2).sum(axis=-1)
    return area


def risk_at(coverage: np.ndarray, risk: np.ndarray, wanted: float = COVERAGE) -> np.ndarray:
    """Risk (...) where curves (..., T) reach a coverage above 0, linear between points; nan elsewhere.

    >>> risk_at(np.array([0.0, 0.5, 0.75]), np.array([0.0, 0.0, 0.5]), 0.625).item()
    0.25
    """
    reached = coverage >= wanted - 1e-12  # sums round
    last = reached.argmax(axis=-1)[..., None]
    (low, high), (before, after) = (
        [np.take_along_axis(values, place, axis=-1)[..., 0] for place in (last - 1, last)]
        for values in (coverage, risk)
    )
    width = np.maximum(high - low, np.finfo(np.float64).tiny)
    at: np.ndarray = before + (after - before) * np.minimum((wanted - low) / width, 1)
    return np.where(reached.any(axis=-1), at, np.nan)


def _counts_of(
    read: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Callable[[Evaluation], tuple[Stats, Reduce]]:
    """The counts of a metric that is read from the curve."""

    def counts(e: Evaluation) -> tuple[Stats, Reduce]:
        _check_coverage(e)
        stats, curves = _single_counts(e) if e.task.paths == "single" else _pair_counts(e)
        return stats, lambda sums: read(*curves(sums))

    return counts


def _single_counts(e: Evaluation) -> tuple[Stats, CurveOfSums]:
    """(N, 2 T + 1): gains in information at T thresholds, answers that turn wrong, and a count of samples."""
    sample, q, gain, wrong = steps(e)
    at = pooled.thresholds(q)
    place = np.minimum(len(at) - np.searchsorted(at[::-1], q, side="right"), len(at) - 1)
    everyone = np.arange(len(e))
    rows = np.concatenate([sample, sample, everyone])
    cells = np.concatenate([place, len(at) + place, np.full(len(e), 2 * len(at))])
    values = np.concatenate([gain, wrong, np.ones(len(e))])
    stats = coo_array((values, (rows, cells)), shape=(len(e), 2 * len(at) + 1))

    def curves(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = np.maximum(sums[..., -1:], 1)
        half = (sums.shape[-1] - 1) // 2
        gains, wrongs = sums[..., :half].cumsum(axis=-1), sums[..., half:-1].cumsum(axis=-1)
        return _from_zero(gains / count), _from_zero(wrongs / count)

    return csr_array(stats), curves


def _from_zero(values: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((*values.shape[:-1], 1)), values], axis=-1)


def _pair_counts(e: Evaluation) -> tuple[Stats, CurveOfSums]:
    """Negatives and positives above and at the score of every positive: between two the risk changes too."""
    scores, truth = e.hierarchy.cohere(finite_scores(e)), np.asarray(e.truth)
    at = pooled.thresholds(scores[truth])
    both = np.unique(pooled.both_sides(at))[::-1]

    def curves(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        half = sums.shape[-1] // 2
        true_pairs = sums[..., half:].cumsum(axis=-1)
        pairs = sums[..., :half].cumsum(axis=-1) + true_pairs
        total = true_pairs[..., -1:]
        risk = np.where(pairs > 0, 1 - true_pairs / np.maximum(pairs, 1), 0.0)
        coverage = np.where(total > 0, true_pairs / np.maximum(total, 1), np.nan)
        return _from_zero(coverage), _from_zero(risk)

    return pooled.pair_counts(scores, truth, both), curves


@pooled_metric(_counts_of(area_under))
def hierarchical_aurc(e: Evaluation) -> float:
    """Area under risk against coverage of hierarchical selective classification [Goren et al. 2024].

    Single paths: the likeliest path is climbed to its deepest class with q >= theta, for every distinct q.
    Coverage is the mean of 1 - log2 n(v) / log2 n(root) of the classes v where it stops, n = number of ends
    at or below; risk is the share of all samples whose v is neither the label nor an ancestor of it. Several
    paths: risk 1 - hp_micro over coverage hr_micro along one threshold on coherent scores. The curve begins
    at (0, 0); the area is that of trapezoids. Undefined where paths can end at one class only.

    >>> from hmcbench.metrics.fixtures import selected
    >>> round(hierarchical_aurc(selected()), 4)  # (0, 0), (.2, 0), (.3, 0), (.6, 0), (.8, .2), (1, .4)
    0.08
    """
    return float(area_under(*curve(e)))


@pooled_metric(_counts_of(risk_at))
def risk_at_90(e: Evaluation) -> float:
    """Risk where nine tenths of the information are given, on the curve of ``hierarchical_aurc``.

    Linear between two points of it; undefined where even the most specific answers give less.

    >>> from hmcbench.metrics.fixtures import selected
    >>> round(risk_at_90(selected()), 4)  # between (.8, .2) and (1, .4)
    0.3
    """
    risk = float(risk_at(*curve(e)))
    if math.isnan(risk):
        raise NotApplicable(f"the answers give less than {COVERAGE:g} of the information")
    return risk


# --------------------------------------------------------------------------- back-off


def backoff_threshold(e: Evaluation) -> float:
    """The least theta with (wrong + 1) / (n + 1) <= alpha on the calibration side.

    Raises NotApplicable as :func:`calibration_of`.
    """
    return least_theta(calibration_of(e), e.apart.alpha)


def least_theta(apart: Evaluation, alpha: float) -> float:
    """The least theta that keeps the risk of back-off on n samples at (wrong + 1) / (n + 1) <= alpha.

    >>> from hmcbench.metrics.fixtures import selected
    >>> least_theta(selected(), 0.4)  # one may be wrong: just above the q of the second-surest mistake
    0.5000000000000001
    """
    path = apart.likeliest.path
    rows = np.arange(len(path))[:, None]
    wrong = (path >= 0) & ~np.asarray(apart.truth)[rows, path]
    surest = np.sort(np.where(wrong, apart.likeliest.q, -np.inf).max(axis=1, initial=-np.inf))[::-1]
    allowed = math.floor(alpha * (len(apart) + 1) - 1 + 1e-9)  # samples that may be wrong
    if allowed >= len(surest) or not np.isfinite(surest[max(allowed, 0)]):
        return 0.0
    return float(np.nextafter(surest[max(allowed, 0)], np.inf))


def _stopped(e: Evaluation) -> np.ndarray:
    return e.likeliest.climbed(backoff_threshold(e))


@sample_metric(first_over_second)
def backoff_risk(e: Evaluation) -> Stats:
    """Share of samples that back-off gives a wrong class; expected to be at most alpha.

    The likeliest path is climbed to its deepest class with q >= theta, the least theta with
    (wrong + 1) / (n + 1) <= alpha on the calibration side.

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> backoff_risk(with_calibration())  # alpha .4: one of five may be
    0.2
    """
    stopped = _stopped(e)
    wrong = (stopped >= 0) & ~np.asarray(e.truth)[np.arange(len(e)), stopped]
    return columns(wrong, np.ones(len(e)))


@sample_metric(first_over_second)
def backoff_coverage(e: Evaluation) -> Stats:
    """Mean information of the answers of back-off: 1 for ends, 0 for "refer" (see ``backoff_risk``).

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> round(backoff_coverage(with_calibration()), 4)
    0.8
    """
    stopped = _stopped(e)
    _check_coverage(e)
    information = np.where(stopped >= 0, e.likeliest.ends.information[stopped], 0.0)
    return columns(information, np.ones(len(e)))


@level_metric(first_over_second)
def level_coverage(e: Evaluation, k: int) -> Stats:
    """Share of samples that back-off answers at level k or deeper (see ``backoff_risk``).

    >>> from hmcbench.metrics.fixtures import with_calibration
    >>> level_coverage(with_calibration(), 1), level_coverage(with_calibration(), 2)
    (1.0, 0.6)
    """
    stopped = _stopped(e)
    deep = (stopped >= 0) & (e.hierarchy.levels[stopped] >= k)
    return columns(deep, np.ones(len(e)))
