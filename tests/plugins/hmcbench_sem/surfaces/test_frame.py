"""Frames, random fields and profiles of version 3."""

from __future__ import annotations

import numpy as np
import pytest
from hmcbench_sem.surfaces.frame import Frame, noise, patches, profile


@pytest.mark.parametrize(("low", "high", "slope"), [(1, 8, 1.0), (6, 30, 0.5)])
def test_noise_is_standard_and_its_two_fields_are_independent(low, high, slope):
    rng, frame = np.random.default_rng(0), Frame(64, 50.0, 0.0)
    drawn = np.stack([noise(rng, frame, low, high, slope) for _ in range(40)])
    assert drawn.dtype == np.float32
    assert drawn.shape == (40, 2, frame.rows, 64)
    assert abs(drawn.mean()) < 0.1
    assert drawn.std() == pytest.approx(1, abs=0.1)
    assert abs((drawn[:, 0] * drawn[:, 1]).mean()) < 0.05
    square = drawn[:, 0, :64]
    power = np.abs(np.fft.rfft2(square * np.hanning(64) * np.hanning(64)[:, None])) ** 2
    k = np.hypot(np.fft.fftfreq(64, 1 / 64)[:, None], np.arange(33)[None, :])
    assert power[:, (k >= low - 2) & (k <= high + 2)].sum() > 0.95 * power.sum()


def test_a_tilted_view_is_foreshortened():
    flat, tilted = Frame(40, 80.0, 0.0), Frame(40, 80.0, 1.0)
    assert flat.pixel == tilted.pixel == 2.0
    assert np.ptp(tilted.y) == pytest.approx(np.ptp(flat.y) / np.cos(1.0), rel=1e-5)
    assert np.array_equal(flat.x, tilted.x)
    assert max(np.abs(tilted.x).max(), np.abs(tilted.y).max()) < tilted.reach


def test_patches_cover_the_share_that_was_asked_for():
    rng, frame = np.random.default_rng(1), Frame(48, 10.0, 0.2)
    fields = [noise(rng, frame, 2, 12, 0.5)[0] for _ in range(30)]
    for share in (0.1, 0.5, 0.9):
        assert np.mean([patches(field, share) for field in fields]) == pytest.approx(share, abs=0.05)
    assert not patches(fields[0], -0.1).any()


def test_a_profile_repeats_and_is_standard():
    at = np.linspace(-1, 2, 3000, endpoint=False, dtype=np.float32)[None]
    values = profile(np.random.default_rng(2), at, 1.0)[0]
    assert values.std() == pytest.approx(1, abs=0.05)
    assert np.abs(values[1000:2000] - values[2000:]).max() < 0.2
