"""Which rows can be told apart from the first: a max-t bootstrap over all pairs of rows.

The first row was selected because it is first, so a test of the others against this row alone would be
wrong too often. The critical value is therefore that of the largest of all pairwise statistics, in one
step [Westfall & Young 1993; Romano & Wolf 2005]: whichever row comes first, the chance of at least one
wrong claim is at most 1 - level.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from hmcbench.leaderboard.statistics import LEVEL, ROUNDING


def critical_value(deviations: np.ndarray, level: float = LEVEL) -> float:
    """The quantile over draws of the largest |difference of two rows| / its standard deviation.

    Args:
        deviations: (R, B) draws of the values of R >= 2 rows minus their means; draw b takes the same
            samples for every row.
        level: 1 - the chance of at least one wrong claim.

    Returns:
        The value in standard deviations; infinite for fewer draws than the level needs.
    """
    rows, draws = deviations.shape
    values = deviations.astype(np.float32)
    largest = np.zeros(draws, dtype=np.float32)
    for i in range(rows - 1):
        differences = np.abs(values[i] - values[i + 1 :])
        spread = np.sqrt(np.mean(np.square(differences), axis=1, keepdims=True))
        scaled = np.divide(differences, spread, out=np.zeros_like(differences), where=spread > ROUNDING)
        np.maximum(largest, scaled.max(axis=0), out=largest)
    place = int(np.ceil(level * (draws + 1)))
    return float(np.sort(largest)[place - 1]) if place <= draws else float("inf")


def told_apart(
    scores: np.ndarray, deviations: np.ndarray | None, rows: int, level: float = LEVEL
) -> np.ndarray:
    """Whether each row can be told apart from the first.

    Args:
        scores: (R - 1,) p-values of the differences to the first row as quantiles of the normal
            distribution: p = 0.05 is 1.96.
        deviations: (R, B) as for :func:`critical_value`; None: Bonferroni's bound over all pairs.
        rows: R.

    >>> noise = np.random.default_rng(0).standard_normal((3, 999))
    >>> told_apart(np.array([2.1, 2.9]), noise, 3).tolist()
    [False, True]
    """
    pairs = rows * (rows - 1) / 2
    bound = float(-ndtri((1 - level) / 2 / max(pairs, 1)))
    critical = bound if deviations is None or rows < 2 else min(critical_value(deviations, level), bound)
    apart: np.ndarray = scores > critical
    return apart
