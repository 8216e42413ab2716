"""Metrics of predicted sets: precision, recall and F1 of classes.

Y_i is the true set of sample i, P_i the predicted one, both closed; the virtual root is not a
class. P_i is the coherent decision; the closure of the raw one for ``_raw`` ids. Precision of an
empty P_i is 0 if Y_i holds something; an empty Y_i has no recall; where both are empty the sample is
left out of the means and counted (``empty_pairs``). 0/0 is 0.

Sources: HFFNet-2d, eq. 4-7 (``_samples``); Kiritchenko et al. 2005, Silla and Freitas 2011
(``_micro``). The examples are the three samples of :func:`hmcbench.metrics.fixtures.three_samples`.
"""

from __future__ import annotations

import numpy as np

from hmcbench.metrics.base import (
    Stats,
    columns,
    first_over_second,
    harmonic,
    only,
    ratio,
    sample_metric,
    side_by_side,
)
from hmcbench.metrics.evaluation import Evaluation

# --------------------------------------------------------------------------- means over samples


@sample_metric(first_over_second)
def hp_samples(e: Evaluation) -> Stats:
    r"""Mean precision: mean_i \|Y_i & P_i\| / \|P_i\| [HFFNet-2d eq. 4].

    Over samples where Y_i or P_i holds something; 0 where only P_i is empty.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(hp_samples(three_samples()), 4)  # (2/3 + 1/2 + 2/3) / 3
    0.6111
    """
    return columns(ratio(e.inter, e.n_pred), (e.n_pred + e.n_true) > 0)


@sample_metric(first_over_second)
def hr_samples(e: Evaluation) -> Stats:
    r"""Mean recall: mean_i \|Y_i & P_i\| / \|Y_i\| [HFFNet-2d eq. 5].

    Over samples where Y_i holds something.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(hr_samples(three_samples()), 4)  # (2/3 + 1/3 + 2/2) / 3
    0.6667
    """
    return columns(ratio(e.inter, e.n_true), e.n_true > 0)


def _harmonic_of_means(sums: np.ndarray) -> np.ndarray:
    return harmonic(first_over_second(sums[..., :2]), first_over_second(sums[..., 2:]))


@sample_metric(_harmonic_of_means)
def hf1_samples(e: Evaluation) -> Stats:
    r"""Harmonic mean of ``hp_samples`` and ``hr_samples`` [HFFNet-2d eq. 7; beta of eq. 6 is 1].

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(hf1_samples(three_samples()), 4)  # 2 * .6111 * .6667 / (.6111 + .6667)
    0.6377
    """
    return np.concatenate([hp_samples.stats(e), hr_samples.stats(e)], axis=1)


@sample_metric(first_over_second)
def hf1_samples_mean(e: Evaluation) -> Stats:
    r"""Mean of the per-sample F1: mean_i 2 \|Y_i & P_i\| / (\|Y_i\| + \|P_i\|).

    Another number than ``hf1_samples``, and never larger when nothing is empty. Over samples
    where Y_i or P_i holds something.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(hf1_samples_mean(three_samples()), 4)  # (4/6 + 2/5 + 4/5) / 3
    0.6222
    """
    return columns(ratio(2 * e.inter, e.n_pred + e.n_true), (e.n_pred + e.n_true) > 0)


# --------------------------------------------------------------------------- sums over samples


@sample_metric(first_over_second)
def hp_micro(e: Evaluation) -> Stats:
    r"""Pooled precision: sum_i \|Y_i & P_i\| / sum_i \|P_i\| [Kiritchenko 2005].

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> hp_micro(three_samples())  # (2 + 1 + 2) / (3 + 2 + 3)
    0.625
    """
    return columns(e.inter, e.n_pred)


@sample_metric(first_over_second)
def hr_micro(e: Evaluation) -> Stats:
    r"""Pooled recall: sum_i \|Y_i & P_i\| / sum_i \|Y_i\| [Kiritchenko 2005].

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> hr_micro(three_samples())  # (2 + 1 + 2) / (3 + 3 + 2)
    0.625
    """
    return columns(e.inter, e.n_true)


@sample_metric(lambda sums: ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2]))
def hf1_micro(e: Evaluation) -> Stats:
    r"""Harmonic mean of ``hp_micro`` and ``hr_micro``: 2 sum \|Y & P\| / (sum \|Y\| + sum \|P\|).

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> hf1_micro(three_samples())
    0.625
    """
    return e.counts.astype(np.float64)


# --------------------------------------------------------------------------- means over classes


def class_f1(counts: np.ndarray) -> np.ndarray:
    """F1 of classes from (..., 3) counts of Y & P, P and Y."""
    return ratio(2 * counts[..., 0], counts[..., 1] + counts[..., 2])


def mean_over_present(values: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Mean over C+, the classes of the last axis with a positive; 0 where there is none."""
    present = support > 0
    return ratio((values * present).sum(axis=-1), present.sum(axis=-1))


def _f1_macro(sums: np.ndarray) -> np.ndarray:
    counts = np.moveaxis(sums.reshape(*sums.shape[:-1], 3, -1), -2, -1)
    return mean_over_present(class_f1(counts), counts[..., 2])


@sample_metric(_f1_macro, sums=lambda e: e.class_counts.T.ravel())
def hf1_macro(e: Evaluation) -> Stats:
    """Mean over C+ (classes with a test positive) of the per-class F1.

    A resample has a C+ of its own.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> round(hf1_macro(three_samples()), 4)  # a 1, x 1, b 2/3, y 1, c 0, d 0
    0.6111
    """
    return side_by_side([e.matched, e.closed, e.truth])


# --------------------------------------------------------------------------- shares and counts


@sample_metric(first_over_second)
def exact_match(e: Evaluation) -> Stats:
    """Share of samples with Y_i = P_i; two empty sets are equal.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> e = confusion_matrices()  # 179 of 193 right at level 2, 4 of these wrong at level 1
    >>> round(exact_match(e), 4), round(exact_match(e.with_raw()), 4)
    (0.9275, 0.9067)
    """
    return columns((e.inter == e.n_pred) & (e.inter == e.n_true), np.ones(len(e)))


@sample_metric(first_over_second)
def fpa(e: Evaluation) -> Stats:
    """Single path: another name for ``exact_match_raw``.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(fpa(confusion_matrices()), 4)
    0.9067
    """
    return exact_match.stats(e.with_raw())


@sample_metric(only)
def empty_pairs(e: Evaluation) -> Stats:
    """Number of samples with neither a true nor a predicted class: left out of the means.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> empty_pairs(four_scores())
    1.0
    """
    return columns((e.n_true == 0) & (e.n_pred == 0))


@sample_metric(only)
def empty_predictions(e: Evaluation) -> Stats:
    """Number of samples with a true but no predicted class: precision and recall 0.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> empty_predictions(three_samples())
    0.0
    """
    return columns((e.n_true > 0) & (e.n_pred == 0))


@sample_metric(only)
def empty_truths(e: Evaluation) -> Stats:
    """Number of samples with a predicted but no true class: precision 0, no recall.

    >>> from hmcbench.metrics.fixtures import three_samples
    >>> empty_truths(three_samples())
    0.0
    """
    return columns((e.n_true == 0) & (e.n_pred > 0))
