"""Surfaces that heat has damaged: thermal cycling, spalling oxide, corrosion under deposits.

After Han et al. 2025 (doi 10.1038/s41598-025-05076-z), figures 1 (d-f) and 9 and their discussion.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from hmcbench_sem.fractographs.fields import Field
from hmcbench_sem.surfaces.cells import Cells, cups, grains
from hmcbench_sem.surfaces.frame import Frame, bump, log_uniform, noise, patches, profile, step
from hmcbench_sem.surfaces.microscope import Specimen


def crack_network(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Cracks that meet in polygons, finer ones inside, on an oxidised surface with raised lips."""
    side = frame.width / log_uniform(rng, 2.2, 8)
    (sway, wave), (kink, rough) = noise(rng, frame, 0.5, 6, 1.2), noise(rng, frame, 4, 32, 0.9)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    stretch = log_uniform(rng, 1.8, 3.5) if rng.random() < 0.25 else 1.0  # strained along one direction
    warp = side * (0.15 * sway + 0.03 * kink)
    block = Cells(rng, frame, along / stretch + warp, across + side * (0.12 * wave + 0.03 * rough), side)
    joined = rng.integers(0, int(rng.integers(3, 12)), block.count)  # equal neighbours: no crack
    width = rng.uniform(0.02, 0.07) * side * np.maximum(1 + 0.4 * sway, 0.3)
    gap = block.edge_between(joined)
    crack = step(gap / width, 1.2, 0.5)
    piece = Cells(
        rng, frame, along / stretch + warp, across - 0.1 * side * wave, side * rng.uniform(0.35, 0.6)
    )
    hair = step(piece.edge / width, 0.8, 0.25) * patches(wave, rng.uniform(0, 0.7))

    curl = bump(np.minimum(gap, side), rng.uniform(0.1, 0.3) * side) * rng.uniform(-0.02, 0.05) * side
    height = curl + block.paint(block.normal(rng, rng.uniform(0, 0.04) * side))
    height = height + side * (rng.uniform(0.02, 0.15) * sway + rng.uniform(0.002, 0.015) * rough)
    height, oxide = _oxidised(rng, frame, height, side, wave)
    height = height - side * (rng.uniform(0.02, 0.15) * crack + 0.03 * hair)
    open_ = np.maximum(crack, 0.7 * hair)
    filled = rng.uniform(0, 0.5)
    tone = (1 - (1 - filled) * 0.85 * open_) * (1 + rng.uniform(0, 0.1) * sway)
    return Specimen(height, tone, oxide * (1 - 0.4 * open_), np.ones_like(height))


def _oxidised(
    rng: np.random.Generator, frame: Frame, height: Field, side: float, where: Field
) -> tuple[Field, Field]:
    """Height and backscatter of a surface with oxide grains on a share of it."""
    cover = patches(where, rng.uniform(0, 0.8))
    if rng.random() < 0.5:
        fine = Cells(rng, frame, frame.x, frame.y, side * rng.uniform(0.12, 0.25))
        height = height + cover * grains(
            rng, fine, (0.2, 0.6), rng.uniform(0.3, 1.0), crystals=rng.random() < 0.3
        )
    return height, 1 - rng.uniform(0.1, 0.4) * cover


