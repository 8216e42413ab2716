"""Probabilities: whether a model that says 0.8 is right in 80 of 100 cases, level by level.

Single paths only: the classes of a level exclude each other there, so that a level has a *top
label*, its most probable class, and a confidence, the probability of it. All are over the samples
with a true class at the level, undefined without any. The ``stop`` output is no class: it is
neither a top label nor a term of a sum.

The examples are the confusion matrices of the HFFNet-2d paper with the level decision at 0.9, the
other class of level 1 at 0.1 and the others of level 2 at 0.02 each.
"""

from __future__ import annotations

import numpy as np

from hmcbench.metrics.base import Stats, columns, first_over_second, level_metric, ratio
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import finite_scores

BINS = 15
CLIP = 1e-7


def top_labels(e: Evaluation, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence (N,), whether the top label is right (N,), whether there is a true class (N,).

    Ties go to the first column.
    """
    scores, truth, some = _level(e, k)
    top = scores.argmax(axis=1)[:, None]
    confidence = np.take_along_axis(scores, top, axis=1)[:, 0]
    return confidence, np.take_along_axis(truth, top, axis=1)[:, 0], some


def _level(e: Evaluation, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, float64, and truth of the classes of level k, (N, n_k); who has a class there, (N,)."""
    level = e.level_columns(k)
    scores, truth = finite_scores(e)[:, level].astype(np.float64), e.truth[:, level]
    return scores, truth, np.asarray(truth.any(axis=1))


def bin_of(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The number, from 0, of the equal-width bin of each probability; 1.0 belongs to the last.

    >>> bin_of(np.array([0.0, 0.0666, 0.0667, 1.0])).tolist()
    [0, 0, 1, 14]
    """
    return np.clip((confidence * bins).astype(np.int64), 0, bins - 1)


def _or_undefined(value: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, value, np.nan)


def _mean(sums: np.ndarray) -> np.ndarray:
    return _or_undefined(first_over_second(sums), sums[..., 1])


def _gap(sums: np.ndarray) -> np.ndarray:
    """(..., BINS + 1): per bin the sum of confidence - accuracy, and the number of samples."""
    count = sums[..., -1]
    return _or_undefined(ratio(np.abs(sums[..., :-1]).sum(axis=-1), count), count)


@level_metric(_gap)
def level_ece(e: Evaluation, k: int) -> Stats:
    """Expected calibration error of the top label [Guo et al. 2017, eq. 3].

    sum_b n_b / n |accuracy_b - confidence_b| over 15 equal-width bins of the confidence; 1.0
    belongs to the last.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> e = confusion_matrices()  # one bin: 189/193 - 0.9, 179/193 - 0.9
    >>> round(level_ece(e, 1), 4), round(level_ece(e, 2), 4)
    (0.0793, 0.0275)
    """
    confidence, right, some = top_labels(e, k)
    gaps = np.zeros((len(e), BINS + 1))
    gaps[np.arange(len(e)), bin_of(confidence)] = np.where(some, confidence - right, 0.0)
    gaps[:, -1] = some
    return gaps


@level_metric(_mean)
def level_brier(e: Evaluation, k: int) -> Stats:
    """Mean of the squared errors of all class probabilities of a level, summed over classes.

    [Brier 1950]. At most 2 where the probabilities of the level sum to 1.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(level_brier(confusion_matrices(), 1), 4)  # (189 * .02 + 4 * 1.62) / 193
    0.0532
    """
    scores, truth, some = _level(e, k)
    return columns(((scores - truth) ** 2).sum(axis=1) * some, some)


@level_metric(_mean)
def level_log_loss(e: Evaluation, k: int) -> Stats:
    """Mean of -log of the probability of the true class, in nats; probabilities are at least 1e-7.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(level_log_loss(confusion_matrices(), 1), 4)  # -(189 log .9 + 4 log .1) / 193
    0.1509
    """
    scores, truth, some = _level(e, k)
    losses = -np.log(np.clip((scores * truth).sum(axis=1), CLIP, 1.0))
    return columns(np.where(some, losses, 0.0), some)


def level_aurc(e: Evaluation, k: int) -> float:
    """Area under the risk-coverage curve: the mean over n of the error rate among the n most confident.

    [Geifman et al. 2019]. Equally confident samples share their mean error, so their order does
    not matter. 0 only where there is no error; low where the errors are the least confident.

    >>> from hmcbench.metrics.fixtures import confusion_matrices
    >>> round(level_aurc(confusion_matrices(), 1), 4)  # all equally confident: the error rate
    0.0207
    """
    confidence, right, some = top_labels(e, k)
    if not some.any():
        return float("nan")
    ranks = np.unique(-confidence[some], return_inverse=True)[1]  # 0 for the most confident
    errors = ratio(np.bincount(ranks, ~right[some]), np.bincount(ranks))[np.sort(ranks)]
    return float(np.mean(errors.cumsum() / np.arange(1, len(errors) + 1)))
