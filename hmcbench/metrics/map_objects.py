"""Borders and objects of label maps, image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.metrics.base import columns, harmonic, ratio
from hmcbench.metrics.label_pairs import LabelPairs

if TYPE_CHECKING:
    from hmcbench.hierarchy.label_maps import LabelMaps

BAND = 2**20  # pixels of a band of rows: temporaries stay small
_EIGHT = np.ones((3, 3), dtype=bool)


def border_scores(pairs: LabelPairs, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """float (N, C): the F1 of the borders of every class, and 1 where it counts: the image has the class, and
    the truth or the prediction has a border of it."""
    scores = np.zeros((2, len(pairs), classes))
    for i in range(len(pairs)):
        truth, predicted = pairs.truth.load(i), pairs.predicted.load(i)
        labelled = truth != np.iinfo(truth.dtype).max
        held = np.bincount(truth.ravel(), minlength=len(pairs.truth.legend))[: len(pairs.truth.legend)] > 0
        for c in np.flatnonzero(pairs.truth.legend[held].any(axis=0)).tolist():
            true = border(mask_of(pairs.truth, truth, c), labelled)
            guess = border(mask_of(pairs.predicted, predicted, c), labelled)
            if len(true) or len(guess):
                scores[:, i, c] = border_f1(true, guess, float(pairs.truth.tolerance[i])), 1.0
    return scores[0], scores[1]


def mask_of(maps: LabelMaps, pixels: np.ndarray, column: int) -> np.ndarray:
    """boolean (H, W): where a map has a class."""
    table = np.zeros(int(np.iinfo(pixels.dtype).max) + 1, dtype=bool)
    table[: len(maps.legend)] = maps.legend[:, column]
    mask: np.ndarray = table[pixels]
    return mask


def border(mask: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """int64 (B, 2): labelled pixels of a mask beside a labelled pixel outside it."""
    beside = np.zeros(mask.shape, dtype=bool)
    outside = labelled & ~mask
    beside[1:] |= outside[:-1]
    beside[:-1] |= outside[1:]
    beside[:, 1:] |= outside[:, :-1]
    beside[:, :-1] |= outside[:, 1:]
    beside &= mask
    beside &= labelled
    return np.argwhere(beside)


def border_f1(true: np.ndarray, guess: np.ndarray, tolerance: float) -> float:
    """F1 of two sets of border pixels, (B, 2) each; 0 where only one is empty."""
    if not len(true) or not len(guess):
        return 0.0
    precision, recall = _near(guess, true, tolerance), _near(true, guess, tolerance)
    return float(harmonic(np.array(precision), np.array(recall)))


def _near(points: np.ndarray, others: np.ndarray, tolerance: float) -> float:
    """The share of points within the tolerance (Euclidean, in pixels) of another."""
    # the bound itself is excluded; distances between pixels differ by more than this
    distance, _ = cKDTree(others).query(points, distance_upper_bound=tolerance + 1e-6)
    return float(np.isfinite(distance).mean())


def aji_sums(pairs: LabelPairs, hierarchy: Hierarchy, column: int) -> np.ndarray:
    """float (N, 3): intersections, unions, and the number of true objects, of one class."""
    if hierarchy.classes[column] not in pairs.truth.objects:
        return np.zeros((len(pairs), 3))
    rows = []
    for true, guess in zip(pairs.truth, pairs.predicted, strict=True):
        labelled = true != np.iinfo(true.dtype).max
        first = mask_of(pairs.truth, true, column) & labelled
        second = mask_of(pairs.predicted, guess, column) & labelled
        rows.append(_aggregated(*overlaps(first, second)))
    return columns(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)


def overlaps(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of overlapping objects of two masks.

    Returns:
        int64 (K, 3): object of the first mask, of the second (from 1), pixels in both; and the sizes of the
        objects of the first and of the second.
    """
    labels, others = np.empty(first.shape, np.int32), np.empty(second.shape, np.int32)
    n, m = ndimage.label(first, _EIGHT, output=labels), ndimage.label(second, _EIGHT, output=others)
    sizes = [np.zeros(n + 1, np.int64), np.zeros(m + 1, np.int64)]
    keys, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    step = max(1, BAND // max(1, first.shape[1]))
    for top in range(0, len(first), step):
        a, b = (part[top : top + step].ravel() for part in (labels, others))
        for part, size in zip((a, b), sizes, strict=True):
            size += np.bincount(part, minlength=len(size))
        both = (a > 0) & (b > 0)
        band_keys, number = np.unique(a[both].astype(np.int64) * (m + 1) + b[both], return_counts=True)
        keys, counts = np.concatenate([keys, band_keys]), np.concatenate([counts, number])
    keys, places = np.unique(keys, return_inverse=True)
    total = np.bincount(places, weights=counts, minlength=len(keys)).astype(np.int64)
    return np.stack([keys // (m + 1), keys % (m + 1), total], axis=1), sizes[0][1:], sizes[1][1:]


def _aggregated(pairs: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[int, int, int]:
    """Intersections, unions and number of true objects of one image."""
    a, b, both = pairs[:, 0] - 1, pairs[:, 1] - 1, pairs[:, 2]
    union = first[a] + second[b] - both
    order = np.lexsort((b, -ratio(both, union), a))  # per true object the largest IoU first, then the first
    best = order[np.unique(a[order], return_index=True)[1]]
    alone = np.setdiff1d(np.arange(len(first)), a[best])
    unused = np.setdiff1d(np.arange(len(second)), b[best])
    unions = int(union[best].sum()) + int(first[alone].sum()) + int(second[unused].sum())
    return int(both[best].sum()), unions, len(first)
