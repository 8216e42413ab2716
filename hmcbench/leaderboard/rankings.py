"""``auprc_micro`` as a function of sums over samples, so that it gets an interval like the others.

Average precision needs, at the score of every positive, how many pairs and how many positives
reach it; both are sums over samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

MICRO = "auprc_micro"
MOST_PAIRS = 400_000
"""With more (sample, class) pairs a thousand draws take too long; there is no interval then."""
MOST_SCORES = 2048
"""With more distinct scores neighbours share one, which moves an area by less than a thousandth."""


def micro_stats(scores: np.ndarray, truth: Any) -> csr_array:
    """CSR float64 (N, 2 D): pairs, then positives, of every sample at each of D distinct scores.

    Args:
        scores: float (N, C).
        truth: boolean (N, C), dense or sparse.

    The scores are those of positives, in descending order, as :func:`micro_reduce` expects; a
    negative counts at the largest of them that does not exceed its own.
    """
    true = truth.toarray() if issparse(truth) else np.asarray(truth)
    distinct = np.unique(-scores[true])
    if len(distinct) > MOST_SCORES:
        distinct = distinct[np.linspace(0, len(distinct) - 1, MOST_SCORES).round().astype(int)]
    size = len(distinct)
    rank = np.searchsorted(distinct, -scores)
    pairs, positives = np.nonzero(rank < size), np.nonzero(true)
    sample = np.concatenate([pairs[0], positives[0]])
    column = np.concatenate([rank[pairs], rank[positives] + size])
    return csr_array((np.ones(len(sample)), (sample, column)), shape=(len(scores), 2 * size))


def micro_reduce(sums: np.ndarray) -> np.ndarray:
    """(..., 2 D) -> (...): mean, over the positives, of the precision at their score; nan without any."""
    half = sums.shape[-1] // 2
    pairs, positives = sums[..., :half], sums[..., half:]
    reached, hits = pairs.cumsum(axis=-1), positives.cumsum(axis=-1)
    precision = np.divide(hits, reached, out=np.zeros_like(hits), where=reached > 0)
    total = positives.sum(axis=-1)
    above = (positives * precision).sum(axis=-1)
    area: np.ndarray = np.divide(above, total, out=np.full_like(above, np.nan), where=total > 0)
    return area
