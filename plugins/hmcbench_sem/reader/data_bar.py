"""Finds the instrument's data bar at the bottom of a micrograph.

A model can learn the source of a picture from its bar (scale bar, kV, magnification, laboratory)
instead of the failure. A bar spans the full width, starts at a sharp, exactly horizontal edge, and
has a background of one grey level with text on it.
"""

from __future__ import annotations

import numpy as np

TOLERANCE = 20  # grey levels by which JPEG blurs a constant background
CONTRAST = 50  # grey levels by which text stands out
LARGEST = 0.3  # of the picture's height
SMALLEST = 0.025
_QUIET = 0.93  # share of background in a row without text
_BAND = 0.35  # the same in a row that crosses text or the scale bar
_FINE = 6  # what JPEG does to most of the background
_FLAT = 0.6  # share of the background that is within that; no picture is so even
_EDGE = 0.2  # least drop of that share on crossing the upper edge
_STROKES = 8  # changes between text and background in the busiest row


def bar_height(grey: np.ndarray) -> int:
    """Rows of the data bar, 0 if there is none.

    Args:
        grey: (H, W) uint8, upright. Colour pictures are turned to grey before.
    """
    height, width = grey.shape
    lowest = max(8, round(SMALLEST * height))
    highest = int(LARGEST * height)
    if width < 48 or highest < lowest:
        return 0
    start = height - highest - 4  # a few rows of picture above the largest bar
    strip = grey[max(start, 0) :]
    background = _background(strip[-max(6, lowest // 2) :])
    if background < 0:
        return 0
    distance = np.abs(strip.astype(np.int16) - background)
    share = (distance <= TOLERANCE).mean(axis=1)  # (rows,) of background
    own = np.median(strip, axis=1).astype(np.int16)[:, None]
    even = (np.abs(strip - own) <= TOLERANCE).mean(axis=1) >= _QUIET  # also lines from edge to edge
    for top in _edges(strip, share, even, own[:, 0]):
        tall = len(strip) - top
        if lowest <= tall <= highest and _is_bar(share[top:], even[top:], distance[top:]):
            return tall
    return 0


def _background(rows: np.ndarray) -> int:
    """The grey level that fills most of the lowest rows, -1 if none does."""
    counts = np.bincount(rows.ravel(), minlength=256)
    level = int(np.convolve(counts, np.ones(2 * _FINE + 1, dtype=counts.dtype), mode="same").argmax())
    near = counts[max(level - TOLERANCE, 0) : level + TOLERANCE + 1].sum()
    return level if near >= 0.5 * rows.size else -1


def _edges(strip: np.ndarray, share: np.ndarray, even: np.ndarray, own: np.ndarray) -> list[int]:
    """Rows where an even row follows a different picture, uppermost first.

    The picture may be even as well (a polished surface): then its grey level must differ.
    """
    # Resampling blends one or two rows at the edge: rows three apart are compared.
    above = np.minimum(share[:-3], share[1:-2])
    begins = ~even[2:-1] | (np.abs(own[3:] - own[2:-1]) > TOLERANCE)
    first = even[3:] & begins & (above <= _QUIET - _EDGE)
    tops = [int(i) + 3 for i in np.flatnonzero(first)]
    step = [np.abs(strip[t].astype(np.int16) - strip[t - 3]) > TOLERANCE for t in tops]
    return [t for t, unlike in zip(tops, step, strict=True) if unlike.mean() >= _EDGE]


def _is_bar(share: np.ndarray, even: np.ndarray, distance: np.ndarray) -> bool:
    """Whether rows of background share and distance from it are a band with text on it."""
    if not ((share >= _BAND) | even).all() or share.mean() < 0.55:
        return False
    flat = (distance <= _FINE).sum() / (distance <= TOLERANCE).sum()
    if flat < _FLAT:
        return False
    text = (distance > CONTRAST)[share >= _BAND]
    busiest = int((text[:, 1:] != text[:, :-1]).sum(axis=1).max())
    return 0.002 <= float(text.mean()) <= 0.45 and busiest >= _STROKES
