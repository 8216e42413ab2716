"""Hand-made features of grey images.

All arrays are computed for a block of images at once. Local binary patterns and oriented gradients
are implemented here: scikit-image's take 3 ms each per scale and image of 128 x 128, more than all
other features together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

GREY_BINS = 64
LEVELS = 16  # grey levels of the co-occurrence matrices
DISTANCES = (1, 2, 4, 8)
ANGLES = tuple(np.pi * k / 4 for k in range(4))
PROPERTIES = ("contrast", "homogeneity", "energy", "correlation", "entropy")
SCALES = 3  # full, half and quarter resolution
CELLS = 4  # cells per side for oriented gradients
ORIENTATIONS = 8


class GreyHistogram:
    """View ``pixels`` (uint8, one channel) -> float32 (n, 64), the share of pixels per grey level."""

    def __init__(self, size: int = 64) -> None:
        self._size = size  # the size of the source view; nothing here depends on it

    def transform(self, rows: Sequence[Any]) -> np.ndarray:
        counts = _counts(_block(rows)).reshape(len(rows), GREY_BINS, -1).sum(axis=2)
        shares: np.ndarray = counts / counts.sum(axis=1, keepdims=True)
        return shares.astype(np.float32)


class Texture:
    """View ``pixels`` (uint8, one channel, at least 16 x 16) -> float32 (n, 134).

    In this order: 10 grey-level statistics; 40 of co-occurrence; and for each of three
    resolutions 10 of local binary patterns and 18 of oriented gradients. All but the first ten
    are computed after every image was scaled to mean 0 and standard deviation 1.
    """

    def __init__(self, size: int = 128) -> None:
        self._size = size

    def transform(self, rows: Sequence[Any]) -> np.ndarray:
        block = _block(rows)
        statistics = grey_statistics(_counts(block))
        mean, deviation = 255 * statistics[:, 0], 255 * statistics[:, 1]
        flat = np.maximum(deviation, 1e-6)  # an image of one grey level becomes zeros
        images = ((block - mean[:, None, None]) / flat[:, None, None]).astype(np.float32)
        parts = [statistics, cooccurrence(images)]
        for _ in range(SCALES):
            parts += [binary_patterns(images), oriented_gradients(images)]
            images = _halved(images)
        return np.concatenate(parts, axis=1).astype(np.float32)


def _block(rows: Sequence[Any]) -> np.ndarray:
    """Rows as uint8 (n, H, W)."""
    block = np.asarray(rows)
    if block.ndim != 3 or block.dtype != np.uint8:
        raise TypeError(f"expected uint8 (n, H, W), got {block.dtype} {block.shape}")
    return block


def _counts(block: np.ndarray) -> np.ndarray:
    """Pixels per grey level, int64 (n, 256)."""
    n = len(block)
    places = block.reshape(n, -1) + 256 * np.arange(n)[:, None]
    return np.bincount(places.ravel(), minlength=256 * n).reshape(n, 256)


def _halved(images: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels, (n, H, W) -> (n, H // 2, W // 2)."""
    height, width = (side // 2 * 2 for side in images.shape[1:])
    even = images[:, :height, :width]
    halved: np.ndarray = (
        even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    ) / 4
    return halved


def grey_statistics(counts: np.ndarray) -> np.ndarray:
    """Pixels per grey level (n, 256) -> (n, 10).

    Mean, standard deviation (of grey levels from 0 to 1), skewness, excess kurtosis, entropy in
    bits, and the quantiles 5, 25, 50, 75 and 95 %.
    """
    share = counts / counts.sum(axis=1, keepdims=True)
    level = np.arange(256) / 255
    mean = (share * level).sum(axis=1)
    away = level - mean[:, None]
    moments = [(share * away**power).sum(axis=1) for power in (2, 3, 4)]
    deviation = np.sqrt(moments[0])
    scale = np.maximum(deviation, 1e-6)
    skewness, kurtosis = moments[1] / scale**3, moments[2] / scale**4 - 3
    entropy = -(share * np.log2(np.maximum(share, 1e-12))).sum(axis=1)
    below = share.cumsum(axis=1)
    quantiles = [(below < q - 1e-9).sum(axis=1) / 255 for q in (0.05, 0.25, 0.5, 0.75, 0.95)]
    return np.stack([mean, deviation, skewness, kurtosis, entropy, *quantiles], axis=1)


def cooccurrence(images: np.ndarray) -> np.ndarray:
    """Standardised images -> (n, 40): properties of grey-level co-occurrence [Haralick et al. 1973].

    Five properties at four distances, each as the mean over four directions and as the range over
    them, which is large where the texture has a direction.
    """
    from skimage import feature

    graycomatrix: Any = feature.graycomatrix  # scikit-image is typed in part only
    graycoprops: Any = feature.graycoprops

    reach = LEVELS / 5  # 16 levels cover two and a half standard deviations to either side
    levels = np.clip(images * reach + LEVELS / 2, 0, LEVELS - 1).astype(np.uint8)
    features = np.empty((len(images), 2, len(PROPERTIES), len(DISTANCES)))
    for row, image in zip(features, levels, strict=True):
        matrix = graycomatrix(image, DISTANCES, ANGLES, levels=LEVELS, symmetric=True, normed=True)
        for k, name in enumerate(PROPERTIES):
            values = graycoprops(matrix, name)
            row[0, k], row[1, k] = values.mean(axis=1), np.ptp(values, axis=1)
    return features.reshape(len(images), -1)


def binary_patterns(images: np.ndarray) -> np.ndarray:
    """Images (n, H, W) -> (n, 10): shares of the rotation-invariant uniform patterns of 8 neighbours.

    [Ojala et al. 2002], with the eight adjacent pixels in place of interpolated ones, whose patterns
    are nearly the same.
    """
    height, width = images.shape[1:]
    centre = images[:, 1:-1, 1:-1]
    code = np.zeros(centre.shape, dtype=np.uint8)
    around = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    for bit, (top, left) in enumerate(around):
        neighbour = images[:, top : top + height - 2, left : left + width - 2]
        code |= (neighbour >= centre).astype(np.uint8) << np.uint8(bit)
    counts = _counts(code) @ _UNIFORM
    shares: np.ndarray = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _uniform() -> np.ndarray:
    """(256, 10): code -> number of ones where they form one run (0 to 8), else 9."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    kind = np.where(changes <= 2, bits.sum(axis=1), 9)
    return np.eye(10, dtype=np.int64)[kind]


_UNIFORM = _uniform()


def oriented_gradients(images: np.ndarray) -> np.ndarray:
    """Images (n, H, W) -> (n, 18), after the histograms of [Dalal & Triggs 2005].

    Gradients are summed by orientation (8 bins over 180 degrees) in 4 x 4 cells. The features do not
    change when the image is rotated: the mean of the cells' sorted histograms (8), the image's
    histogram from its peak on (8), the mean strength, and its deviation over the cells relative to
    the mean.
    """
    down = images[:, 2:, 1:-1] - images[:, :-2, 1:-1]
    right = images[:, 1:-1, 2:] - images[:, 1:-1, :-2]
    strength = np.hypot(down, right)
    turn = np.arctan2(down, right) * (ORIENTATIONS / np.pi)  # -8 to 8: opposite directions are one
    orientation = np.rint(turn).astype(np.int64) % ORIENTATIONS  # 0 and 90 degrees are mid-bin
    n, height, width = strength.shape
    cell = (np.arange(height) * CELLS // height)[:, None] * CELLS + np.arange(width) * CELLS // width
    place = (np.arange(n)[:, None, None] * CELLS**2 + cell) * ORIENTATIONS + orientation
    sums = np.bincount(place.ravel(), strength.ravel(), n * CELLS**2 * ORIENTATIONS)
    cells = sums.reshape(n, CELLS**2, ORIENTATIONS)

    energy = cells.sum(axis=2)
    tiny = 1e-9
    local = np.sort(cells / (energy[:, :, None] + tiny), axis=2)[:, :, ::-1].mean(axis=1)
    whole = cells.sum(axis=1)
    turned = (whole.argmax(axis=1)[:, None] + np.arange(ORIENTATIONS)) % ORIENTATIONS
    from_peak = np.take_along_axis(whole, turned, axis=1) / (whole.sum(axis=1, keepdims=True) + tiny)
    mean = energy.mean(axis=1)
    uneven = energy.std(axis=1) / (mean + tiny)
    return np.column_stack([local, from_peak, mean * CELLS**2 / (height * width), uneven])