def spalled_scale(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Plates of oxide, cracked and partly gone, with steep edges, above bare metal that shows their print."""
    side = frame.width / log_uniform(rng, 2.5, 9)
    (sway, wave), (jag, rough) = noise(rng, frame, 0.5, 5, 1.2), noise(rng, frame, 3, 34, 0.9)
    turn = rng.uniform(0, 2 * np.pi)
    along, across = frame.rotated(turn)
    warp = side * rng.uniform(0.02, 0.08)
    plate = Cells(rng, frame, along + warp * jag, across + warp * rough, side)
    u, v = plate.seed_x / frame.width, plate.seed_y / frame.width
    hold = np.sin(rng.uniform(3, 9) * u + rng.uniform(0, 6)) + np.sin(
        rng.uniform(3, 9) * v + rng.uniform(0, 6)
    )
    hold = hold + plate.normal(rng, rng.uniform(0.2, 0.8))
    seen = np.hypot(u, v) < 0.6
    gone = rng.uniform(0.1, 0.85)
    layers = np.digitize(hold, np.quantile(hold[seen], [gone, min(gone + rng.uniform(0.05, 0.4), 0.99)]))
    thick = np.array([0, rng.uniform(0.3, 0.7), 1], dtype=np.float32)[layers] * np.float32(
        rng.uniform(0.06, 0.3) * side
    )
    scale = ndimage.gaussian_filter(plate.paint(thick), 0.003 * frame.size)
    bare = 1 - step(scale, 0.1 * float(thick.max()), 0.3 * float(thick.max()))
    dx, dy = plate.offset()
    lifted = plate.chosen(rng, rng.uniform(0, 0.4)) & (thick > 0)
    height = scale + (
        dx * plate.paint(plate.normal(rng, 0.3) * lifted) + dy * plate.paint(plate.normal(rng, 0.3) * lifted)
    )

    # The bare metal is rough, or shows the print of oxide grains, or old grinding lines.
    ground = rng.uniform(0.01, 0.05) * side * rough
    kind = rng.random()
    if kind < 0.4:
        ground = ground + cups(
            rng, Cells(rng, frame, along, across, side * rng.uniform(0.12, 0.3)), (0.2, 0.6)
        )
    elif kind < 0.6:
        ground = ground + 0.02 * side * profile(rng, across / frame.width, 0.3)
    height = (
        height + bare * ground + (1 - bare) * side * rng.uniform(0.002, 0.012) * rough + 0.1 * side * sway
    )
    crack = (
        step(plate.edge / side, rng.uniform(0.03, 0.06), 0.01)
        * (1 - bare)
        * patches(wave, rng.uniform(0.1, 0.7))
    )
    height, fresh = height - 0.1 * side * crack, rng.uniform(0.55, 0.9)
    oxide = 1 - (1 - fresh) * (1 - bare)
    tone = (1 - 0.8 * crack) * (1 - bare * rng.uniform(-0.15, 0.5)) * (1 + rng.uniform(0, 0.12) * sway)
    return Specimen(height, tone, oxide, np.ones_like(height))


def deposits(rng: np.random.Generator, frame: Frame) -> Specimen:
    """Granules and crystals of many sizes in clusters, and pits eaten into the metal between them."""
    side = frame.width / log_uniform(rng, 4, 13)
    (sway, wave), (rough, where) = noise(rng, frame, 0.6, 6, 1.0), noise(rng, frame, 3, 34, 0.8)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    height = side * (rng.uniform(0.05, 0.4) * sway + rng.uniform(0.01, 0.05) * rough)
    pit = Cells(
        rng, frame, along + 0.15 * side * rough, across + 0.15 * side * where, side * rng.uniform(1.2, 2.2)
    )
    hollow = cups(rng, pit, (0.6, 1.6), (0.15, 0.5), rng.uniform(0, 0.6))
    height = height + hollow
    crystals = rng.random() < 0.35
    layer = np.zeros_like(height)
    for ratio, low, high in ((1.0, 0.1, 0.5), (0.45, 0.3, 0.9)):
        body = Cells(rng, frame, along + 0.1 * side * wave, across, side * ratio)
        grown = grains(rng, body, (0.25, 0.7), rng.uniform(low, high), crystals=crystals)
        layer = np.maximum(layer, grown * step(wave + 0.3 * where, rng.uniform(-1.8, -0.3), 0.5))
    covered = step(layer, 0.01 * side, 0.1 * side)
    height = height + layer + side * rng.uniform(0.005, 0.04) * covered * where
    salt = rng.uniform(0.55, 1.1)
    heavy = 1 + (salt - 1) * covered - 0.2 * patches(sway, rng.uniform(0, 0.6))
    tone = 1 - rng.uniform(0, 0.6) * step(-hollow, 0.15 * side, 0.6 * side) * (1 - covered)
    return Specimen(height, tone * (1 + rng.uniform(-0.15, 0.3) * covered), heavy, np.ones_like(height))


def glaze(rng: np.random.Generator, frame: Frame) -> Specimen:
    """A melt of salts that wetted the surface and froze: a smooth film with bubbles and fine cracks."""
    side = frame.width / log_uniform(rng, 4, 12)
    (sway, wave), (rough, where) = noise(rng, frame, 0.5, 5, 1.2), noise(rng, frame, 3, 30, 0.9)
    along, across = frame.rotated(rng.uniform(0, 2 * np.pi))
    film = patches(sway + 0.25 * where, rng.uniform(0.35, 0.9), 0.25)
    bubble = cups(rng, Cells(rng, frame, along, across, side), (0.4, 1.0), (0.1, 0.45), rng.uniform(0.2, 0.8))
    ground = side * (rng.uniform(0.02, 0.08) * rough + 0.1 * wave)
    height = ground * (1 - 0.8 * film) + 0.3 * side * film + film * (bubble + 0.1 * side * wave)
    shard = Cells(
        rng, frame, along + 0.1 * side * sway, across + 0.1 * side * wave, side * rng.uniform(1.5, 3)
    )
    crack = step(shard.edge / side, 0.05, 0.02) * film * patches(wave, rng.uniform(0, 0.5))
    if rng.random() < 0.5:
        body = Cells(rng, frame, along, across, 0.6 * side)
        height = height + grains(rng, body, (0.15, 0.5), rng.uniform(0.05, 0.4), crystals=rng.random() < 0.5)
    return Specimen(
        height - 0.15 * side * crack, 1 - 0.7 * crack, 1 - rng.uniform(0.1, 0.45) * film, np.ones_like(height)
    )
