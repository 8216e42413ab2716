"""Probabilities of (sample, class) pairs, for several paths: is a class given 0.8 there in 80 of 100 cases?

The classes of a level do not exclude each other there, so that there is no top label; every pair of a sample
and a class is a prediction of its own. For single paths see :mod:`hmcbench.metrics.probabilities`.
"""

from __future__ import annotations

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.metrics.base import Stats, columns, ratio, sample_metric
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.probabilities import BINS, CLIP, bin_of
from hmcbench.metrics.rankings import finite_scores

_CELLS = 2**22  # pairs looked at together: keeps temporaries at tens of megabytes


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.where(sums[..., -1] > 0, ratio(sums[..., 0], sums[..., -1]), np.nan)


def _gap(sums: np.ndarray) -> np.ndarray:
    """(..., BINS + 1): per bin the sum of probability - truth, and the number of pairs."""
    count = sums[..., -1]
    return np.where(count > 0, ratio(np.abs(sums[..., :-1]).sum(axis=-1), count), np.nan)


def _probabilities(e: Evaluation) -> np.ndarray:
    """The scores; raises NotApplicable where they are none in [0, 1], so that they only rank."""
    scores = finite_scores(e)
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
        raise NotApplicable("the scores are no probabilities")
    return scores


@sample_metric(_gap)
def multi_ece(e: Evaluation) -> Stats:
    """Expected calibration error over all (sample, class) pairs.

    sum_b n_b / n |share of true pairs_b - mean probability_b| over 15 equal-width bins of the probability;
    1.0 belongs to the last.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(multi_ece(four_scores()), 4)
    0.1583
    """
    scores, truth = _probabilities(e), np.asarray(e.truth)
    gaps = np.zeros((len(e), BINS + 1))
    step = max(1, _CELLS // max(1, scores.shape[1]))
    for start in range(0, len(e), step):
        block = scores[start : start + step].astype(np.float64)
        cells = np.arange(len(block))[:, None] * BINS + bin_of(block)
        sums = np.bincount(cells.ravel(), (block - truth[start : start + step]).ravel(), len(block) * BINS)
        gaps[start : start + step, :-1] = sums.reshape(len(block), BINS)
    gaps[:, -1] = scores.shape[1]
    return gaps


@sample_metric(_mean)
def multi_brier(e: Evaluation) -> Stats:
    """Mean squared error of the probability of all (sample, class) pairs [Brier 1950].

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(multi_brier(four_scores()), 4)
    0.0925
    """
    scores = _probabilities(e).astype(np.float64)
    return columns(((scores - e.truth) ** 2).sum(axis=1), np.full(len(e), scores.shape[1]))


@sample_metric(_mean)
def multi_log_loss(e: Evaluation) -> Stats:
    """Mean of -log of the probability of what is true, over all (sample, class) pairs, in nats.

    Probabilities are at least 1e-7.

    >>> from hmcbench.metrics.fixtures import four_scores
    >>> round(multi_log_loss(four_scores()), 4)
    0.3328
    """
    scores = _probabilities(e).astype(np.float64)
    losses = -np.log(np.clip(np.where(e.truth, scores, 1 - scores), CLIP, 1.0))
    return columns(losses.sum(axis=1), np.full(len(e), scores.shape[1]))
