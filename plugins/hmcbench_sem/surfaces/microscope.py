"""One scanning electron microscope for all specimens: from a surface to the grey levels of a micrograph.

Secondary electrons: more from slopes (yield by the angle to the beam, Goldstein et al., Scanning Electron
Microscopy and X-ray Microanalysis, chapter 5), more from sharp edges, fewer out of pits, more from what
faces the detector. Backscattered electrons: more from heavy materials, fewer from oxides. A tilted specimen
hides what lies behind its ridges. Then beam width, defocus by height, charging, the operator's brightness
and contrast, and shot noise by dwell time. Nothing here depends on the class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from hmcbench_sem.fractographs.detector import Range
from hmcbench_sem.fractographs.fields import Field
from hmcbench_sem.surfaces.frame import Frame, log_uniform

LINES = 128  # scan lines whose brightness flickers alike at every size


@dataclass(frozen=True)
class Specimen:
    """Relief and material of a specimen; all fields (rows, size) of a frame.

    Attributes:
        height: micrometres.
        tone: secondary electrons that the material emits, about 1; open cracks go to 0.
        heavy: backscattered electrons, about 1 for the alloy, less for oxides and resin.
        shown: where the mechanism shows, 0 to 1; elsewhere the surface carries no sign of it.
    """

    height: Field
    tone: Field
    heavy: Field
    shown: Field


@dataclass(frozen=True)
class Lab:
    """The range that each setting of an instrument is drawn from, uniformly.

    Attributes:
        tilt: of the specimen, radians.
        lean: slope of the whole face against the stage, in any direction.
        azimuth: direction of the detector, radians; -pi / 2 is the top of the picture.
        facing: how much brighter slopes towards the detector are.
        angle: power of the yield's rise with the angle to the beam, 1 / cos ** angle.
        edge: how bright sharp edges are.
        pit: how dark pits are.
        backscatter: share of pictures whose signal is mostly backscattered electrons.
        ramp: uneven collection: change of brightness over the picture, as a share.
        gamma: tone curve.
        brightness, contrast: mean and standard deviation of the grey levels (1 = white).
        beam: standard deviation of the blur in focus, pixels of a picture of 128.
        defocus: further blur at one relief's height out of focus, same unit.
        noise: standard deviation of the shot noise, in units of the contrast (its logarithm is uniform).
        charging: share of pictures of poorly conducting surfaces with charging.
    """

    tilt: Range = (0.0, 0.65)
    lean: Range = (0.0, 0.9)
    azimuth: Range = (-2.6, -0.5)
    facing: Range = (0.1, 0.7)
    angle: Range = (0.6, 1.2)
    edge: Range = (0.2, 1.2)
    pit: Range = (0.2, 1.0)
    backscatter: float = 0.08
    ramp: Range = (0.0, 0.35)
    gamma: Range = (0.7, 1.25)
    brightness: Range = (0.32, 0.6)
    contrast: Range = (0.07, 0.22)
    beam: Range = (0.35, 0.9)
    defocus: Range = (0.0, 1.2)
    noise: Range = (0.03, 0.3)
    charging: float = 0.2


MAIN_LAB = Lab()
OTHER_LAB = Lab(
    tilt=(0.25, 0.8),
    lean=(0.2, 1.2),
    azimuth=(0.0, 2 * np.pi),
    facing=(0.3, 1.0),
    angle=(0.4, 0.8),
    edge=(0.0, 0.8),
    pit=(0.0, 0.6),
    backscatter=0.3,
    ramp=(0.2, 0.6),
    gamma=(0.6, 1.5),
    brightness=(0.25, 0.66),
    contrast=(0.06, 0.18),
    beam=(0.5, 1.5),
    defocus=(0.3, 2.0),
    noise=(0.08, 0.4),
    charging=0.4,
)


@dataclass(frozen=True)
class Micrograph:
    """A picture and where its pixels lie on the specimen.

    Attributes:
        grey: (size, size) uint8.
        row: row of the frame's fields that each pixel shows, (size, size).
    """

    grey: np.ndarray
    row: np.ndarray


def micrograph(rng: np.random.Generator, surface: Specimen, frame: Frame, instrument: Lab) -> Micrograph:
    """The picture that ``instrument`` takes of ``surface``."""
    signal = emission(rng, surface, frame, instrument)
    row = visible(ndimage.gaussian_filter(surface.height, 0.012 * frame.size, truncate=2.5), frame)
    column = np.arange(frame.size)
    near = row.astype(np.intp)
    past = np.float32(row - near)
    below = np.minimum(near + 1, frame.rows - 1)
    image = signal[near, column] * (1 - past) + signal[below, column] * past
    unit = frame.size / 128
    image = ndimage.gaussian_filter(image, rng.uniform(*instrument.beam) * unit, truncate=2.5)
    blur = rng.uniform(*instrument.defocus) * unit
    if blur > 0.3:
        height = surface.height[near, column]
        image = image + off_focus(rng, height) * (ndimage.gaussian_filter(image, blur, truncate=2.5) - image)
    if rng.random() < instrument.charging:
        image = charge(rng, image, surface.heavy[near, column])
    return Micrograph(expose(rng, image, frame, instrument), near)


def emission(rng: np.random.Generator, surface: Specimen, frame: Frame, instrument: Lab) -> Field:
    """Electrons that reach the detector from every place of the specimen, arbitrary units."""
    azimuth, facing = rng.uniform(*instrument.azimuth), rng.uniform(*instrument.facing)
    angle, edge, pit = (rng.uniform(*r) for r in (instrument.angle, instrument.edge, instrument.pit))
    height, tilt = surface.height, frame.tilt
    rise_x, rise_y = gradient(height, frame)
    uphill, lean = rng.uniform(0, 2 * np.pi), rng.uniform(*instrument.lean)
    rise_x, rise_y = rise_x + lean * math.cos(uphill), rise_y + lean * math.sin(uphill)
    length = np.sqrt(1 + rise_x * rise_x + rise_y * rise_y)
    to_beam = np.maximum(math.cos(tilt) + rise_y * math.sin(tilt), 0.3 * length) / length
    to_detector = -(rise_x * math.cos(azimuth) + rise_y * math.sin(azimuth)) / length
    lit = 1 + facing * to_detector
    if rng.random() < instrument.backscatter:
        share = rng.uniform(0.6, 1.0)
        heavy = surface.heavy * (0.6 + 0.4 * to_beam) * (1 + 0.5 * facing * to_detector)
        return heavy * share + surface.tone * lit * (1 - share)
    relief = max(float(height.std()), 1e-6 * frame.width)
    fine, wide = (rng.uniform(*r) * frame.size for r in ((0.006, 0.025), (0.03, 0.08)))
    sharp = (height - ndimage.gaussian_filter(height, fine, truncate=2.0)) * (1 / (fine * frame.pixel))
    deep = (ndimage.gaussian_filter(height, wide, truncate=2.0) - height) * (
        1 / (wide * frame.pixel + 0.3 * relief)
    )
    yielded = to_beam ** np.float32(-angle) + edge * np.clip(sharp * 2.5, -0.3, 1.0)
    signal: Field = surface.tone * yielded * lit * np.exp(-pit * np.clip(deep, -0.5, 2.5))
    return signal * (0.75 + 0.25 * surface.heavy)


def gradient(height: Field, frame: Frame) -> tuple[Field, Field]:
    """Slope along x and y, central differences."""
    rise_x, rise_y = np.empty_like(height), np.empty_like(height)
    np.subtract(height[:, 2:], height[:, :-2], out=rise_x[:, 1:-1])
    np.subtract(height[2:], height[:-2], out=rise_y[1:-1])
    rise_x[:, 0], rise_x[:, -1] = rise_x[:, 1], rise_x[:, -2]
    rise_y[0], rise_y[-1] = rise_y[1], rise_y[-2]
    rise_x *= np.float32(0.5 / frame.pixel)
    rise_y *= np.float32(0.5 / frame.pitch)
    return rise_x, rise_y


def visible(height: Field, frame: Frame) -> np.ndarray:
    """The row of the specimen that each pixel shows, (size, size) float.

    What is high moves up in a tilted picture, and hides what lies behind it.
    """
    lift = math.sin(frame.tilt) / frame.pixel
    start = np.arange(frame.rows, dtype=np.float64)[:, None]
    if lift == 0:
        shown = start[frame.margin : frame.margin + frame.size]
        return np.broadcast_to(shown, (frame.size, frame.size))
    seen_at = start - (height - np.median(height)) * lift
    horizon = np.minimum.accumulate(seen_at[::-1], axis=0)[::-1]  # highest point so far, from the near side
    far = 4.0 * frame.rows
    columns = np.arange(frame.size) * far
    path = (np.clip(horizon, -frame.rows, 2 * frame.rows) + columns).T.ravel()
    wanted = (np.arange(frame.size)[:, None] + frame.margin + columns).T.ravel()
    rows = np.tile(start[:, 0], frame.size)
    row = np.interp(wanted, path, rows).reshape(frame.size, frame.size).T
    return np.clip(row, 0, frame.rows - 1)


def off_focus(rng: np.random.Generator, height: Field) -> Field:
    """How far each pixel is from the plane of focus: 0 in focus, 1 at the end of the relief."""
    low, high = float(height.min()), float(height.max())
    focus = rng.uniform(low, high)
    away: Field = np.clip(np.abs(height - focus) / max(high - low, 1e-6), 0, 1)
    return away


def charge(rng: np.random.Generator, image: Field, heavy: Field) -> Field:
    """Poor conductors glow, and a glow drags along the scan line."""
    rows, size = image.shape
    glow = np.clip((0.97 - heavy) * 2, 0, 1) * rng.uniform(0.0, 0.5)
    bright = np.clip(image / max(float(np.mean(image)), 1e-6) - 1.5, 0, 2) * rng.uniform(0.1, 0.5)
    source = ndimage.uniform_filter1d(glow + bright, max(3, size // 5), axis=1, origin=0)
    lines = rng.standard_normal(LINES, dtype=np.float32).take(np.arange(rows) * LINES // rows)
    flicker = rng.uniform(0, 0.04) * lines[:, None]
    charged: Field = image + ((source + flicker) * np.mean(image)).astype(np.float32)
    return charged


def expose(rng: np.random.Generator, image: Field, frame: Frame, instrument: Lab) -> np.ndarray:
    """Brightness, contrast, tone curve and noise: uint8."""
    size = image.shape[0]
    turn = rng.uniform(0, 2 * np.pi)
    across = (frame.x[:size] * math.cos(turn) + frame.x[:size].T * math.sin(turn)) / frame.width
    image = image * (1 + rng.uniform(*instrument.ramp) * across)
    low, high = np.quantile(image[:: max(1, size // 64), :: max(1, size // 64)], (0.01, 0.99))
    stretched = np.clip((image - low) / max(high - low, 1e-6), 0, 1.6) ** np.float32(
        rng.uniform(*instrument.gamma)
    )
    mean, contrast = rng.uniform(*instrument.brightness), rng.uniform(*instrument.contrast)
    noise = log_uniform(rng, *instrument.noise) * contrast
    grey = (stretched - stretched.mean()) * (contrast / max(float(stretched.std()), 1e-3)) + mean
    lag_x, lag_y = rng.uniform(0.2, 0.6), rng.uniform(0, 0.3)  # the amplifier's delay, resampled lines
    shot: Field = rng.standard_normal(
        (size + 1, size + 1), dtype=np.float32
    )  # last: as many numbers as pixels
    shot = shot[:, 1:] + lag_x * shot[:, :-1]
    shot = (shot[1:] + lag_y * shot[:-1]) * (1 / math.hypot(1, lag_x) / math.hypot(1, lag_y))
    grey += shot * np.sqrt(np.maximum(grey, 0.03) / mean) * noise
    levels: np.ndarray = np.clip(grey * 255 + 0.5, 0, 255).astype(np.uint8)
    return levels
