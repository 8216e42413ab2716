"""The part of a specimen that is seen, and random fields on it.

Lengths are micrometres. The random numbers that are drawn do not depend on the number of pixels, so one
seed shows the same specimen at every size. No matrix product is used, so no result depends on the threads
of a BLAS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import fft, special

from hmcbench_sem.fractographs.fields import Field

MARGIN = 0.1  # rows beyond either edge, as a share of the picture: height moves them into a tilted picture
PERIOD = 1.25  # noise has this period, in picture widths: opposite edges must not match
HARMONICS = 40  # finest drawn noise, waves per period
KNOTS = 512  # entries of a random profile


@dataclass(frozen=True)
class Frame:
    """A rectangle of a specimen, foreshortened along y by its tilt.

    Attributes:
        size: pixels along a side of the picture.
        width: of the picture, micrometres.
        tilt: of the specimen about the horizontal axis, radians; its far side is at the top.
    """

    size: int
    width: float
    tilt: float

    @property
    def pixel(self) -> float:
        """Side of a pixel, micrometres."""
        return self.width / self.size

    @property
    def pitch(self) -> float:
        """Distance of neighbouring rows on the specimen, micrometres."""
        return self.pixel / math.cos(self.tilt)

    @property
    def margin(self) -> int:
        """Rows beyond the upper and beyond the lower edge of the picture."""
        return max(2, round(MARGIN * self.size))

    @property
    def rows(self) -> int:
        """Rows of all fields of this frame."""
        return self.size + 2 * self.margin

    @property
    def reach(self) -> float:
        """No pixel is farther from the centre along x or y, micrometres."""
        return (0.5 + 2 * MARGIN) * self.width / math.cos(self.tilt)

    @cached_property
    def x(self) -> Field:
        """Micrometres from the centre, to the right, (rows, size)."""
        ticks = (np.arange(self.size) + 0.5) * self.pixel - self.width / 2
        return np.broadcast_to(ticks.astype(np.float32), (self.rows, self.size))

    @cached_property
    def y(self) -> Field:
        """Micrometres from the centre, downwards, (rows, size)."""
        ticks = (np.arange(self.rows) + 0.5 - self.rows / 2) * self.pitch
        return np.broadcast_to(ticks.astype(np.float32)[:, None], (self.rows, self.size))

    def rotated(self, angle: float) -> tuple[Field, Field]:
        """Coordinates along and across a direction (radians), micrometres."""
        c, s = math.cos(angle), math.sin(angle)
        return self.x * c + self.y * s, self.y * c - self.x * s


def noise(
    rng: np.random.Generator, frame: Frame, low: float, high: float, slope: float
) -> tuple[Field, Field]:
    """Two independent normal random fields of mean 0 and standard deviation 1 (over all realisations).

    Args:
        rng: generator of the scene.
        frame: pixels to fill.
        low, high: band of frequencies, waves per picture width.
        slope: amplitude falls as frequency ** -slope within the band; 1 is cloud-like, 2 smooth.
    """
    count = min(HARMONICS, math.ceil(high * PERIOD))
    drawn = rng.random((2 * count + 1, 2 * count + 1, 2), dtype=np.float32) - np.float32(0.5)
    waves = np.arange(count + 1, dtype=np.float32) / PERIOD
    square = waves * waves + np.square(waves * math.cos(frame.tilt))[:, None]
    inside = (square >= low * low) & (square <= high * high)
    gain = np.where(inside, np.maximum(square, 1e-3), np.inf) ** np.float32(-slope / 2)
    mirror = np.abs(np.arange(-count, count + 1))  # the same for negative frequencies
    gain = gain.take(mirror, axis=0).take(mirror, axis=1)
    power = float(np.sum(gain * gain, dtype=np.float64)) or 1.0
    drawn *= (gain * np.float32(math.sqrt(12 / power)))[..., None]

    # The real and the imaginary part of a sum of waves with independent coefficients are independent.
    period = round(PERIOD * frame.size)
    keep = min(count, (period - 1) // 2)
    kept = slice(count - keep, count + keep + 1)
    at = np.arange(-keep, keep + 1) % period
    columns = np.zeros((period, 2 * keep + 1), dtype=np.complex64)
    columns[at] = drawn.view(np.complex64)[kept, kept, 0]
    columns = fft.ifft(columns, axis=0, norm="forward", overwrite_x=True, workers=1)
    plane = np.zeros((frame.rows, period), dtype=np.complex64)
    plane[:, at] = columns[(np.arange(frame.rows) - frame.margin) % period]
    plane = fft.ifft(plane, axis=1, norm="forward", overwrite_x=True, workers=1)[:, : frame.size]
    return plane.real.copy(), plane.imag.copy()


def profile(rng: np.random.Generator, at: Field, slope: float = 1.0) -> Field:
    """A random function of one coordinate, of mean 0 and standard deviation 1, with period 1.

    Args:
        rng: generator of the scene.
        at: coordinate, (rows, size).
        slope: amplitude falls as frequency ** -slope: 0 rough, 1 like terrain.
    """
    waves = np.arange(1, KNOTS // 4 + 1)
    drawn = (rng.random((len(waves), 2)) - 0.5) * (waves**-slope)[:, None]
    table = fft.irfft(np.r_[0, drawn[:, 0] + 1j * drawn[:, 1], np.zeros(KNOTS // 4)], KNOTS)
    table = (table / table.std()).astype(np.float32)
    values: Field = table.take((at * KNOTS).astype(np.int32), mode="wrap")
    return values


def step(values: Field, start: float | Field, end: float | Field) -> Field:
    """0 below ``start``, 1 above ``end``, smooth between (either may be the larger)."""
    t: Field = np.clip((values - start) * (1 / (end - start)), 0, 1)
    eased: Field = t * t * (3 - 2 * t)
    return eased


def bump(values: Field, width: float | Field) -> Field:
    """exp(-(values / width)²): a ridge, groove or dot where ``values`` is 0."""
    ridge: Field = np.exp(-np.square(values / width))
    return ridge


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A positive number whose logarithm is uniform."""
    return float(low * (high / low) ** rng.random())


def patches(field: Field, share: float, soft: float = 0.15) -> Field:
    """1 on about ``share`` of the area of a :func:`noise`, else 0; borders are ``soft`` deviations wide."""
    if share <= 0:
        return np.zeros_like(field)
    level = -float(special.ndtri(min(share, 0.999)))
    return step(field, level - soft, level + soft)
