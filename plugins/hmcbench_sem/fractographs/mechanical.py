"""Surfaces of parts that gave way under load: fatigue, overload, stress corrosion.

What is drawn follows Han et al. 2025 (doi 10.1038/s41598-025-05076-z), figures 1 (a-c) and 6-8
and their discussion, and textbook fractographs. Lengths are in picture widths at magnification 1.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hmcbench_sem.fractographs.detector import Surface
from hmcbench_sem.fractographs.fields import Field, View, area_step, bump, noise, rotated, roughness, step
from hmcbench_sem.fractographs.voronoi import Voronoi


def fatigue(rng: np.random.Generator, view: View) -> Surface:
    """Patches of fine curved striations, crossed by coarse beach marks and river-like ridges."""
    along, across = rotated(view, rng.uniform(0, 2 * np.pi))  # the crack grows along
    sway, jag = noise(rng, view, 0.4, 2.5, 1), noise(rng, view, 3, 30, 1)
    front = along + rng.uniform(-0.8, 0.8) * across**2 + rng.uniform(0.01, 0.04) * sway

    # Striations: every patch of the crack front runs in a direction and rhythm of its own.
    long, wide = rng.uniform(1.5, 3), rng.uniform(0.16, 0.4)
    patch = Voronoi(
        rng, view, along / long + 0.01 * jag, across + 0.05 * sway + 0.012 * jag, wide, spread=0.2
    )
    spacing = rng.uniform(0.034, 0.075)
    rhythm = patch.paint(patch.uniform(rng, 0.8, 1.25)) / spacing
    phase = (front + patch.paint(patch.normal(rng, 0.2)) * across + 0.002 * jag) * rhythm
    wave = np.sin(2 * np.pi * phase) + 0.35 * np.sin(4 * np.pi * phase + 0.9)
    clear = 0.25 + 0.75 * step(noise(rng, view, 1, 6, 1), -1.2, 0.3)
    height = clear * wave * (rng.uniform(0.07, 0.15) * spacing)

    # The patches lie at different levels; river-like ridges between them point along the growth.
    level = patch.paint(patch.normal(rng, 0.016))
    height = height + ndimage.gaussian_filter(level, 0.006 / view.pixel, truncate=3.0)
    ridge = bump(patch.edge, rng.uniform(0.004, 0.012))
    ridge = ridge * step(noise(rng, view, 1, 6, 1), *area_step(rng, 0.1, 0.7))
    height, tone = height + 0.01 * ridge, 1 + rng.uniform(0, 0.3) * ridge

    # Beach marks: pauses of the load leave darker, smoother bands.
    pause = (front + rng.uniform(0, 1)) / rng.uniform(0.2, 0.5)
    mark = bump(pause - np.round(pause), rng.uniform(0.06, 0.14))
    height = height * (1 - rng.uniform(0.2, 0.9) * mark) - rng.uniform(0.002, 0.01) * mark
    tone = tone * (1 - rng.uniform(0.05, 0.35) * mark)

    # Secondary cracks open along some striations.
    torn = bump(phase - np.round(phase), 0.13) * step(noise(rng, view, 1, 6, 1), *area_step(rng, 0.01, 0.12))
    return Surface(height + roughness(rng, view, 0.001, 0.0035) - 0.02 * torn, tone * (1 - 0.75 * torn))


def plastic_deformation(rng: np.random.Generator, view: View) -> Surface:
    """Dimples of many sizes, drawn out by shear, with bright rims, voids, and tear ridges."""
    along, across = rotated(view, rng.uniform(0, 2 * np.pi))
    drift = noise(rng, view, 1, 8, 1)
    along, across = along / rng.uniform(1, 1.9) + 0.004 * drift, across + 0.006 * drift
    side, larger = rng.uniform(0.05, 0.1), rng.uniform(1.8, 2.8)
    small = Voronoi(rng, view, along, across, side, spread=0.25)
    large = Voronoi(rng, view, along, across, side * larger, spread=0.25)
    height, tone = _dimples(rng, small, side)
    deep, rimmed = _dimples(rng, large, side * larger)
    coarse = step(noise(rng, view, 1, 5, 1), *area_step(rng, 0.1, 0.6))
    height, tone = height + coarse * (deep - height), tone + coarse * (rimmed - tone)

    # Where the metal slid rather than tore, the bowls are shallow and the face is smooth.
    flat = 0.9 * step(noise(rng, view, 0.6, 4, 1.2), *area_step(rng, 0.0, 0.35))
    height, tone = height - flat * height, tone - flat * (tone - 1)

    # Tear ridges: where groups of dimples that grew at different levels were torn apart.
    tide = np.sin(rng.uniform(4, 12) * small.seed_x + 3 * np.sin(rng.uniform(3, 9) * small.seed_y))
    tear = bump(small.edge_between(tide > rng.uniform(-0.5, 0.8)), rng.uniform(0.1, 0.2) * side)
    tear = tear * (0.4 + 0.6 * step(drift, -0.5, 1))
    height = height + 0.4 * side * tear + roughness(rng, view, 0.0005, 0.003)
    return Surface(height, tone * (1 + rng.uniform(0.1, 0.5) * tear))


def _dimples(rng: np.random.Generator, bowl: Voronoi, side: float) -> tuple[Field, Field]:
    """Height and tone of bowls with sharp bright rims; some hold a dark void, some an inclusion."""
    radius = bowl.distance / (bowl.distance + bowl.edge + 1e-6)  # 0 at the seed, 1 at the rim
    height = bowl.paint(bowl.uniform(rng, 0.2 * side, 0.6 * side)) * (radius * radius - 1)
    centre = 0.6 * bowl.bernoulli(rng, rng.uniform(0.0, 0.12)) - 0.6 * bowl.bernoulli(
        rng, rng.uniform(0.1, 0.5)
    )
    spot = bowl.paint(centre) * bump(bowl.distance, rng.uniform(0.2, 0.3) * side)
    return height, 1 + spot + rng.uniform(0.1, 0.45) * bump(bowl.edge, 0.12 * side)


def stress_corrosion(rng: np.random.Generator, view: View) -> Surface:
    """Grains, and a crack that runs between them and branches; nearly flat, or faceted grains."""
    along, across = rotated(view, rng.uniform(0, 2 * np.pi))
    drift, side = noise(rng, view, 2, 12, 1), rng.uniform(0.09, 0.19)
    grain = Voronoi(rng, view, along + 0.006 * drift, across - 0.006 * drift, side, spread=0.15)
    facets = rng.uniform(0.15, 0.5) if rng.random() < 0.6 else rng.uniform(0.0, 0.1)
    height = grain.plane(grain.normal(rng, facets), grain.normal(rng, facets))
    height = height + grain.paint(grain.normal(rng, 0.35 * side * facets))
    tone = 1 + grain.paint(grain.normal(rng, 0.06))
    height = height - rng.uniform(0.001, 0.006) * bump(grain.edge, rng.uniform(0.004, 0.008))

    # The crack is the boundary between the grains on either side of a wavy line; each branch
    # divides the grains of one side once more, so it leaves the crack and never crosses it.
    u, v = grain.seed_x, grain.seed_y
    wobble, offset = rng.uniform(2, 7), rng.uniform(-0.15, 0.15)
    swing, start = rng.uniform(0.02, 0.1), rng.uniform(0, 6)
    beside = v - offset - swing * np.sin(wobble * u + start)
    label = (beside > 0).astype(np.intp)
    for k in range(int(rng.integers(2, 6))):
        steep = rng.uniform(0.5, 1.6) * (1 if rng.random() < 0.5 else -1)
        past = u - rng.uniform(-0.45, 0.45) - (v - offset) / steep - 0.03 * np.sin(9 * v + start)
        label = 2 * label + ((past > 0) & ((beside > 0) == bool(k % 2)))
    from_main = (across - offset - swing * np.sin(wobble * along + start)) / rng.uniform(0.1, 0.25)
    taper = 0.35 + 0.65 * bump(from_main, 1.0)
    width = rng.uniform(0.011, 0.022) * taper * (1 + 0.3 * drift.clip(-2, 2))
    gap = grain.edge_between(label)
    crack = step(gap / np.maximum(width, 0.004), 1.0, 0.45)
    lip = bump(gap - 1.2 * width, 0.008) * rng.uniform(0.0, 0.4)
    height = height - 0.06 * crack + roughness(rng, view, 0.001, 0.003)
    return Surface(height, tone * (1 - 0.85 * crack) * (1 + lip))
