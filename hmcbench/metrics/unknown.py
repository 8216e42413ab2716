"""Samples of classes that no model was shown (``[protocol] unknown``), for single paths.

They stand in the test partition with what lies above their class as truth. A sample is suspected by the
novelty that the model gives it, else by 1 - q of the class where its likeliest path ends
(:mod:`hmcbench.metrics.ends`). *Far* unknowns are samples of other data (``far_unknown``), beside the test
partition; an interval over test samples takes them as they are.
"""

from __future__ import annotations

import math

import numpy as np

from hmcbench.errors import NotApplicable
from hmcbench.metrics import pooled
from hmcbench.metrics.base import Reduce, Stats, columns, first_over_second, pooled_metric, sample_metric
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.selection import backoff_threshold

SURE = 0.9
SHARE = 0.95


def unknown_of(e: Evaluation) -> np.ndarray:
    """Boolean (N,): which samples are unknown; raises NotApplicable where none, or every one, is."""
    unknown = e.apart.unknown
    if unknown is None or not unknown.any() or unknown.all():
        raise NotApplicable('it needs known and unknown samples: unknown = ["CLASS"] under [protocol]')
    return unknown


def suspicion(e: Evaluation) -> np.ndarray:
    """float64 (N,): novelty, else 1 - q of the class where the likeliest path ends; 1 for the empty path."""
    if e.apart.novelty is not None:
        return np.asarray(e.apart.novelty, dtype=np.float64)
    return 1 - e.likeliest.chosen


def _counts(e: Evaluation) -> tuple[Stats, Reduce]:
    """Known and unknown samples at and just above the score of every unknown one, then all of them."""
    unknown, scores = unknown_of(e), suspicion(e)
    at = pooled.thresholds(scores[unknown])
    both = pooled.both_sides(at)
    least = np.append(both[both > both[-1]], [both[-1], -np.inf])  # the last counts everyone
    stats = pooled.pair_counts(scores[:, None], unknown[:, None], np.unique(least)[::-1])

    def reduce(sums: np.ndarray) -> np.ndarray:
        half = sums.shape[-1] // 2
        positives = sums[..., half:].astype(np.float64)
        negatives = sums[..., :half].cumsum(axis=-1, dtype=np.float64)  # at or above each threshold
        before = np.concatenate([np.zeros((*negatives.shape[:-1], 1)), negatives[..., :-1]], axis=-1)
        known, total = negatives[..., -1], positives.sum(axis=-1)
        above = (positives * (known[..., None] - (negatives + before) / 2)).sum(axis=-1)
        pairs = known * total
        return np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)

    return stats, reduce


@pooled_metric(_counts)
def unknown_auroc(e: Evaluation) -> float:
    """Probability that an unknown sample is suspected more than a known one; ties count one half.

    >>> from hmcbench.metrics.fixtures import with_unknown
    >>> round(unknown_auroc(with_unknown()), 4)  # .5 and .375 against .125, .25, .5: (2.5 + 2) / 6
    0.75
    """
    unknown, scores = unknown_of(e), suspicion(e)
    others = np.sort(scores[~unknown])
    below = np.searchsorted(others, scores[unknown], "left") + np.searchsorted(
        others, scores[unknown], "right"
    )
    return float(below.mean() / (2 * len(others)))


def unknown_fpr95(e: Evaluation) -> float:
    """Share of the known samples that are suspected as much when 95 % of the unknown ones are.

    >>> from hmcbench.metrics.fixtures import with_unknown
    >>> round(unknown_fpr95(with_unknown()), 4)  # both unknown ones reach .375; of the known ones one does
    0.3333
    """
    unknown, scores = unknown_of(e), suspicion(e)
    ranked = np.sort(scores[unknown])[::-1]
    limit = ranked[math.ceil(SHARE * len(ranked) - 1e-9) - 1]
    return float((scores[~unknown] >= limit).mean())


@sample_metric(first_over_second)
def unknown_parent_accuracy(e: Evaluation) -> Stats:
    """Share of the unknown samples that back-off stops at the class right above their own.

    The virtual root ("refer") is right for a class of the top level.

    >>> from hmcbench.metrics.fixtures import with_unknown
    >>> unknown_parent_accuracy(with_unknown())  # one of a stops at a; the other is said to be b1
    0.5
    """
    unknown = unknown_of(e)
    stopped = e.likeliest.climbed(backoff_threshold(e))
    return columns(unknown & (stopped == e.deepest(e.truth)), unknown)


@sample_metric(first_over_second)
def unknown_named(e: Evaluation) -> Stats:
    """Share of the unknown samples that get a wrong class with a confidence over .9.

    >>> from hmcbench.metrics.fixtures import with_unknown
    >>> unknown_named(with_unknown())
    0.0
    """
    unknown = unknown_of(e)
    depth = np.count_nonzero(e.likeliest.path >= 0, axis=1)
    rows = np.arange(len(e))
    ended = e.likeliest.path[rows, np.maximum(depth - 1, 0)]
    wrong = (depth > 0) & ~np.asarray(e.truth)[rows, ended]
    return columns(unknown & wrong & (e.likeliest.chosen > SURE), unknown)


# --------------------------------------------------------------------------- samples of other data


def far_of(e: Evaluation) -> Evaluation:
    """The far unknowns; raises NotApplicable where there are none."""
    if e.apart.far is None:
        raise NotApplicable('it needs samples of other data: far_unknown = "DATASET" under [protocol]')
    return e.apart.far


@sample_metric(first_over_second)
def far_auroc(e: Evaluation) -> Stats:
    """Probability that a sample of other data is suspected more than a test sample; ties count one half.

    >>> from hmcbench.metrics.fixtures import with_far
    >>> round(far_auroc(with_far()), 4)  # .5 and .375 against .125, .25, .5, .5, .375: (4 + 2.5) / 10
    0.65
    """
    far, scores = np.sort(suspicion(far_of(e))), suspicion(e)
    below = np.searchsorted(far, scores, "left") + np.searchsorted(far, scores, "right")
    return columns(1 - below / (2 * len(far)), np.ones(len(e)))


@sample_metric(first_over_second)
def far_fpr95(e: Evaluation) -> Stats:
    """Share of the test samples that are suspected as much when 95 % of the samples of other data are.

    >>> from hmcbench.metrics.fixtures import with_far
    >>> far_fpr95(with_far())  # both of the other data reach .375; of the five test samples three do
    0.6
    """
    far = np.sort(suspicion(far_of(e)))
    limit = far[len(far) - math.ceil(SHARE * len(far) - 1e-9)]
    return columns(suspicion(e) >= limit, np.ones(len(e)))


def far_named(e: Evaluation) -> float:
    """Share of the samples of other data that get some class with a confidence over .9.

    >>> from hmcbench.metrics.fixtures import with_far
    >>> far_named(with_far())
    0.0
    """
    return float((far_of(e).likeliest.chosen > SURE).mean())
