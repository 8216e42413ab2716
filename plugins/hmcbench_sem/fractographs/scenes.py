"""One picture from one seed: draw the conditions, the surface and the exposure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hmcbench_sem.fractographs.detector import Instrument, Surface, micrograph
from hmcbench_sem.fractographs.fields import Field, View, bump, noise, rotated, step
from hmcbench_sem.fractographs.mechanical import fatigue, plastic_deformation, stress_corrosion
from hmcbench_sem.fractographs.thermal import deposit_corrosion, nodules, oxide_spalling, thermal_cycling

SCENES: dict[str, Callable[[np.random.Generator, View], Surface]] = {
    "mechanical/fatigue": fatigue,
    "mechanical/plastic-deformation": plastic_deformation,
    "mechanical/stress-corrosion-cracking": stress_corrosion,
    "thermal/thermal-cycling": thermal_cycling,
    "thermal/oxide-spalling": oxide_spalling,
    "thermal/deposit-corrosion": deposit_corrosion,
}


@dataclass(frozen=True)
class Drawn:
    """A micrograph with its truth.

    Attributes:
        grey: (size, size) uint8.
        second: (size, size) bool, where the second failure shows; elsewhere it is the first.
    """

    grey: np.ndarray
    second: np.ndarray


def render(entropy: Sequence[int], classes: Sequence[str], size: int, instrument: Instrument) -> Drawn:
    """A micrograph of a surface with one failure, or of two that meet.

    Args:
        entropy: numbers that seed all random draws.
        classes: one or two ids of leaves.
        size: pixels along a side.
        instrument: ranges of its settings.
    """
    streams = np.random.SeedSequence(entropy).spawn(3)
    rng, second, exposure = (np.random.Generator(np.random.PCG64(s)) for s in streams)
    low, high = np.log(instrument.magnification)
    view = View.of(size, float(np.exp(rng.uniform(low, high))), rng.uniform(*instrument.tilt))
    surface, share = SCENES[classes[0]](rng, view), np.zeros_like(view.x)
    if len(classes) > 1:
        other = SCENES[classes[1]](second, view)
        share = border(second, view)
        surface = join(surface, other, share)
    grey = micrograph(exposure, clutter(rng, view, surface), view, instrument)
    return Drawn(grey, share > 0.5)


def border(rng: np.random.Generator, view: View) -> Field:
    """0 on one side of an irregular border, 1 on the other; either has a quarter of the picture or more."""
    across = rotated(view, rng.uniform(0, 2 * np.pi))[0] * view.magnification
    return step(across + 0.12 * noise(rng, view, 0.5, 12, 1.2) - rng.uniform(-0.12, 0.12), -0.02, 0.02)


def join(first: Surface, second: Surface, share: Field) -> Surface:
    """Two surfaces on either side of a border."""
    return Surface(
        first.height * (1 - share) + second.height * share,
        first.tone * (1 - share) + second.tone * share,
    )


def clutter(rng: np.random.Generator, view: View, surface: Surface) -> Surface:
    """Disturbances found on any specimen: debris, a scratch or stray crack, stains, waviness."""
    height, tone = surface.height, surface.tone
    height = height + rng.uniform(0, 0.045) * noise(rng, view, 0.4, 3, 1)
    if rng.random() < 0.4:
        height, tone = nodules(rng, view, height, tone, rng.uniform(0.05, 0.12), rng.uniform(0.01, 0.06))
    if rng.random() < 0.3:
        stain = step(noise(rng, view, 0.6, 5, 1), 0.3, 0.8)
        tone = tone * (1 - rng.uniform(-0.25, 0.25) * stain)
    if rng.random() < 0.35:
        along, across = rotated(view, rng.uniform(0, 2 * np.pi))
        bend = rng.uniform(-0.6, 0.6) * along**2 + rng.uniform(0, 0.012) * noise(rng, view, 1, 15, 1)
        line = bump(across - rng.uniform(-0.35, 0.35) + bend, rng.uniform(0.003, 0.008))
        start = rng.uniform(-0.4, 0.2)
        line = line * step(along, start, start + 0.1)
        height, tone = height - 0.01 * line, tone * (1 - rng.uniform(-0.2, 0.7) * line)
    return Surface(height, tone)
