"""Which rows cannot be told apart from the first: a max-t bootstrap over all pairs of rows.

The first row was selected because it is first, so a test of this row alone against the others would be
wrong too often. The critical value is therefore that of the largest of all pairwise statistics
[Romano & Wolf 2005, stepdown left out]: whichever row had come first, the chance of at least one wrong
claim is at most 1 - level.
"""

from __future__ import annotations

import numpy as np

LEVEL = 0.95
_ROUNDING = 1e-12


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
        spread = _spread(differences)
        scaled = np.divide(differences, spread, out=np.zeros_like(differences), where=spread > _ROUNDING)
        np.maximum(largest, scaled.max(axis=0), out=largest)
    place = int(np.ceil(level * (draws + 1)))
    return float(np.sort(largest)[place - 1]) if place <= draws else float("inf")


def _spread(differences: np.ndarray) -> np.ndarray:
    """(K, B) -> (K, 1): the standard deviation of differences around 0."""
    spread: np.ndarray = np.sqrt(np.mean(np.square(differences), axis=1, keepdims=True))
    return spread


def not_told_apart(first: int, means: np.ndarray, draws: np.ndarray, level: float = LEVEL) -> list[int]:
    """Positions of the rows whose difference to row ``first`` is within the critical value.

    Args:
        first: position of the selected row.
        means: (R,) the values.
        draws: (R, B) bootstrap draws of the values, paired; all finite.

    >>> rng = np.random.default_rng(0)
    >>> means = np.array([0.9, 0.89, 0.5])
    >>> not_told_apart(0, means, means[:, None] + 0.01 * rng.standard_normal((3, 999)))
    [1]
    """
    if len(means) < 2:
        return []
    deviations = draws - draws.mean(axis=1, keepdims=True)
    spread = _spread(deviations[first] - deviations).ravel()
    reach = critical_value(deviations, level) * spread
    near = np.abs(means - means[first]) <= reach + _ROUNDING
    return [i for i in np.flatnonzero(near).tolist() if i != first]
