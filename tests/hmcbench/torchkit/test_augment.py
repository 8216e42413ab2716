"""Augmentation: the warp does what it says, the draws have their distributions, mixed images their shares.

Beside the torchvision transforms that the paper names.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torchvision import transforms as tv
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.testing.helpers import tiny_hierarchy
from hmcbench.torchkit.augment import AUGMENTATIONS, Augmentation, Augmenter, Goal, Mixer, box, warp
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.losses import LevelLoss
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch
DRAWS, SIDE = 4000, 4000  # a large image, as torchvision rounds its rectangles to pixels
PAPER = AUGMENTATIONS["paper"] or Augmentation()


def augmenter(seed: int = 0, **ranges: object) -> Augmenter:
    instance = Augmenter("none", torch.Generator().manual_seed(seed))
    instance.ranges = Augmentation(**ranges)  # type: ignore[arg-type]
    return instance


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
    flipped = augmenter(flip=0.3)(x[:1].expand(2000, 1, 16, 16), as_float)
    assert 0.25 < float((flipped == x[0].flip(2).float()).all((1, 2, 3)).float().mean()) < 0.35


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
    instance = augmenter(scale=(0.3, 0.8), ratio=(3 / 4, 4 / 3))
    assert instance.ranges is not None
    affine = instance._affine(4000, instance.ranges)
    width, height, x, y = affine[:, 0, 0], affine[:, 1, 1], affine[:, 0, 2], affine[:, 1, 2]
    area, ratio = width * height, width / height
    assert within(area, 0.3, 0.8)
    assert float(area.mean()) == pytest.approx(0.55, abs=0.01)  # uniform: nearly all draws fit
    assert within(ratio, 3 / 4, 4 / 3)
    assert float(ratio.log().mean()) == pytest.approx(0, abs=0.01)
    assert bool((x.abs() <= 1 - width + 1e-6).all()) and bool((y.abs() <= 1 - height + 1e-6).all())


def test_rotations_follow_their_distribution() -> None:
    instance = augmenter(degrees=20.0)
    assert instance.ranges is not None
    affine = instance._affine(4000, instance.ranges)
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


def batch(n: int = 64) -> tuple[torch.Tensor, Goal]:
    """Image k has the grey value k everywhere and target k: what is seen tells where it came from."""
    grey = torch.arange(float(n))
    return grey[:, None, None, None].expand(n, 1, 32, 32).contiguous(), Goal(grey.long()[:, None])


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0), (0, 1.0), (0.4, 1.0)])
def test_shares_say_what_is_seen(mixup: float, cutmix: float) -> None:
    images, goal = batch()
    mixed, (own, other) = Mixer(mixup, cutmix, 3)(images, goal)
    assert own.share is not None and other.share is not None
    torch.testing.assert_close(own.share + other.share, torch.ones(64))
    seen = own.share * own.targets[:, 0] + other.share * other.targets[:, 0]
    torch.testing.assert_close(mixed.mean((1, 2, 3)), seen, atol=1e-3, rtol=1e-4)
    assert sorted(other.targets[:, 0].tolist()) == list(range(64))
    values = [len(image.unique()) for image in mixed]
    if not cutmix:
        assert set(values) == {1}  # blends
    if not mixup:
        assert set(values) <= {1, 2} and 2 in values  # rectangles
        assert all(
            v in (a, b) for m, a, b in zip(mixed, own.targets, other.targets, strict=True) for v in m.unique()
        )


def test_off_is_off_and_seeds_repeat() -> None:
    images, goal = batch(8)
    same, goals = Mixer(0, 0, 1)(images, goal)
    assert same is images and goals == [goal]
    assert torch.equal(Mixer(0.2, 1, 1)(images, goal)[0], Mixer(0.2, 1, 1)(images, goal)[0])
    assert not torch.equal(Mixer(0.2, 1, 1)(images, goal)[0], Mixer(0.2, 1, 2)(images, goal)[0])


@pytest.mark.parametrize("paths", ["single", "multiple"])
def test_the_loss_of_two_goals_is_that_of_soft_targets(paths: str) -> None:
    layout = Layout(Task(hierarchy=tiny_hierarchy(), paths=paths), torch.device("cpu"))  # type: ignore[arg-type]
    loss = LevelLoss(layout, Recipe(loss="cross_entropy", label_smoothing=0, level_weights="1,1"))
    levels = [torch.randn(2, 2), torch.randn(2, 5)]
    single = torch.tensor([[0, 1], [1, 3]])
    sets = torch.cat([torch.nn.functional.one_hot(single[:, k], n) for k, n in enumerate((2, 5))], 1)
    targets = single if paths == "single" else sets[:, _columns(layout)].bool()
    share = torch.tensor([0.7, 0.2])
    goals = [Goal(targets, share), Goal(targets.flip(0), 1 - share)]
    got = torch.stack([loss(levels, g.targets, g.factor) for g in goals]).sum()
    soft = share[:, None] * sets + (1 - share[:, None]) * sets.flip(0)
    a, b = soft.split([2, 5], 1)
    if paths == "single":
        expected = torch.nn.functional.cross_entropy(levels[0], a) + torch.nn.functional.cross_entropy(
            levels[1], b
        )
    else:
        bce = torch.nn.functional.binary_cross_entropy_with_logits
        expected = bce(levels[0], a) + bce(levels[1], b)
    torch.testing.assert_close(got, expected)


def _columns(layout: Layout) -> torch.Tensor:
    """Positions, in level order, of the classes as they stand in (N, C)."""
    return torch.cat(layout.columns).argsort()


def ours() -> tuple[Augmenter, np.ndarray]:
    instance = Augmenter("paper", torch.Generator().manual_seed(5))
    return instance, instance._affine(DRAWS, PAPER).numpy()


def alike(a: object, b: object) -> bool:
    """A Kolmogorov-Smirnov test does not tell two samples apart (fixed seeds: no flakes)."""
    return bool(ks_2samp(np.asarray(a), np.asarray(b)).pvalue > 0.01)


def test_crops_have_the_distribution_of_random_resized_crop() -> None:
    torch.manual_seed(0)
    image = torch.empty(1, 1, 1).expand(1, SIDE, SIDE)
    drawn = np.array(
        [tv.RandomResizedCrop.get_params(image, list(PAPER.scale), list(PAPER.ratio)) for _ in range(DRAWS)]
    )
    top, left, height, width = drawn.T / SIDE
    _, affine = ours()
    angle = np.arctan2(
        -affine[:, 0, 1] / affine[:, 0, 0], 1
    )  # of the rotation, whatever was cropped or flipped
    w, h = np.abs(affine[:, 0, 0]) / np.cos(angle), affine[:, 1, 1] / np.cos(angle)
    assert alike(width, w) and alike(height, h) and alike(width / height, w / h)
    assert alike(left, (affine[:, 0, 2] + 1 - w) / 2) and alike(top, (affine[:, 1, 2] + 1 - h) / 2)
    assert not alike(width, w**1.1)  # the test can tell


def test_flips_and_rotations_have_the_distribution_of_torchvision() -> None:
    torch.manual_seed(0)
    _, affine = ours()
    drawn = [tv.RandomRotation.get_params([-PAPER.degrees, PAPER.degrees]) for _ in range(DRAWS)]
    sign = np.sign(affine[:, 0, 0])
    angle = np.degrees(np.arctan2(affine[:, 1, 0], affine[:, 1, 1]))  # the scale of y stands in both
    assert alike(drawn, angle)
    flipped = tv.RandomHorizontalFlip(PAPER.flip)
    theirs = np.mean([float(flipped(torch.tensor([[[0.0, 1.0]]]))[0, 0, 0]) for _ in range(DRAWS)])
    assert (sign < 0).mean() == pytest.approx(theirs, abs=4 * math.sqrt(0.5 / DRAWS))


def test_erased_rectangles_have_the_distribution_of_random_erasing() -> None:
    torch.manual_seed(0)
    image = torch.empty(1, 1, 1).expand(1, SIDE, SIDE)
    drawn = [
        tv.RandomErasing.get_params(image, PAPER.erase_scale, PAPER.erase_ratio, [0.0])[:4]
        for _ in range(DRAWS)
    ]
    top, left, height, width = np.array(drawn).T / SIDE
    instance = Augmenter("paper", torch.Generator().manual_seed(5))
    h, w = instance._rectangle(DRAWS, PAPER.erase_scale, PAPER.erase_ratio, whole=False)
    assert alike(height, h) and alike(width, w) and alike(height / width, h / w)
    where = instance._uniform((2, DRAWS), 0, 1)
    mask = box((512, 512), h[:1000], w[:1000], where[:, :1000])
    assert alike(top, mask.any(2).int().argmax(1) / 512) and alike(left, mask.any(1).int().argmax(1) / 512)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("crop", [(0, 0, 96, 96), (8, 20, 60, 72), (30, 5, 48, 40)])
@pytest.mark.parametrize("degrees", [0.0, 13.0, -7.0])
def test_one_warp_equals_the_transforms_in_a_row(
    flip: bool, crop: tuple[int, int, int, int], degrees: float
) -> None:
    y, x = torch.meshgrid(torch.linspace(0, 3, 96), torch.linspace(0, 3, 96), indexing="ij")
    image = (128 + 60 * torch.sin(2 * x + y) + 50 * torch.cos(x - 3 * y))[None, None]
    top, left, height, width = crop
    rows = TF.resized_crop(
        image, top, left, height, width, [96, 96], InterpolationMode.BILINEAR, antialias=True
    )
    if flip:
        rows = TF.hflip(rows)
    rows = TF.rotate(rows, degrees, InterpolationMode.BILINEAR, fill=[-999.0])
    # output -> input of the same parameters: rotate, flip, crop
    a, b = width / 96 * (-1 if flip else 1), height / 96
    shift_x, shift_y = (2 * left + width) / 96 - 1, (2 * top + height) / 96 - 1
    turn = math.radians(degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    affine = torch.tensor([[[a * cos, -a * sin, shift_x], [b * sin, b * cos, shift_y]]])
    inside = rows > 0  # not the corners, which are filled differently
    assert float(inside.float().mean()) > 0.75
    assert float((warp(image, affine) - rows)[inside].abs().mean()) <= 2
