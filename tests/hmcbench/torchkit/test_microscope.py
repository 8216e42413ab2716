"""Faults of a microscope: each does what it is named after, and no more."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from hmcbench.torchkit.microscope import SEM, Microscope

pytestmark = pytest.mark.torch


def apply(x: torch.Tensor, **ranges: float) -> torch.Tensor:
    return Microscope(**ranges)(x, torch.Generator().manual_seed(1))


def noise(n: int) -> torch.Tensor:
    return torch.randn((n, 1, 32, 32), generator=torch.Generator().manual_seed(2))


def test_drift_changes_brightness_along_the_slow_axis_only() -> None:
    x = torch.zeros(50, 1, 32, 32)
    out = apply(x, drift=0.4)
    assert torch.equal(out, out[..., :1].expand_as(out))
    assert float(out.abs().max()) <= 0.4 and float(out.abs().max()) > 0.1
    steps = (out[:, 0, 1:, 0] - out[:, 0, :-1, 0]).abs()
    assert float(steps.max()) < 0.1  # slowly


def test_streaks_are_thin_bands_that_fade_along_the_fast_axis() -> None:
    out = apply(torch.zeros(200, 1, 32, 32), streak=1.0)[:, 0]
    touched = (out.abs() > 0.02).any(2).sum(1)  # rows
    assert 0 in touched.tolist() and int(touched.max()) <= 18
    assert float(out.abs().max()) > 0.5
    assert bool((out > 0.1).any()) and bool((out < -0.1).any())
    image = out[touched.argmax()]
    row = image[image.abs().amax(1).argmax()].abs()
    assert float(row[-1]) < float(row.max())


def test_blur_takes_contrast_from_fine_texture_and_keeps_the_mean() -> None:
    x = noise(100)
    out = apply(x, blur=1.0)
    kept = out.std((1, 2, 3)) / x.std((1, 2, 3))
    assert float(kept.min()) < 0.5 and float(kept.max()) > 0.95 and bool((kept <= 1).all())
    flat = torch.ones(4, 1, 8, 8)
    torch.testing.assert_close(apply(flat, blur=1.0), flat)


def test_noise_has_the_strength_that_was_asked_for() -> None:
    strength = apply(torch.zeros(400, 1, 32, 32), noise=0.2).std((1, 2, 3))
    assert float(strength.max()) < 0.22 and float(strength.mean()) == pytest.approx(0.1, abs=0.01)


def test_every_part_can_be_switched_off() -> None:
    x = noise(3)
    assert torch.equal(apply(x), x)
    for field in dataclasses.fields(SEM):
        assert not torch.equal(apply(x, **{field.name: getattr(SEM, field.name)}), x)
