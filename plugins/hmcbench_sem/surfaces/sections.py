"""Polished cross-sections: the failure from the side, in a flat plane with scratches and etched grains."""

from __future__ import annotations

import numpy as np

from hmcbench_sem.fractographs.fields import Field
from hmcbench_sem.surfaces.cells import Cells, cups, grains
from hmcbench_sem.surfaces.frame import Frame, bump, log_uniform, noise, patches, profile, step
from hmcbench_sem.surfaces.microscope import Specimen

RESIN = 0.25  # backscatter of the mount


def polished(rng: np.random.Generator, frame: Frame, rough: Field) -> tuple[Field, Field]:
    """Height and tone of a polished, sometimes etched plane."""
    height = frame.width * 0.0004 * rough
    for _ in range(int(rng.integers(0, 3))):
        across = frame.rotated(rng.uniform(0, 2 * np.pi))[1]
        scratch = np.minimum(profile(rng, across / frame.width, 0.1) + 1.5, 0)
        height = height + frame.width * rng.uniform(0.001, 0.004) * scratch
    tone = 1 + rng.uniform(0, 0.03) * rough
    if rng.random() < 0.5:
        grain = Cells(rng, frame, frame.x, frame.y, frame.width / log_uniform(rng, 5, 16))
        groove = bump(grain.edge, rng.uniform(0.03, 0.06) * grain.side)
        tone = tone + grain.paint(grain.normal(rng, rng.uniform(0.0, 0.08)))
        height = height - rng.uniform(0.01, 0.05) * grain.side * groove
    return height, tone


