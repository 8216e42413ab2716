"""What the beam and the detector do: shot noise, defocus, astigmatism, charging, contrast and brightness."""

from __future__ import annotations

import math

import numpy as np

from hmcbench import ShiftInputs
from hmcbench_sem.shifts.base import Grey, ShiftedImage, per_channel, pixels_of, shifted_images

STREAKS = 8  # of a picture that charges


def shot_noise(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """Noise of a short dwell time; ``severity``: its deviation at mid grey, % of white."""

    def change(grey: Grey, severity: float, rng: np.random.Generator) -> Grey:
        drawn = per_channel(grey, rng.standard_normal(grey.shape[:2]).astype(np.float32))
        deviation = severity / 100 * 255 * np.sqrt(np.maximum(grey, 0) / 127.5)
        noisy: np.ndarray = grey + deviation * drawn
        return noisy

    return shifted_images(inputs, severity, change)


def defocus(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """Out of focus: a blur in all directions; ``severity``: its deviation in pixels of 128."""

    def change(grey: Grey, severity: float, _rng: np.random.Generator) -> Grey:
        return _blurred(grey, pixels_of(severity, grey))

    return shifted_images(inputs, severity, change)


def astigmatism(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """A blur in one direction, drawn for every picture; ``severity``: its deviation in pixels of 128."""

    def change(grey: Grey, severity: float, rng: np.random.Generator) -> Grey:
        return _blurred(grey, pixels_of(severity, grey), rng.uniform(0, math.pi))

    return shifted_images(inputs, severity, change)


def charging(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """Bright and dark streaks along scan lines that fade to the right; ``severity``: % of white."""

    def change(grey: Grey, severity: float, rng: np.random.Generator) -> Grey:
        height, width = grey.shape[:2]
        y, x = np.arange(height)[:, None], np.arange(width)[None, :] / width
        field = np.zeros((height, width), dtype=np.float32)
        for row, start, length, sign, size in rng.random((STREAKS, 5)):
            thick = pixels_of(0.5 + 1.5 * size, grey)
            band = np.exp(-0.5 * ((y - row * height) / max(thick, 0.5)) ** 2)
            tail = np.where(x >= 0.6 * start, np.exp((0.6 * start - x) / (0.2 + 0.8 * length)), 0.0)
            field += (1 if sign > 0.3 else -1) * (0.5 + 0.5 * size) * band * tail
        streaked: np.ndarray = grey + per_channel(grey, severity / 100 * 255 * field)
        return streaked

    return shifted_images(inputs, severity, change)


def contrast(inputs: ShiftInputs, severity: float) -> list[ShiftedImage]:
    """Less contrast, and brighter or darker; ``severity``: % of the contrast that is lost.

    Brightness changes by half as many per cent of white, up or down as is drawn for the picture.
    """

    def change(grey: Grey, severity: float, rng: np.random.Generator) -> Grey:
        mean, lost = float(grey.mean()), severity / 100
        sign = 1.0 if rng.random() < 0.5 else -1.0
        changed: np.ndarray = mean + (1 - lost) * (grey - mean) + sign * lost / 2 * 255
        return changed

    return shifted_images(inputs, severity, change)


def _blurred(grey: Grey, deviation: float, angle: float | None = None) -> Grey:
    """A Gaussian blur by Fourier transform, in all directions or along one; borders are mirrored."""
    height, width = grey.shape[:2]
    margin = min(math.ceil(3 * deviation), height - 1, width - 1)
    wide = ((margin, margin), (margin, margin), (0, 0))[: grey.ndim]
    padded = np.pad(grey, wide, mode="reflect")
    y, x = np.fft.fftfreq(padded.shape[0])[:, None], np.fft.rfftfreq(padded.shape[1])[None, :]
    squares = x**2 + y**2 if angle is None else (x * math.cos(angle) + y * math.sin(angle)) ** 2
    kept = per_channel(grey, np.exp(-2 * (math.pi * deviation) ** 2 * squares))
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * kept
    blurred = np.fft.irfft2(spectrum, s=padded.shape[:2], axes=(0, 1))
    inside: np.ndarray = blurred[margin : margin + height, margin : margin + width].astype(np.float32)
    return inside
