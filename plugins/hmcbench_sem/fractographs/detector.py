"""From a surface to the grey levels of a micrograph.

Topographic contrast of secondary electrons: slopes are bright (yield 1 / cos), facets that face
the detector brighter than others, hollows dark. Then brightness and contrast, defocus, shot noise,
and charging along the scan lines. Nothing here depends on the class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special

from hmcbench_sem.fractographs.fields import Field, View

Range = tuple[float, float]
KNOTS, TONES = 65, 1024  # points of the tone curve, and of the table made of it
EQUALISED = 0.6  # share of a picture's own distribution of grey levels that the tone curve replaces


@dataclass(frozen=True)
class Surface:
    """Relief and emission of a specimen.

    Attributes:
        height: (size, size), scene units (see :mod:`hmcbench_sem.fractographs.fields`).
        tone: emission of the material, (size, size), about 1; cracks and holes go to 0.
    """

    height: Field
    tone: Field


@dataclass(frozen=True)
class Instrument:
    """The range that each setting of an instrument is drawn from, uniformly.

    Attributes:
        magnification: see :class:`hmcbench_sem.fractographs.fields.View`.
        tilt: of the specimen, radians.
        azimuth: direction of the detector, radians; -pi / 2 is the top of the picture.
        facing: how much brighter slopes towards the detector are.
        edge: how bright slopes are.
        hollow: how dark hollows are.
        ramp: uneven collection: change of brightness over the picture.
        skew: the tone curve's tail, to the dark (< 0) or to the bright side.
        brightness, contrast: mean and standard deviation of the grey levels (1 = white).
        defocus: standard deviation of the blur, in picture widths.
        noise: standard deviation of the shot noise at mid grey, per pixel.
        streaks: expected number of charging streaks.
    """

    magnification: Range = (0.8, 1.35)
    tilt: Range = (0.0, 0.6)
    azimuth: Range = (-2.4, -0.7)
    facing: Range = (0.15, 0.6)
    edge: Range = (0.3, 1.0)
    hollow: Range = (0.2, 0.8)
    ramp: Range = (0.0, 0.35)
    skew: Range = (-0.35, 0.45)
    brightness: Range = (0.32, 0.58)
    contrast: Range = (0.08, 0.21)
    defocus: Range = (0.0, 0.009)
    noise: Range = (0.03, 0.12)
    streaks: Range = (0.0, 2.5)


MAIN_LAB = Instrument()
OTHER_LAB = Instrument(
    magnification=(0.55, 0.8),
    tilt=(0.3, 0.9),
    azimuth=(0.0, 2 * np.pi),
    facing=(0.3, 0.9),
    edge=(0.1, 0.6),
    hollow=(0.0, 0.5),
    ramp=(0.2, 0.6),
    skew=(-0.6, 0.2),
    brightness=(0.25, 0.65),
    contrast=(0.09, 0.2),
    defocus=(0.002, 0.01),
    noise=(0.06, 0.12),
    streaks=(1.0, 5.0),
)


def micrograph(rng: np.random.Generator, surface: Surface, view: View, instrument: Instrument) -> np.ndarray:
    """Grey levels, (size, size) uint8."""
    defocus, noise = rng.uniform(*instrument.defocus), rng.uniform(*instrument.noise)
    grey = expose(rng, emission(rng, surface, view, instrument), instrument)
    grey = charge(rng, grey, instrument)
    grey = ndimage.gaussian_filter(grey, defocus * view.size, truncate=3.0)
    shot = rng.standard_normal(grey.shape, dtype=np.float32)  # last: as many numbers as pixels
    grey += shot * np.sqrt(np.maximum(grey, 0.02) * 2) * noise
    levels: np.ndarray = np.clip(grey * 255 + 0.5, 0, 255).astype(np.uint8)
    return levels


def emission(rng: np.random.Generator, surface: Surface, view: View, instrument: Instrument) -> Field:
    """Secondary electrons that reach the detector, arbitrary units."""
    azimuth = rng.uniform(*instrument.azimuth)
    facing, edge, hollow, ramp = (
        rng.uniform(*r) for r in (instrument.facing, instrument.edge, instrument.hollow, instrument.ramp)
    )
    reach = rng.uniform(0.015, 0.05)
    height = surface.height
    rise_y, rise_x = np.gradient(height, view.pixel)
    secant = np.sqrt(1 + rise_x**2 + rise_y**2)
    towards = -(rise_x * math.cos(azimuth) + rise_y * math.sin(azimuth)) / secant
    surround = ndimage.gaussian_filter(height, reach / view.pixel, truncate=2.5)
    depth = np.clip((surround - height) / reach, -0.6, 2)
    ramp_angle = rng.uniform(0, 2 * np.pi)
    across = (view.x * math.cos(ramp_angle) + view.y * math.sin(ramp_angle)) * view.magnification
    lit = 1 + facing * towards + edge * (1 - 1 / secant)
    collected: Field = surface.tone * lit * np.exp(-hollow * depth) * (1 + ramp * across)
    return collected


def expose(rng: np.random.Generator, signal: Field, instrument: Instrument) -> Field:
    """Tone curve: grey levels of a random distribution, whatever the signal was, or nearly so.

    Ranks of ``signal`` take the quantiles of a sinh-arcsinh normal, drawn alike for all classes.
    A remainder of the signal's own distribution stays, as in real images: grey levels alone carry
    a little information on the class.
    """
    skew, tail = rng.uniform(*instrument.skew), rng.uniform(0.8, 1.3)
    ranks = (np.arange(KNOTS) + 0.5) / KNOTS
    target = np.sinh((np.arcsinh(special.ndtri(ranks)) + skew) / tail)
    target = (target - target.mean()) / target.std()
    stride = max(1, signal.shape[0] // 64)
    sample = np.sort(signal[::stride, ::stride], axis=None)
    knots = sample[(ranks * sample.size).astype(np.intp)]
    tones = np.linspace(knots[0], knots[-1], TONES)
    own = (tones - knots.mean()) / max(float(knots.std()), 1e-6)
    table = own + EQUALISED * (np.interp(tones, knots, target) - own)
    place = (signal - knots[0]) * ((TONES - 1) / max(float(knots[-1] - knots[0]), 1e-6))
    curve: Field = table.astype(np.float32).take(np.clip(place, 0, TONES - 1).astype(np.intp))
    mean, contrast = rng.uniform(*instrument.brightness), rng.uniform(*instrument.contrast)
    return curve * contrast + mean


def charge(rng: np.random.Generator, grey: Field, instrument: Instrument) -> Field:
    """Streaks along scan lines that start at random and fade, and a flicker of every line."""
    size = grey.shape[0]
    count = rng.poisson(rng.uniform(*instrument.streaks))
    row, column = rng.uniform(0, size, count), rng.uniform(-0.2 * size, size, count)
    strength, length = rng.normal(0, 0.14, count), rng.uniform(0.1, 0.6, count) * size
    thick = rng.uniform(0.004, 0.012, count) * size
    ticks = np.arange(size) + 0.5
    past = (ticks - column[:, None]) / length[:, None]
    trail = np.exp(-np.abs(past)) * (past > 0) * strength[:, None]  # (count, columns)
    lines = np.exp(-np.square((ticks - row[:, None]) / thick[:, None]))  # (count, rows)
    for line, tail in zip(lines, trail, strict=True):
        grey = grey + np.outer(line, tail).astype(np.float32)
    flicker = rng.uniform(0, 0.015) * rng.standard_normal((size, 1), dtype=np.float32)
    charged: Field = grey + flicker
    return charged
