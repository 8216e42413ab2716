"""Augmentation: the warp does what it says, the draws stay in their ranges, samples differ."""

from __future__ import annotations

import math

import pytest
import torch

from hmcbench.errors import BadInput
from hmcbench.torchkit.augment import AUGMENTATIONS, Augmentation, Augmenter, warp

pytestmark = pytest.mark.torch


def augmenter(seed: int = 0, **ranges: object) -> Augmenter:
    made = Augmenter("none", torch.Generator().manual_seed(seed))
    made.ranges = Augmentation(**ranges)  # type: ignore[arg-type]
    return made


def as_float(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float()


def within(x: torch.Tensor, low: float, high: float) -> bool:
    return bool(((x >= low - 1e-3) & (x <= high + 1e-3)).all())


def images(n: int, side: int = 16) -> torch.Tensor:
    return torch.randint(0, 256, (n, 1, side, side), generator=torch.Generator().manual_seed(1)).to(
        torch.uint8
    )


def test_the_identity_changes_nothing() -> None:
    x = images(3).float()
    torch.testing.assert_close(warp(x, torch.eye(2, 3).expand(3, 2, 3)), x, atol=1e-3, rtol=0)
    torch.testing.assert_close(augmenter()(images(3), as_float), x, atol=1e-3, rtol=0)
    assert torch.equal(Augmenter("none", torch.Generator())(images(3), as_float), x)


def test_flips_are_exact() -> None:
    x = images(4)
    assert torch.equal(augmenter(flip=1.0)(x, as_float), x.flip(3).float())
    assert torch.equal(augmenter(flip_vertical=1.0)(x, as_float), x.flip(2).float())
    some = augmenter(flip=0.3)(x[:1].expand(2000, 1, 16, 16), as_float)
    assert 0.25 < float((some == x[0].flip(2).float()).all((1, 2, 3)).float().mean()) < 0.35


def test_a_quarter_turn_is_exact() -> None:
    x = images(1).float()
    turn = torch.tensor([[[0.0, -1, 0], [1, 0, 0]]])
    torch.testing.assert_close(warp(x, turn), x.rot90(1, (2, 3)), atol=1e-2, rtol=0)


def test_a_crop_shows_its_part_of_the_image() -> None:
    x = torch.arange(16.0).repeat(16, 1)[None, None]  # grey rises to the right by 1 per pixel
    right_half = torch.tensor([[[0.5, 0, 0.5], [0, 0.5, 0]]])
    out = warp(x, right_half)[0, 0, 8]
    torch.testing.assert_close(out[:15], 7.75 + 0.5 * torch.arange(15.0), atol=1e-3, rtol=0)


def test_crops_follow_their_distribution() -> None:
    made = augmenter(scale=(0.3, 0.8), ratio=(3 / 4, 4 / 3))
    assert made.ranges is not None
    affine = made._affine(4000, made.ranges)
    width, height, x, y = affine[:, 0, 0], affine[:, 1, 1], affine[:, 0, 2], affine[:, 1, 2]
    area, ratio = width * height, width / height
    assert within(area, 0.3, 0.8)
    assert float(area.mean()) == pytest.approx(0.55, abs=0.01)  # uniform: nearly all draws fit
    assert within(ratio, 3 / 4, 4 / 3)
    assert float(ratio.log().mean()) == pytest.approx(0, abs=0.01)
    assert bool((x.abs() <= 1 - width + 1e-6).all()) and bool((y.abs() <= 1 - height + 1e-6).all())


def test_rotations_follow_their_distribution() -> None:
    made = augmenter(degrees=20.0)
    assert made.ranges is not None
    affine = made._affine(4000, made.ranges)
    angle = torch.atan2(affine[:, 1, 0], affine[:, 1, 1]) * 180 / math.pi
    assert float(angle.abs().max()) <= 20
    assert float(angle.std()) == pytest.approx(20 / math.sqrt(3), rel=0.05)


def test_erasing_blanks_one_rectangle_in_its_share_of_the_samples() -> None:
    x = torch.ones(400, 1, 32, 32, dtype=torch.uint8)
    blank = (augmenter(erase=0.5)(x, as_float)[:, 0] == 0).float()
    erased = blank.flatten(1).any(1)
    assert float(erased.float().mean()) == pytest.approx(0.5, abs=0.08)
    share = blank[erased].mean((1, 2))
    assert within(share, 0.015, 0.36)
    rows, columns = blank[erased].amax(2), blank[erased].amax(1)
    torch.testing.assert_close(rows[:, :, None] * columns[:, None, :], blank[erased])  # a full rectangle


def test_contrast_and_brightness_act_on_normalised_images() -> None:
    x = images(200)
    out = augmenter(contrast=0.2, brightness=0.3)(x, lambda p: (p.float() - 127.5) / 70)
    base = (x.float() - 127.5) / 70
    slope = out.std((1, 2, 3)) / base.std((1, 2, 3))
    assert within(slope, 0.8, 1.2)
    assert 0.1 < float((out.mean((1, 2, 3)) - base.mean((1, 2, 3)) * slope).abs().mean()) < 0.2


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_named_augmentations_are_seeded_and_differ_between_samples(name: str) -> None:
    x = images(1).expand(8, 1, 16, 16)
    once, again, other = (Augmenter(name, torch.Generator().manual_seed(s))(x, as_float) for s in (3, 3, 4))
    assert torch.equal(once, again) and bool(once.isfinite().all()) and once.shape == x.shape
    if name != "none":
        assert not torch.equal(once, other)
        assert len({row.numpy().tobytes() for row in once}) == 8


def test_unknown_names_are_refused() -> None:
    with pytest.raises(BadInput, match="none, light, paper, sem"):
        Augmenter("strong", torch.Generator())
