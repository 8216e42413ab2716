"""Scores of classes in 32, 16 or 8 bits.

Scores are rounded before thresholds and metrics are computed, so that everything follows from the stored
file. 32 and 16 bits are floating-point numbers. 8 bits are a logarithmic scale for probabilities:
0, and 255 steps from 1e-6 to 1 that differ by 5.6 % each.
"""

from __future__ import annotations

import numpy as np

LEAST = 1e-6  # of the 8-bit scale; smaller scores become 0
STEPS = np.concatenate([[0.0], np.geomspace(LEAST, 1, 255)]).astype(np.float32)
BOUNDS = np.concatenate([[LEAST / 2], np.sqrt(STEPS[1:-1] * STEPS[2:])]).astype(np.float32)


def encode(scores: np.ndarray, bits: int) -> np.ndarray:
    """As stored: float32, float16 or uint8 of the same shape.

    Args:
        scores: floating-point numbers; for 8 bits between 0 and 1.
        bits: 32, 16 or 8.
    """
    if bits == 8:
        return np.searchsorted(BOUNDS, np.asarray(scores, dtype=np.float32), side="right").astype(np.uint8)
    return np.asarray(scores, dtype=np.float16 if bits == 16 else np.float32)


def decode(stored: np.ndarray) -> tuple[np.ndarray, int]:
    """The scores and their bits; float64 (regression) stays as it is."""
    if stored.dtype == np.uint8:
        return STEPS[stored], 8
    if stored.dtype == np.float16:
        return stored.astype(np.float32), 16
    return stored, 32


def bits_for(scores: np.ndarray, bits: int) -> int:
    """``bits``, or more where the scores do not fit: 8 bits hold probabilities only, 16 up to 65,504."""
    if bits == 32 or not scores.size:
        return bits
    least, most = float(scores.min()), float(scores.max())
    if max(-least, most) > float(np.finfo(np.float16).max):
        return 32
    return bits if least >= 0 and most <= 1 else 16


def rounded(scores: np.ndarray, bits: int) -> np.ndarray:
    """float32, each the nearest number that ``bits`` can hold (8 bits: nearest on the logarithmic scale)."""
    return decode(encode(scores, bits))[0]
