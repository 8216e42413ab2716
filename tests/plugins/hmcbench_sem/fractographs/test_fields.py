"""Random fields: noise of a given spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from hmcbench_sem.fractographs.fields import View, noise


@pytest.mark.parametrize(("low", "high", "slope"), [(1, 8, 1.0), (6, 36, 0.5), (3, 20, 2.0)])
def test_noise_is_standard(low, high, slope):
    rng, view = np.random.default_rng(0), View.of(64, 1.0, 0.0)
    fields = np.stack([noise(rng, view, low, high, slope) for _ in range(60)])
    assert fields.dtype == np.float32
    assert abs(fields.mean()) < 0.1
    assert fields.std() == pytest.approx(1, abs=0.1)
    band = np.abs(np.fft.rfft2(fields * np.hanning(64) * np.hanning(64)[:, None])) ** 2
    k = np.hypot(np.fft.fftfreq(64, 1 / 64)[:, None], np.arange(33)[None, :])
    assert band[:, (k >= low - 2) & (k <= high + 2)].sum() > 0.95 * band.sum()
