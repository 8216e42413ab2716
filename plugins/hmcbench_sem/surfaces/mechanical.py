"""Surfaces of parts that gave way under load: overload, stress corrosion, fatigue.

After Han et al. 2025 (doi 10.1038/s41598-025-05076-z), figures 1 (a-c) and 6-8, and textbook fractographs.
Every function draws one look at any width of the frame; sizes are drawn relative to the width, and the
widths that suit a look are in :mod:`hmcbench_sem.surfaces.looks`.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hmcbench_sem.fractographs.fields import Field
from hmcbench_sem.surfaces.cells import Cells, cups, grains
from hmcbench_sem.surfaces.frame import Frame, bump, log_uniform, noise, patches, profile, step
from hmcbench_sem.surfaces.microscope import Specimen


def dimples(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Cups within cups of many sizes, equiaxed or drawn out by shear; smooth facets, voids, inclusions."""
    side = frame.width / log_uniform(rng, 3, 20)
    shear = log_uniform(rng, 1.3, 2.4) if rng.random() < 0.4 else log_uniform(rng, 1, 1.25)
    (sway, wave), (rough, where) = noise(rng, frame, 0.5, 6, 1.2), noise(rng, frame, 0.7, 16, 1.5)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    along, across = along / shear + 0.08 * side * sway, across + 0.08 * side * wave
    deep = rng.uniform(0.5, 1.1)
    form = {"steep": rng.uniform(0, 0.3), "lean": rng.uniform(0.1, 0.9) if rng.random() < 0.6 else 0.0}
    middle = Cells(rng, frame, along, across, side)
    height = cups(rng, middle, (0.5 * deep, 1.2 * deep), (0.7, 1.25), **form)
    large = Cells(rng, frame, along, across, side * rng.uniform(1.8, 3.0))
    drop, share = rng.uniform(0.2, 0.5) * side, rng.uniform(0.05, 0.6)
    height = np.minimum(height, cups(rng, large, (0.5 * deep, deep), (0.4, 0.75), share, **form) - drop)

    # Fine dimples cover some regions, the walls of large ones too.
    small = Cells(rng, frame, along, across, side * rng.uniform(0.3, 0.5))
    fine = cups(rng, small, (0.5 * deep, 1.2 * deep), (0.7, 1.2), **form)
    covered = patches(where, rng.uniform(0, 0.6))
    height = height * (1 - 0.45 * covered) + covered * fine
    height = height + rng.uniform(0.03, 0.3) * side * sway + rng.uniform(0.0, 0.02) * side * rough

    # Voids stay dark; particles that opened them are sometimes left at the bottom.
    bottom = bump(middle.distance, rng.uniform(0.1, 0.18) * side)
    void = bottom * middle.paint(middle.chosen(rng, rng.uniform(0, 0.2)).astype(np.float32))
    particle = bottom * middle.paint(middle.chosen(rng, rng.uniform(0, 0.06)).astype(np.float32))
    height = height - 0.5 * side * void + 0.3 * side * particle

    # Facets where the metal slid: smooth, faintly lined, at about the level of the cups.
    broad, roll = noise(rng, frame, 0.4, 2.5, 1.0)
    flat = patches(broad + 0.15 * where, rng.uniform(-0.5, 0.25), rng.uniform(0.05, 0.3))
    lines = profile(rng, across / frame.width + 0.01 * sway, 0.8) * (rng.uniform(0.0, 0.02) * side)
    level = float(height.mean()) + rng.uniform(-0.15, 0.15) * side
    height = height * (1 - flat) + flat * (lines + rng.uniform(0, 0.1) * frame.width * roll + level)
    heavy = 1 + 0.2 * particle * rng.uniform(-1, 1)
    return Specimen(height, 1 - 0.6 * void * (1 - flat), heavy, 1 - flat)