def branched_crack(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Stress corrosion: one thin crack that runs between or through grains and branches many times."""
    side = frame.width / log_uniform(rng, 6, 16)
    (sway, _), (kink, rough) = noise(rng, frame, 0.5, 6, 1.2), noise(rng, frame, 4, 34, 0.9)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    grain = Cells(rng, frame, along + 0.08 * side * kink, across + 0.08 * side * rough, side)
    u, v = grain.seed_x / frame.width, grain.seed_y / frame.width
    wobble, offset, start = rng.uniform(2, 7), rng.uniform(-0.2, 0.2), rng.uniform(0, 6)
    swing = rng.uniform(0.02, 0.12)
    beside = v - offset - swing * np.sin(wobble * u + start)
    label = (beside > 0).astype(np.intp)
    for k in range(int(rng.integers(2, 7))):  # each branch divides the grains of one side once more
        steep = rng.uniform(0.3, 1.6) * (1 if rng.random() < 0.5 else -1)
        past = u - rng.uniform(-0.5, 0.5) - (v - offset) / steep - 0.03 * np.sin(9 * v + start)
        label = 2 * label + ((past > 0) & ((beside > 0) == bool(k % 2)))
    from_main = across / frame.width - offset - swing * np.sin(wobble * along / frame.width + start)
    near = bump(from_main, rng.uniform(0.1, 0.35))
    width = side * rng.uniform(0.08, 0.22) * (0.25 + 0.75 * near) * np.maximum(1 + 0.35 * sway, 0.2)
    crack = step(grain.edge_between(label) / width, 0.6, 0.25)
    filled = rng.uniform(0, 0.7) if rng.random() < 0.5 else 0.0
    height, tone = polished(rng, frame, rough)
    height = height - side * (1 - filled) * 0.5 * crack
    shown = step(grain.edge_between(label) / side, 3.0, 2.0)
    return Specimen(height, tone * (1 - (1 - filled) * 0.9 * crack), 1 - (0.8 - 0.5 * filled) * crack, shown)


def surface_cracks(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Thermal cycling: blunt cracks that run inwards from an oxidised surface, filled with oxide."""
    (sway, wave), (kink, rough) = noise(rng, frame, 0.5, 6, 1.2), noise(rng, frame, 4, 34, 0.9)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    depth = along / frame.width + rng.uniform(0.1, 0.45) + 0.02 * sway + 0.004 * kink  # below the surface
    spacing = rng.uniform(0.15, 0.5)
    place = across / frame.width / spacing + rng.uniform(0, 1) + rng.uniform(0.05, 0.2) * wave + 0.02 * kink
    number = np.floor(place)
    table = rng.random(256, dtype=np.float32)
    longest = table.take(number.astype(np.int32) & 255) * rng.uniform(0.3, 1.1) + 0.05
    aside = np.abs(place - number - 0.5) * spacing
    width = rng.uniform(0.008, 0.03) * np.clip(1.3 - depth / longest, 0, 1.3) ** 0.5
    crack = step(aside / np.maximum(width, 1e-4), 1.2, 0.8) * (depth > 0)
    oxide_depth = rng.uniform(0.005, 0.05)
    scale = step(np.abs(depth), oxide_depth, 0.8 * oxide_depth)
    outside = step(depth, 0, -0.01)
    core = step(aside / np.maximum(width, 1e-4), 0.6, 0.3) * (depth > 0) * rng.uniform(0, 1)
    return _section(rng, frame, rough, np.maximum(crack, scale), outside, core)


def scale_layers(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Spalling: layers of oxide on metal, cracked across, parted from it along a wavy gap, partly gone."""
    (sway, wave), (kink, rough) = noise(rng, frame, 0.5, 6, 1.2), noise(rng, frame, 4, 34, 0.9)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    depth = along / frame.width + rng.uniform(-0.15, 0.35) + rng.uniform(0.01, 0.04) * sway + 0.005 * kink
    thick = rng.uniform(0.08, 0.3)
    left = patches(wave, rng.uniform(0.35, 1.0), 0.03)  # where the scale has not spalled
    scale = step(-depth, 0, 0.01) * step(-depth - 0.02 * kink, thick + 0.01, thick) * left
    outside = step(depth, 0, -0.01) * (1 - scale)
    place = across / frame.width * rng.uniform(3, 9) + 0.1 * kink
    across_crack = (
        step(np.abs(place - np.round(place)), 0.05, 0.03) * scale * patches(sway, rng.uniform(0.1, 0.8))
    )
    parted = bump(depth + 0.01, rng.uniform(0.006, 0.015)) * patches(sway, rng.uniform(0.2, 0.9)) * left
    pore = cups(
        rng, Cells(rng, frame, along, across, frame.width / rng.uniform(8, 20)), (0.8, 1.2), (0.1, 0.3), 0.5
    )
    gap = np.maximum(np.maximum(across_crack, parted), scale * step(-pore / frame.width, 0.002, 0.006))
    return _section(rng, frame, rough, scale, outside, gap)


def internal_attack(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Hot corrosion: a porous deposit outside, a ragged layer eaten into the metal, sulphides ahead of it."""
    (sway, wave), (kink, rough) = noise(rng, frame, 0.5, 6, 1.2), noise(rng, frame, 4, 34, 0.9)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    depth = along / frame.width + rng.uniform(0.0, 0.35) + rng.uniform(0.02, 0.06) * sway + 0.012 * kink
    deep = rng.uniform(0.06, 0.25) * np.maximum(1 + rng.uniform(0.2, 0.7) * wave, 0.1)
    layer = step(depth, -0.01, 0) * step(depth + 0.02 * kink, deep + 0.01, deep - 0.01)
    outer = step(-depth, 0, 0.01) * step(-depth + 0.03 * kink, rng.uniform(0.05, 0.3), 0.02)
    outside = step(depth, 0, -0.01) * (1 - outer)
    small = Cells(rng, frame, along + frame.width * 0.01 * kink, across, frame.width / rng.uniform(14, 30))
    spot = grains(rng, small, (0.15, 0.5), rng.uniform(0.2, 0.7))
    ahead = (
        step(spot / small.side, 0.05, 0.2)
        * step(depth, deep + rng.uniform(0.05, 0.3), deep)
        * step(depth, 0, 0.02)
    )
    porous = step(spot / small.side, 0.05, 0.3) * np.maximum(outer, 0.5 * layer)
    return _section(
        rng, frame, rough, np.maximum(np.maximum(layer, outer), 0.8 * ahead), outside, 0.7 * porous
    )


def _section(
    rng: np.random.Generator, frame: Frame, rough: Field, oxide: Field, outside: Field, gap: Field
) -> Specimen:
    """Metal with ``oxide``, resin ``outside`` and open ``gap`` (each 0 to 1) in one polished plane."""
    height, tone = polished(rng, frame, rough)
    light = rng.uniform(0.2, 0.5)
    heavy = (1 - light * oxide * (1 + 0.1 * rough)) * (1 - gap * 0.7)
    heavy = heavy * (1 - outside) + RESIN * outside
    tone = tone * (1 - rng.uniform(-0.15, 0.4) * oxide) * (1 - 0.8 * gap)
    tone = tone * (1 - outside) + rng.uniform(0.2, 0.5) * outside
    relief = frame.width * rng.uniform(0, 0.006)
    height = (
        height * (1 - np.maximum(outside, 0.5 * oxide)) - relief * (oxide + 2 * outside) - 3 * relief * gap
    )
    shown = step(oxide + gap, 0.2, 0.6)
    return Specimen(height, tone, heavy, shown)


def machined(rng: np.random.Generator, frame: Frame) -> Specimen:
    """The surface of the part itself, without any mechanism: turned, ground or drawn; dents and specks."""
    (sway, wave), (rough, where) = noise(rng, frame, 0.4, 5, 1.3), noise(rng, frame, 2, 34, 0.8)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    lines = across / frame.width + log_uniform(rng, 0.0005, 0.01) * sway
    height = frame.width * log_uniform(rng, 0.0005, 0.01) * profile(rng, lines, rng.uniform(0.3, 1.2))
    if rng.random() < 0.3:
        height = height + frame.width * rng.uniform(0.001, 0.004) * profile(
            rng, along / frame.width + 0.003 * wave, 0.5
        )
    height = height + frame.width * (rng.uniform(0, 0.05) * wave + log_uniform(rng, 0.0001, 0.003) * rough)
    fold = np.maximum(where + sway - rng.uniform(0.5, 3), 0) * rng.uniform(0, 0.01)
    tone = 1 + rng.uniform(0, 0.08) * where
    return Specimen(height + frame.width * fold, tone, np.ones_like(height), np.zeros_like(height))
