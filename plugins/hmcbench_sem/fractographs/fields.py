"""Random fields on a view of a surface: coordinates, noise of a given spectrum, smooth steps.

Lengths are in scene units: one unit is the width of a picture at magnification 1. The random
numbers that are drawn do not depend on the number of pixels, so one seed shows the same scene at
every size. No matrix product is used, so no result depends on the threads of a BLAS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, special

Field = np.ndarray  # (size, size) float32

MARGIN = 1.25  # noise has this period, in picture widths: opposite edges must not match
HARMONICS = 64  # finest drawn noise: 64 waves per period


@dataclass(frozen=True)
class View:
    """The part of a surface that is seen.

    Attributes:
        size: pixels along a side.
        magnification: 1 shows one scene unit; 2 shows half of it.
        x, y: scene coordinates of the pixels, (size, size); the origin is the centre. A tilted
            specimen is foreshortened along y.
        reach: no pixel is farther from the origin.
    """

    size: int
    magnification: float
    x: Field
    y: Field
    reach: float

    @classmethod
    def of(cls, size: int, magnification: float, tilt: float) -> View:
        """``tilt`` in radians, about the horizontal axis."""
        ticks = ((np.arange(size) + 0.5) / size - 0.5) / magnification
        y, x = np.meshgrid(ticks / math.cos(tilt), ticks, indexing="ij")
        reach = math.hypot(0.5, 0.5 / math.cos(tilt)) / magnification
        return cls(size, magnification, x.astype(np.float32), y.astype(np.float32), reach)

    @property
    def pixel(self) -> float:
        """Side of a pixel in scene units."""
        return 1.0 / (self.size * self.magnification)


def noise(
    rng: np.random.Generator,
    view: View,
    low: float,
    high: float,
    slope: float,
) -> Field:
    """Normal random field of mean 0 and standard deviation 1 (over all realisations).

    Args:
        rng: generator of the scene.
        view: pixels to fill.
        low, high: band of frequencies, waves per scene unit.
        slope: amplitude falls as frequency ** -slope within the band; 1 is cloud-like, 2 smooth.
    """
    count = min(HARMONICS, int(high * MARGIN / view.magnification) + 1)
    # Uniform numbers are faster to draw; the sum of many waves is normal anyway.
    drawn = rng.random((2 * count + 1, count + 1, 2), dtype=np.float32) - np.float32(0.5)
    period = round(MARGIN * view.size)
    scale = view.magnification * view.size / period  # harmonic number -> waves per scene unit
    k = scale * np.arange(count + 1, dtype=np.float32)
    square = k * k + (k * k)[:, None]
    gain = np.maximum(square, 1e-6) ** (-slope / 2) * ((square >= low**2) & (square <= high**2))
    gain = np.concatenate([gain[:0:-1], gain])  # the same for negative frequencies down the picture
    gain[:count, 0] = 0  # mirror images of the other half of the column
    power = float(np.sum(gain * gain)) or 1.0
    gain[:, 0] *= 2
    waves = gain * drawn.view(np.complex64)[..., 0]

    keep = min(count, (period - 1) // 2)
    spectrum = np.zeros((period, keep + 1), dtype=np.complex64)
    spectrum[: keep + 1] = waves[count : count + keep + 1, : keep + 1]
    spectrum[period - keep :] = waves[count - keep : count, : keep + 1]
    rows = fft.ifft(spectrum, axis=0, norm="forward", workers=1)[: view.size]
    field = fft.irfft(rows, n=period, axis=1, norm="forward", workers=1)[:, : view.size]
    scaled: Field = field * math.sqrt(3 / power)
    return scaled


def step(values: Field, start: float, end: float) -> Field:
    """0 below ``start``, 1 above ``end``, smooth between (either may be the larger)."""
    t: Field = np.clip((values - start) * (1 / (end - start)), 0, 1)
    eased: Field = t * t * (3 - 2 * t)
    return eased


def bump(values: Field, width: float | Field) -> Field:
    """exp(-(values / width)²): a ridge, groove or dot where ``values`` is 0."""
    ridge: Field = np.exp(-np.square(values / width))
    return ridge


def area_step(rng: np.random.Generator, low: float, high: float) -> tuple[float, float]:
    """Start and end of a :func:`step` that is 1 on ``low`` to ``high`` of the area of a :func:`noise`."""
    middle = -float(special.ndtri(max(rng.uniform(low, high), 1e-3)))
    return middle - 0.2, middle + 0.2


def rotated(view: View, angle: float) -> tuple[Field, Field]:
    """Coordinates along and across a direction (radians)."""
    c, s = math.cos(angle), math.sin(angle)
    return view.x * c + view.y * s, view.y * c - view.x * s


def roughness(rng: np.random.Generator, view: View, low: float, high: float) -> Field:
    """Fine relief, standard deviation between ``low`` and ``high``."""
    return noise(rng, view, 3, 36, rng.uniform(0.5, 1.5)) * rng.uniform(low, high)
