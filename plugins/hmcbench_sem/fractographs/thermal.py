"""Surfaces that heat has damaged: thermal cycling, spalling oxide, corrosion under deposits.

What is drawn follows Han et al. 2025 (doi 10.1038/s41598-025-05076-z), figures 1 (d-f) and 9 and
their discussion. Lengths are in picture widths at magnification 1.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from hmcbench_sem.fractographs.detector import Surface
from hmcbench_sem.fractographs.fields import Field, View, area_step, bump, noise, rotated, roughness, step
from hmcbench_sem.fractographs.voronoi import Voronoi


def thermal_cycling(rng: np.random.Generator, view: View) -> Surface:
    """A network of cracks that close into polygons, finer ones inside, on a fairly smooth surface."""
    along, across = rotated(view, rng.uniform(0, 2 * np.pi))
    bend, kink = noise(rng, view, 0.7, 4, 1.2), noise(rng, view, 8, 30, 0.8)
    warp = rng.uniform(0.01, 0.04) * bend + 0.004 * kink
    side, width = rng.uniform(0.15, 0.3), rng.uniform(0.005, 0.012)
    block = Voronoi(rng, view, along + warp, across - warp, side, spread=0.15)
    merged = rng.integers(0, int(rng.integers(4, 12)), block.count)  # equal neighbours: no crack
    uneven = np.maximum(width * (1 + 0.35 * bend.clip(-2, 2)), 0.003)
    gap = block.edge_between(merged)
    crack = step(gap / uneven, 1.5, 0.5)

    # A second, finer generation of cracks divides some of the blocks.
    piece = Voronoi(rng, view, along + warp + 0.01 * bend, across - warp, side * rng.uniform(0.35, 0.6))
    hair = step(piece.edge / (0.5 * uneven), 1.6, 0.4) * step(
        noise(rng, view, 1, 5, 1), *area_step(rng, 0.0, 0.5)
    )

    # Blocks curl up at their edges; the oxide on them is smooth, mottled, with a few nodules.
    curl = rng.uniform(-0.004, 0.012) * bump(gap, 0.2 * side)
    height = curl + block.paint(block.normal(rng, 0.003)) + roughness(rng, view, 0.0005, 0.003)
    tone = 1 + rng.uniform(0.0, 0.12) * noise(rng, view, 1, 8, 1)
    height, tone = nodules(rng, view, height, tone, side=rng.uniform(0.03, 0.06), share=rng.uniform(0, 0.12))
    rim = bump(gap - 1.6 * uneven, 0.7 * width) * rng.uniform(0, 0.35)
    height = height - 0.03 * crack - 0.008 * hair
    return Surface(height, tone * (1 + rim) * (1 - 0.85 * crack) * (1 - 0.6 * hair))


def oxide_spalling(rng: np.random.Generator, view: View) -> Surface:
    """Flat bright plates of oxide, cracked and partly gone, above a darker, rougher substrate."""
    angle = rng.uniform(0, 2 * np.pi)
    along, across = rotated(view, angle)
    jag, side = noise(rng, view, 4, 35, 0.9), rng.uniform(0.1, 0.22)
    plate = Voronoi(rng, view, along + 0.005 * jag, across - 0.005 * jag, side, spread=0.25)

    # Plates go in groups, and stay more often at the top of the picture (as in figure 9). Some
    # scales come off in two layers.
    top = rng.normal(-np.pi / 2, 0.7) - angle
    u, v = plate.seed_x, plate.seed_y
    hold = np.sin(rng.uniform(4, 10) * u + rng.uniform(0, 6))
    hold = hold + np.sin(rng.uniform(4, 10) * v + rng.uniform(0, 6))
    hold = hold + rng.uniform(0, 2) * (u * math.cos(top) + v * math.sin(top)) + plate.normal(rng, 0.4)
    spalled = rng.uniform(0.3, 0.6)
    near = np.hypot(u, v) < 0.6 / view.magnification
    layer = np.digitize(hold, np.quantile(hold[near], [spalled, spalled + rng.uniform(0.05, 0.25)]))
    thickness = np.array([0, rng.uniform(0.35, 0.7), 1], dtype=np.float32)[layer]
    cover = ndimage.gaussian_filter(plate.paint(thickness), 0.003 / view.pixel, truncate=3.0)
    bare = 1 - np.minimum(cover * 3, 1)

    warped = plate.plane(plate.normal(rng, 0.05) * thickness, plate.normal(rng, 0.05) * thickness)
    height = rng.uniform(0.02, 0.05) * cover + warped + cover * roughness(rng, view, 0.0003, 0.0015)
    height = height + bare * roughness(rng, view, 0.003, 0.009)
    tone = 1 - bare * rng.uniform(0.1, 0.45) * (1 + 0.15 * noise(rng, view, 3, 20, 0.7))
    tone = tone + plate.paint(plate.normal(rng, 0.05) * thickness)

    # Bright broken edges on the oxide, a shadow at their foot, cracks between plates that stay.
    edge = bump(plate.edge_between(layer), 0.007)
    tone = tone * (1 + rng.uniform(0.1, 0.5) * edge * (1 - bare)) * (1 - rng.uniform(0.1, 0.5) * edge * bare)
    crack = step(plate.edge, rng.uniform(0.006, 0.011), 0.002) * (1 - bare)
    crack = crack * step(noise(rng, view, 1, 6, 1), *area_step(rng, 0.2, 0.8))
    return Surface(height - 0.015 * crack, tone * (1 - 0.6 * crack))


def deposit_corrosion(rng: np.random.Generator, view: View) -> Surface:
    """Clusters of granules of mixed sizes, and pits eaten into the metal between them."""
    height = roughness(rng, view, 0.001, 0.006)
    pit = Voronoi(rng, view, *rotated(view, rng.uniform(0, 6)), rng.uniform(0.12, 0.25))
    ragged = pit.distance * (1 + 0.25 * noise(rng, view, 4, 20, 0.7).clip(-2, 2))
    hole = step(ragged / pit.paint(pit.uniform(rng, 0.024, 0.064)), 1.1, 0.6)
    hole = hole * pit.paint(pit.bernoulli(rng, rng.uniform(0.2, 0.6)))
    height, tone = height - 0.04 * hole, 1 - 0.75 * hole

    density = noise(rng, view, 0.8, 5, 0.8)  # of deposits
    largest = rng.uniform(0.08, 0.15)
    for ratio, low, high in ((1.0, 0.1, 0.4), (0.5, 0.3, 0.7), (0.26, 0.4, 0.8)):
        height, tone = nodules(rng, view, height, tone, largest * ratio, rng.uniform(low, high), density)
    return Surface(height, tone)


def nodules(
    rng: np.random.Generator,
    view: View,
    height: Field,
    tone: Field,
    side: float,
    share: float,
    density: Field | None = None,
) -> tuple[Field, Field]:
    """Round grains that sit on a surface: new height and tone.

    Args:
        rng, view: as everywhere.
        height, tone: of the surface beneath, (size, size).
        side: mean distance of the grains if every place were taken.
        share: of the places that are taken.
        density: a :func:`noise`; grains keep to where it is large.
    """
    grain = Voronoi(rng, view, *rotated(view, rng.uniform(0, 6)), side)
    radius = grain.paint(grain.uniform(rng, 0.25 * side, 0.62 * side) * grain.bernoulli(rng, share))
    if density is not None:
        radius = radius * step(density, -0.9, 0.3)
    ball = np.sqrt(np.maximum(radius**2 - grain.distance**2, 0))
    inside = step(ball, 0.02 * side, 0.15 * side)
    body = 1 + grain.paint(grain.normal(rng, 0.12))
    return height + 0.8 * ball, tone + inside * (body - tone)