def cleavage(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Flat facets across grains at many tilts, with river lines that fan out, steps and tongues."""
    side = frame.width / log_uniform(rng, 1.2, 5)
    (sway, wave), (rough, where) = noise(rng, frame, 0.5, 8, 1.1), noise(rng, frame, 2, 30, 0.9)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    along, across = along + 0.03 * side * sway, across + 0.03 * side * wave
    grain = Cells(rng, frame, along, across, side)
    steep = rng.uniform(0.1, 0.35)
    dx, dy = grain.offset()
    height = dx * grain.paint(grain.normal(rng, steep)) + dy * grain.paint(grain.normal(rng, steep))
    height = height + grain.paint(grain.normal(rng, 0.05 * side))
    height = ndimage.gaussian_filter(height, 0.004 * frame.size) + _rivers(
        rng, grain, side, 0.25 * sway + 0.03 * rough
    )

    # Ligaments between facets tear late: bright ridges, some with dimples.
    ridge = bump(grain.edge, rng.uniform(0.012, 0.03) * side) * patches(sway, rng.uniform(0.1, 0.7))
    height = height + rng.uniform(0.01, 0.05) * side * ridge * (1 + 0.5 * rough)
    crack = step(grain.edge_between(grain.chosen(rng, 0.3)) / side, 0.03, 0.012) * patches(
        wave, rng.uniform(0, 0.4)
    )
    height = height - 0.1 * side * crack + rng.uniform(0.0003, 0.002) * side * rough
    ductile = patches(where + sway, rng.uniform(-0.2, 0.25))
    fine = cups(rng, Cells(rng, frame, along, across, 0.12 * side), (0.5, 1.0))
    height = height + ductile * fine
    return Specimen(height, 1 - 0.8 * crack, np.ones_like(height), 1 - ductile)


def _rivers(rng: np.random.Generator, grain: Cells, side: float, jitter: Field) -> Field:
    """Steps that run away from the place where the crack entered each grain, and join; height."""
    flow = rng.uniform(0, 2 * np.pi)
    angle = np.float32(flow) + grain.normal(rng, rng.uniform(0.2, 0.8))
    start = grain.uniform(rng, 0.5, 1.6) * np.float32(side)
    dx, dy = grain.offset()
    dx, dy = dx - grain.paint(np.cos(angle) * start), dy - grain.paint(np.sin(angle) * start)
    away = np.hypot(dx, dy) * (1 / side)
    turn = np.arctan2(dy, dx) + jitter * 0.25
    count = rng.uniform(6, 16)
    height = np.zeros_like(away)
    table = rng.standard_normal(1024, dtype=np.float32)
    small = rng.uniform(0.5, 1.5)  # small rivers end where they join large ones
    for level, reach in ((1, 9.0), (2.3, small)):
        phase = turn * np.float32(count * level)
        number = np.floor(phase)
        step_height = table.take((number.astype(np.int32) * 7 + grain.first * 31) & 1023)
        height += (phase - number) * step_height * np.clip(1.4 - away / reach, 0, 1) / np.float32(level)
    strength = grain.uniform(rng, 0.2, 1.0) * np.float32(rng.uniform(0.03, 0.09) * side)
    rivers: Field = height * grain.paint(strength)
    return rivers


def quasi_cleavage(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Small, curved facets with ridges that run out from their middle, tear ridges, patches of dimples."""
    side = frame.width / log_uniform(rng, 3, 11)
    (sway, wave), (rough, where) = noise(rng, frame, 0.5, 10, 1.0), noise(rng, frame, 1, 24, 1.0)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    along = along / log_uniform(rng, 1, 2.2) + 0.2 * side * sway
    across = across + 0.2 * side * wave
    facet = Cells(rng, frame, along, across, side)
    dx, dy = facet.offset()
    bowl = facet.paint(facet.normal(rng, 0.3)) * facet.distance * facet.distance * (1 / side)
    height = bowl + dx * facet.paint(facet.normal(rng, 0.2)) + dy * facet.paint(facet.normal(rng, 0.2))
    height = height + _rivers(rng, facet, 0.6 * side, 0.5 * sway + 0.1 * rough) * rng.uniform(0.5, 2.0)
    ridge = bump(facet.edge, rng.uniform(0.03, 0.08) * side) * (0.4 + 0.6 * patches(wave, 0.5))
    height = height + rng.uniform(0.03, 0.15) * side * ridge + rng.uniform(0.02, 0.2) * side * sway
    height = height + rng.uniform(0.003, 0.02) * side * rough
    ductile = patches(where, rng.uniform(0, 0.3))
    height = height + ductile * cups(rng, Cells(rng, frame, along, across, 0.3 * side), (0.5, 1.0))
    return Specimen(height, np.ones_like(height), np.ones_like(height), 1 - ductile)


def shear_facets(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Smooth planes that slid or split along one direction: faint parallel lines, low steps, torn rims."""
    side = frame.width / log_uniform(rng, 0.8, 3)
    (sway, wave), (rough, where) = noise(rng, frame, 0.4, 5, 1.2), noise(rng, frame, 2, 30, 1.0)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    plane = Cells(rng, frame, along + 0.2 * side * sway, across + 0.1 * side * wave, side)
    turn = plane.paint(plane.normal(rng, 0.4))
    lines = (across + turn * along) / frame.width + rng.uniform(0.005, 0.03) * sway
    height = profile(rng, lines, rng.uniform(0.5, 1.2)) * (log_uniform(rng, 0.001, 0.012) * frame.width)
    height = height * (0.3 + 0.7 * step(where, -1, 1)) + rng.uniform(0.03, 0.12) * frame.width * 0.3 * wave
    rim = bump(plane.edge, rng.uniform(0.006, 0.015) * side) * patches(sway, rng.uniform(0.0, 0.6), 0.5)
    height = (
        height
        + plane.paint(plane.normal(rng, 0.03 * side)) * rng.random()
        + rng.uniform(0, 0.02) * side * rim
    )
    height = height + log_uniform(rng, 0.0001, 0.002) * frame.width * rough
    ductile = patches(sway + wave, rng.uniform(-0.4, 0.25))
    bowl = Cells(rng, frame, along, across, frame.width / log_uniform(rng, 8, 22))
    height = height + ductile * cups(rng, bowl, (0.4, 1.0))
    return Specimen(height, np.ones_like(height), np.ones_like(height), 1 - ductile)


def intergranular(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Whole grains laid bare: planar facets in three dimensions, pits of lost grains, secondary cracks."""
    side = frame.width / log_uniform(rng, 2.5, 9)
    (sway, wave), (rough, where) = noise(rng, frame, 0.6, 8, 1.1), noise(rng, frame, 3, 32, 0.8)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    stretch = log_uniform(rng, 1.3, 2.2) if rng.random() < 0.25 else 1.0  # rolled: pancakes
    along, across = along / stretch + 0.05 * side * sway, across + 0.05 * side * wave
    grain = Cells(rng, frame, along, across, side)
    dx, dy = grain.offset()
    top = grain.uniform(rng, 0.1, 0.5) * np.float32(side)
    roof = np.minimum(
        grain.edge * rng.uniform(0.7, 1.6), grain.paint(top)
    )  # one plane per neighbour, and a top
    lost = grain.chosen(rng, rng.uniform(0.1, 0.45))
    height = roof * grain.paint(np.where(lost, np.float32(-1), np.float32(1)))
    steep = rng.uniform(0.1, 0.45)
    height = height + dx * grain.paint(grain.normal(rng, steep)) + dy * grain.paint(grain.normal(rng, steep))
    height = height + grain.paint(grain.normal(rng, rng.uniform(0.03, 0.16) * side))

    # Secondary cracks follow boundaries; corrosion roughens facets and leaves a film on them.
    group = np.sin(grain.seed_x * rng.uniform(0.8, 2) / side) + np.sin(
        grain.seed_y * rng.uniform(0.8, 2) / side
    )
    crack = step(grain.edge_between(group > rng.uniform(-0.8, 0.8)) / side, 0.05, 0.02)
    crack = crack * patches(sway, rng.uniform(0.1, 0.8))
    height = height - rng.uniform(0.08, 0.3) * side * crack
    height = ndimage.gaussian_filter(height, rng.uniform(0.002, 0.008) * frame.size)
    attack = rng.uniform(0, 0.012) * rng.random() * (1 + patches(wave, 0.4))
    height = height + side * (0.001 + attack) * rough
    film = patches(where, rng.uniform(0, 0.35)) * rng.uniform(0, 0.35)
    if rng.random() < 0.3:
        dust = grains(rng, Cells(rng, frame, along, across, 0.25 * side), (0.1, 0.4), rng.uniform(0.05, 0.3))
        height = height + dust
    return Specimen(height, (1 - 0.85 * crack) * (1 - film), 1 - film, np.ones_like(height))


def striations(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Fine parallel ridges, one per cycle, on patches that lie at different levels and directions."""
    spacing = frame.width / log_uniform(rng, 9, 28)
    side = frame.width / log_uniform(rng, 1.2, 4)
    (sway, wave), (rough, where) = noise(rng, frame, 0.4, 5, 1.1), noise(rng, frame, 2, 30, 1.0)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))  # the crack grows along
    long = log_uniform(rng, 1.2, 2.5)
    patch = Cells(rng, frame, along / long + 0.1 * side * sway, across + 0.08 * side * wave, side)
    bend = (
        rng.uniform(-0.5, 0.5) * across * across / frame.width + 0.5 * spacing * wave + 0.25 * spacing * sway
    )
    turn = patch.paint(patch.normal(rng, rng.uniform(0.1, 0.35)))
    phase = (
        (along + bend + turn * across) * patch.paint(patch.uniform(rng, 0.75, 1.3)) * np.float32(1 / spacing)
    )
    phase = phase + patch.paint(patch.uniform(rng, 0, 1)) + 0.06 * rough
    cycle = phase - np.floor(phase)
    ridge = np.minimum(cycle, (1 - cycle) * rng.uniform(1.0, 3.0))  # a gentle and a steep flank
    clear = 0.15 + 0.85 * step(where + 0.5 * sway, -1.3, 0.3)
    height = clear * ridge * np.float32(rng.uniform(0.2, 0.6) * spacing)
    level = patch.paint(patch.normal(rng, 0.06 * side)) + patch.offset()[0] * patch.paint(
        patch.normal(rng, 0.15)
    )
    height = height + ndimage.gaussian_filter(level, 0.006 * frame.size)
    height = height + rng.uniform(0.1, 0.4) * spacing * sway + rng.uniform(0.005, 0.05) * spacing * rough
    tear = bump(patch.edge, rng.uniform(0.01, 0.04) * side) * patches(sway, rng.uniform(0.1, 0.7))
    height = height + rng.uniform(0.02, 0.1) * side * tear

    # Secondary cracks open along some ridges; rubbing flattens others.
    torn = bump(np.minimum(cycle, 1 - cycle), 0.15) * patches(wave, rng.uniform(-0.1, 0.25))
    return Specimen(
        height - 0.5 * spacing * torn, 1 - 0.7 * torn, np.ones_like(height), step(clear, 0.2, 0.4)
    )


def beach_marks(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Curved fronts of a crack that stopped and went on, ratchet steps at its origin; the final fracture."""
    (sway, wave), (rough, where) = noise(rng, frame, 0.4, 5, 1.2), noise(rng, frame, 2, 34, 0.8)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    origin = rng.uniform(0.1, 1.3) * frame.width
    oval = rng.uniform(0.8, 1.3)
    x, y = (along + origin) * oval, across
    away = np.hypot(x, y) / frame.width + rng.uniform(0.005, 0.03) * sway
    turn = np.arctan2(y, x)
    marks = away * rng.uniform(0.5, 1.4) + 0.003 * rough
    band = profile(rng, marks, rng.uniform(0.5, 1.1))
    sharp = patches(profile(rng, marks, 0.3), rng.uniform(0.05, 0.25))  # thin lines: a pause each
    radial = profile(rng, turn * rng.uniform(0.15, 0.4) + 0.01 * wave, rng.uniform(0.5, 1.0))
    deep = frame.width * rng.uniform(0.005, 0.014)
    height = deep * (0.6 * band - 1.2 * sharp) + frame.width * rng.uniform(0.0, 0.012) * radial
    height = height + frame.width * (
        rng.uniform(0.01, 0.05) * sway + rng.uniform(0.0005, 0.003) * (1.2 + band.clip(-1, 1)) * rough
    )
    tint = rng.uniform(0.0, 0.2) * band.clip(-1.5, 1.5) - rng.uniform(0, 0.35) * sharp
    if rng.random() < 0.5:  # ratchet steps between neighbouring origins
        phase = turn * rng.uniform(1.5, 5) + 0.1 * wave
        fan = (phase - np.floor(phase)) * step(away, rng.uniform(0.5, 1.0), 0.1)
        height = height + frame.width * rng.uniform(0.01, 0.05) * fan
    # Beyond the last mark the rest broke at once: rough, fibrous.
    end = oval * origin / frame.width + rng.uniform(0.05, 0.9)
    rest = step(away - 0.05 * where, end, end + 0.06)
    fibres = frame.width * (rng.uniform(0.003, 0.008) * rough + 0.012 * where)
    height = height * (1 - 0.7 * rest) + rest * fibres
    tone = 1 + tint * (1 - rest)
    return Specimen(height, tone, 1 + 0.5 * tint * (1 - rest), 1 - rest)
