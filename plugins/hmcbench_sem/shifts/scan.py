"""What the scan and the stage do: line jitter, drift, another magnification, tilt."""

from __future__ import annotations

import math

import numpy as np

from hmcbench import ShiftInputs
from hmcbench_sem.shifts.base import (
    Grey,
    ShiftedImage,
    pixels_of,
    places,
    resampled,
    shifted_images,
)


def jitter(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """Every scan line is displaced along itself; ``severity``: deviation in pixels of 128."""

    def change(grey: Grey, severity: float, rng: np.random.Generator) -> Grey:
        rows, columns = places(grey)
        by = pixels_of(severity, grey) * rng.standard_normal((len(rows), 1))
        return resampled(grey, rows, columns + by)

    return shifted_images(inputs, severity, change)


def drift(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """The specimen moves during the scan, in any direction; ``severity``: how far, in pixels of 128."""

    def change(grey: Grey, severity: float, rng: np.random.Generator) -> Grey:
        rows, columns = places(grey)
        angle = rng.uniform(0, 2 * math.pi)
        moved = pixels_of(severity, grey) * rows / max(len(rows) - 1, 1)
        return resampled(grey, rows + math.sin(angle) * moved, columns + math.cos(angle) * moved)

    return shifted_images(inputs, severity, change)


def magnification(inputs: ShiftInputs, severity: float, pixel_size: str = "unknown") -> list[ShiftedImage]:
    """A higher magnification of the middle of the picture; ``severity``: by so many per cent.

    Args:
        pixel_size: ``known``: the picture is brought back to the scale of the training pictures, so that only
            its smaller field is new; what is missing around it is mirrored. ``unknown``: it is not.
    """

    def change(grey: Grey, severity: float, _rng: np.random.Generator) -> Grey:
        factor = 1 + severity / 100
        rows, columns = places(grey)
        middle = (len(rows) - 1) / 2, (columns.shape[1] - 1) / 2
        if pixel_size == "unknown":
            return resampled(
                grey, middle[0] + (rows - middle[0]) / factor, middle[1] + (columns - middle[1]) / factor
            )
        seen = [size / factor for size in middle]
        return resampled(grey, _folded(rows, middle[0], seen[0]), _folded(columns, middle[1], seen[1]))

    return shifted_images(inputs, severity, change)


def _folded(place: np.ndarray, middle: float, reach: float) -> np.ndarray:
    """Places farther from the middle than ``reach``, mirrored there."""
    if reach <= 0:
        return np.full_like(place, middle)
    away = (place - middle + reach) % (4 * reach)
    folded: np.ndarray = middle - reach + np.where(away > 2 * reach, 4 * reach - away, away)
    return folded


def tilt(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """The stage is tilted about the fast axis: the picture is foreshortened; ``severity``: degrees.

    What then appears above and below is mirrored.
    """

    def change(grey: Grey, severity: float, _rng: np.random.Generator) -> Grey:
        rows, columns = places(grey)
        middle = (len(rows) - 1) / 2
        return resampled(grey, middle + (rows - middle) / math.cos(math.radians(severity)), columns)

    return shifted_images(inputs, severity, change)
