"""The bound on risk that back-off and conformal sets promise; plain Python, so that a plan can check it."""

from __future__ import annotations

import math

ALPHA = 0.05
"""The bound on risk, and the share that a conformal set may miss, unless a suite says otherwise."""


def least_samples(alpha: float) -> int:
    """The least n with 1 / (n + 1) <= alpha: with fewer calibration samples nothing can be promised.

    >>> least_samples(0.05), least_samples(0.1)
    (19, 9)
    """
    return max(1, math.ceil(1 / alpha - 1 - 1e-9))
