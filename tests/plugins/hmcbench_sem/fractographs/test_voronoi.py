"""Cells around random seeds, beside a slow version."""

from __future__ import annotations

import numpy as np
import pytest
from hmcbench_sem.fractographs.fields import View, rotated
from hmcbench_sem.fractographs.voronoi import Voronoi


@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_cells_against_brute_force(spread):
    view = View.of(48, 0.7, 0.5)
    x, y = rotated(view, 0.7)
    cells = Voronoi(np.random.default_rng(1), view, x, y, 0.13, spread=spread)
    power = (x[..., None] - cells.seed_x) ** 2 + (y[..., None] - cells.seed_y) ** 2 + cells._handicap
    nearest = power.argmin(axis=-1)
    assert np.mean(nearest == cells.nearest) > 0.999
    pixel = np.hypot(x[0, 1] - x[0, 0], y[0, 1] - y[0, 0])
    apart = np.hypot(x.ravel()[:, None] - x.ravel(), y.ravel()[:, None] - y.ravel())

    def reach(label):
        """Distance of every pixel to the nearest one with another label."""
        mine = label[cells.nearest].ravel()
        return np.where(mine[:, None] != mine, apart, np.inf).min(axis=1).reshape(x.shape)

    steps = reach(np.arange(cells.count)) - cells.edge
    assert np.quantile(steps, 0.001) > -1e-4
    assert np.quantile(steps, 0.999) < 3 * pixel
    label = np.random.default_rng(2).integers(0, 3, cells.count)
    beside = reach(label) < 1.01 * pixel
    assert 0.1 < beside.mean() < 0.9
    assert cells.edge_between(label)[beside].max() < 1.1 * pixel
    assert np.all(cells.edge_between(label) >= cells.edge)
    assert cells.edge_between(np.zeros(cells.count)).min() > 100
