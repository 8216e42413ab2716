"""One picture from one seed: the frame, the surface, what lies on it, and the micrograph; with its masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hmcbench_sem.fractographs.fields import Field
from hmcbench_sem.surfaces.cells import Cells, grains
from hmcbench_sem.surfaces.frame import Frame, bump, log_uniform, noise, patches, step
from hmcbench_sem.surfaces.looks import BY_NAME, Look
from hmcbench_sem.surfaces.microscope import Lab, Specimen, micrograph


@dataclass(frozen=True)
class Rendered:
    """A micrograph with its truth.

    Attributes:
        grey: (size, size) uint8.
        masks: look -> (size, size) bool, where it shows; other places carry no mechanism.
        pixel: side of a pixel, micrometres.
    """

    grey: np.ndarray
    masks: dict[str, np.ndarray]
    pixel: float


def render(entropy: Sequence[int], looks: Sequence[str], size: int, instrument: Lab) -> Rendered:
    """A micrograph of a specimen with one or more mechanisms.

    Args:
        entropy: numbers that seed all random draws.
        looks: one to three names of looks (:data:`hmcbench_sem.surfaces.looks.LOOKS`) whose widths overlap.
        size: pixels along a side.
        instrument: ranges of its settings.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
    drawn = [BY_NAME[name] for name in looks]
    frame = _frame(rng, drawn, size, instrument)
    surfaces = [look.draw(rng, frame) for look in drawn]
    surface, shares = (surfaces[0], [surfaces[0].shown]) if len(surfaces) == 1 else join(rng, frame, surfaces)
    picture = micrograph(rng, clutter(rng, frame, surface), frame, instrument)
    columns = np.arange(size)
    masks = {look.name: share[picture.row, columns] > 0.5 for look, share in zip(drawn, shares, strict=True)}
    return Rendered(picture.grey, masks, frame.pixel)


def _frame(rng: np.random.Generator, looks: Sequence[Look], size: int, instrument: Lab) -> Frame:
    narrow, wide = max(look.width[0] for look in looks), min(look.width[1] for look in looks)
    tilt = rng.uniform(*instrument.tilt)
    return Frame(
        size, log_uniform(rng, narrow, wide), 0.15 * tilt if all(look.flat for look in looks) else tilt
    )


def join(
    rng: np.random.Generator, frame: Frame, surfaces: Sequence[Specimen]
) -> tuple[Specimen, list[Field]]:
    """Surfaces on either side of irregular borders, and where each one's mechanism shows."""
    joined, shares = surfaces[0], [surfaces[0].shown]
    for surface in surfaces[1:]:
        across = frame.rotated(rng.uniform(0, 2 * np.pi))[0] / frame.width
        ragged = noise(rng, frame, 0.7, 14, 1.2)[0]
        part = step(across + 0.14 * ragged - rng.uniform(-0.12, 0.12), -0.02, 0.02)
        first, second = (s.height - np.mean(s.height) for s in (joined, surface))
        shares = [share * (1 - part) for share in shares] + [surface.shown * part]
        joined = Specimen(
            first * (1 - part) + second * part,
            joined.tone * (1 - part) + surface.tone * part,
            joined.heavy * (1 - part) + surface.heavy * part,
            joined.shown,
        )
    return joined, shares


def clutter(rng: np.random.Generator, frame: Frame, surface: Specimen) -> Specimen:
    """What lies on any specimen: debris, stains, scratches or stray cracks."""
    height, tone, heavy = surface.height, surface.tone, surface.heavy
    if rng.random() < 0.25:
        dust = Cells(rng, frame, frame.x, frame.y, frame.width / rng.uniform(5, 14))
        body = grains(rng, dust, (0.08, 0.35), rng.uniform(0.01, 0.1), crystals=rng.random() < 0.4)
        height, heavy = height + body, heavy - 0.2 * step(body, 0, 0.1 * dust.side)
    if rng.random() < 0.25:
        stain = patches(noise(rng, frame, 0.6, 8, 1.0)[0], rng.uniform(0.1, 0.6), 0.3)
        change = rng.uniform(-0.25, 0.2) * stain
        tone, heavy = tone * (1 + change), heavy * (1 + 0.5 * change)
    if rng.random() < 0.25:
        along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
        line = (
            across
            + rng.uniform(-0.5, 0.5) * along * along / frame.width
            + rng.uniform(-0.3, 0.3) * frame.width
        )
        mark = bump(
            line + 0.01 * frame.width * noise(rng, frame, 1, 12, 1)[0], rng.uniform(0.004, 0.01) * frame.width
        )
        start = rng.uniform(-0.5, 0.3) * frame.width
        mark = mark * step(along, start, start + 0.1 * frame.width)
        height = height - 0.02 * frame.width * mark
        tone = tone * (1 - rng.uniform(-0.1, 0.8) * mark)
    return replace(surface, height=height, tone=tone, heavy=heavy)
