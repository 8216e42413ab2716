"""Image faults of a scanning electron microscope as augmentation, on the device, per sample.

Images are normalised (deviation 1), so amplitudes are in deviations of the grey values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

STREAKS = 3
"""Most charging streaks of an image."""


@dataclass(frozen=True, kw_only=True)
class Microscope:
    """Largest strengths; every sample's are drawn uniformly from 0 up. 0 switches a fault off.

    Attributes:
        drift: brightness that varies along the slow axis of the scan (down the image).
        streak: brightness of charging streaks: thin horizontal bands, bright or dark, that fade along
            the fast axis.
        blur: 0..1, weight of a 3 x 3 binomial filter (1: deviation of 0.7 pixels).
        noise: deviation of independent Gaussian noise, as of fast scans.
    """

    drift: float = 0.0
    streak: float = 0.0
    blur: float = 0.0
    noise: float = 0.0

    def __call__(self, x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Normalised float (B, C, H, W) -> same shape. Blur (optics) first, noise (detector) last."""
        draw = _Draw(x, generator)
        if self.blur:
            x = _blur(x, draw.uniform(1, 1, 1) * (self.blur / 2))
        if self.drift:
            x = x + self.drift * _drift(draw, x.shape[2])
        if self.streak:
            x = x + self.streak * _streaks(draw, x.shape[2], x.shape[3])
        if self.noise:
            x = x + self.noise * draw.uniform(1, 1, 1) * draw.normal(x.shape)
        return x


SEM = Microscope(drift=0.4, streak=1.0, blur=0.6, noise=0.2)
"""Moderate: strong noise and blur hide fine texture, which separates fracture surfaces."""


class _Draw:
    """Random numbers for every sample of a batch, on its device."""

    def __init__(self, x: torch.Tensor, generator: torch.Generator) -> None:
        self.n, self.device, self.generator = len(x), x.device, generator

    def uniform(self, *shape: int) -> torch.Tensor:
        """0..1, (B, *shape)."""
        return torch.rand((self.n, *shape), generator=self.generator, device=self.device)

    def normal(self, shape: torch.Size) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)


def _blur(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """[w/2, 1 - w, w/2] along both axes, w (B, 1, 1, 1); the border repeats."""
    for axis in (2, 3):
        side = x.shape[axis]
        pixel = torch.arange(side, device=x.device)
        before = x.index_select(axis, (pixel - 1).clamp_min(0))
        after = x.index_select(axis, (pixel + 1).clamp_max(side - 1))
        x = torch.lerp(x, (before + after) / 2, weight)
    return x


def _drift(draw: _Draw, height: int) -> torch.Tensor:
    """(B, 1, H, 1), within -1..1: a ramp and a slow wave."""
    y = torch.linspace(-1, 1, height, device=draw.device)[None, None, :, None]
    slope, depth, periods, phase = draw.uniform(4, 1, 1, 1).unbind(1)
    wave = torch.sin(math.pi * (0.5 + 1.5 * periods) * y + 2 * math.pi * phase)
    return (slope - 0.5) * y + (depth - 0.5) * wave


def _streaks(draw: _Draw, height: int, width: int) -> torch.Tensor:
    """(B, 1, H, W): up to :data:`STREAKS` bands of one to three rows that fade to the right."""
    row, start, length, sign, size, present = draw.uniform(6, STREAKS, 1).unbind(1)  # (B, STREAKS, 1) each
    strength = torch.where(present < 0.5, (2 * sign - 1) * size, 0.0)
    y = torch.arange(height, device=draw.device)
    x = torch.arange(width, device=draw.device) / width
    band = torch.exp(-0.5 * ((y - row * height) / 0.8) ** 2)  # (B, STREAKS, H)
    tail = torch.where(x >= start, torch.exp((start - x) / (0.05 + 0.5 * length)), 0.0)  # (B, STREAKS, W)
    return (strength * band).transpose(1, 2).bmm(tail)[:, None]
