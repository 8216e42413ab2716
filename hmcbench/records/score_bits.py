"""Scores of classes in 32 or 16 bits.

Scores are rounded before thresholds and metrics are computed, so that everything follows from the stored
file. 8 bits are too few: on a logarithmic scale of 255 steps from 1e-6 to 1, the pooled average precision of
C-HMCNN on cellcycle_FUN (499 classes) falls from .252 to .247.
"""

from __future__ import annotations

import numpy as np


def stored(scores: np.ndarray, bits: int) -> np.ndarray:
    """Scores as float32 or float16, of the same shape; ``bits`` is 32 or 16."""
    return np.asarray(scores, dtype=np.float16 if bits == 16 else np.float32)


def bits_for(scores: np.ndarray, bits: int) -> int:
    """``bits``, or 32 where the scores (of ranking models) do not fit: 16 bits hold numbers up to 65,504."""
    fits = not scores.size or float(np.abs(scores).max()) <= float(np.finfo(np.float16).max)
    return bits if fits else 32


def rounded(scores: np.ndarray, bits: int) -> np.ndarray:
    """float32, each the nearest number that ``bits`` can hold."""
    return stored(scores, bits).astype(np.float32)
