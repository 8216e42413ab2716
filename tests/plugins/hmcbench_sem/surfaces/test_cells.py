"""Cells, cups and grains of version 3, beside slow versions."""

from __future__ import annotations

import numpy as np
from hmcbench_sem.surfaces.cells import FAR, Cells, cups, grains
from hmcbench_sem.surfaces.frame import Frame


def cells_of(size: int = 40) -> Cells:
    frame = Frame(size, 100.0, 0.4)
    return Cells(np.random.default_rng(1), frame, *frame.rotated(0.7), 12.0)


def test_cells_against_brute_force():
    cells = cells_of()
    square = (cells.x[..., None] - cells.seed_x) ** 2 + (cells.y[..., None] - cells.seed_y) ** 2
    order = np.argsort(square, axis=-1)
    assert np.mean(order[..., 0] == cells.first) > 0.999
    assert np.mean(order[..., 1] == cells.second) > 0.97  # the second may lie beyond the nine candidates
    nearest = np.sqrt(np.take_along_axis(square, order[..., :1], -1)[..., 0])
    np.testing.assert_allclose(cells.distance, nearest, rtol=1e-3, atol=1e-3)
    dx, dy = cells.offset()
    np.testing.assert_allclose(np.hypot(dx, dy), nearest, rtol=1e-3, atol=1e-3)


def test_an_edge_is_half_way_between_two_seeds():
    cells = cells_of()
    seeds = np.stack([cells.seed_x, cells.seed_y], axis=-1)
    own, other = seeds[cells.first], seeds[cells.second]
    pixel = np.stack([cells.x, cells.y], axis=-1)
    along = (other - own) / np.linalg.norm(other - own, axis=-1, keepdims=True)
    to_line = (((own + other) / 2 - pixel) * along).sum(axis=-1)
    np.testing.assert_allclose(cells.edge, to_line, atol=0.05)
    assert (cells.edge_between(np.zeros(cells.count)) == np.float32(FAR)).all()
    assert np.array_equal(cells.edge_between(np.arange(cells.count)), cells.edge)


def test_cups_are_the_lower_envelope_of_their_bowls():
    cells, rng = cells_of(24), np.random.default_rng(3)
    height = cups(rng, cells, (0.8, 0.8), (1.0, 1.0))
    square = (cells.x[..., None] - cells.seed_x) ** 2 + (cells.y[..., None] - cells.seed_y) ** 2
    bowls = (square / 12.0**2 - 1) * 0.8 * 12.0
    assert np.mean(np.abs(height - np.minimum(bowls.min(axis=-1), 0)) < 0.05) > 0.98
    assert not cups(rng, cells, (0.5, 1.0), share=0.0).any()
    flat = cups(np.random.default_rng(3), cells, (0.8, 0.8), (1.0, 1.0), steep=1.0)
    assert np.all(flat <= height + 0.01)  # a flat bottom is deeper everywhere


def test_grains_stand_above_the_surface():
    for crystals in (False, True):
        height = grains(np.random.default_rng(0), cells_of(), (0.3, 0.4), 1.0, crystals=crystals)
        assert height.dtype == np.float32
        assert height.min() == 0
        assert 0 < height.max() <= 0.4 * 12.0 + 1e-3
        assert 0.1 < np.mean(height > 0) < 0.8
    assert not grains(np.random.default_rng(0), cells_of(), (0.3, 0.4), 0.0).any()
