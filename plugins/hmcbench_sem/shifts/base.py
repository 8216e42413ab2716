"""Pictures under a shift: changed when they are loaded, never kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hmcbench import ShiftInputs
from hmcbench.interfaces import Image

Grey = np.ndarray
"""Grey levels, float (H, W) or (H, W, 3), 0 to 255."""
Change = Callable[[Grey, float, np.random.Generator], Grey]
"""Grey levels, severity above 0 and random numbers -> grey levels of the same shape."""

UNIT = 128
"""A length of 1 is a pixel of a picture whose shorter side has so many."""


@dataclass(frozen=True)
class ShiftedImage:
    """A picture under a shift; ``seed`` is of its sample."""

    source: Image
    change: Change
    severity: float
    seed: int

    def load(self, min_side: int | None = None) -> np.ndarray:
        """Pixels of the same shape as those of the source, uint8."""
        pixels = self.source.load(min_side)
        if self.severity == 0:
            return pixels
        rng = np.random.default_rng(self.seed)
        changed = self.change(pixels.astype(np.float32), self.severity, rng)
        return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def shifted_images(inputs: ShiftInputs, severity: float, change: Change) -> list[ShiftedImage]:
    """All pictures under a change."""
    pairs = zip(inputs.rows, inputs.seeds(), strict=True)
    return [ShiftedImage(row, change, severity, seed) for row, seed in pairs]


def pixels_of(length: float, grey: Grey) -> float:
    """A length in pixels of this picture."""
    height, width = grey.shape[:2]
    return float(length * min(height, width) / UNIT)


def resampled(grey: Grey, rows: np.ndarray, columns: np.ndarray) -> Grey:
    """Grey levels at places between pixels, bilinear; places outside are mirrored back into the picture.

    Args:
        rows, columns: float, of shapes that broadcast to (H, W).
    """
    height, width = grey.shape[:2]
    y, x = np.broadcast_arrays(_mirrored(rows, height), _mirrored(columns, width))
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    fy, fx = (y - top).astype(np.float32), (x - left).astype(np.float32)
    if grey.ndim == 3:
        fy, fx = fy[..., None], fx[..., None]
    upper = grey[top, left] * (1 - fx) + grey[top, right] * fx
    lower = grey[below, left] * (1 - fx) + grey[below, right] * fx
    mixed: np.ndarray = upper * (1 - fy) + lower * fy
    return mixed


def _mirrored(place: np.ndarray, size: int) -> np.ndarray:
    """Places beyond the first or last pixel, mirrored at it."""
    if size == 1:
        return np.zeros_like(place)
    period = 2 * (size - 1)
    place = np.abs(place) % period
    mirrored: np.ndarray = np.where(place > size - 1, period - place, place)
    return mirrored


def places(grey: Grey) -> tuple[np.ndarray, np.ndarray]:
    """Rows (H, 1) and columns (1, W) of the pixels."""
    height, width = grey.shape[:2]
    return np.arange(height, dtype=np.float64)[:, None], np.arange(width, dtype=np.float64)[None, :]


def per_channel(grey: Grey, field: np.ndarray) -> np.ndarray:
    """A field (H, W) that is the same in all channels."""
    return field[..., None] if grey.ndim == 3 else field
