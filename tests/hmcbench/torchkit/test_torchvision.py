"""Augmentation beside the torchvision transforms that the paper names."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torchvision import transforms as tv
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

from hmcbench.torchkit.augment import AUGMENTATIONS, Augmentation, Augmenter, box, warp

pytestmark = pytest.mark.torch
DRAWS, SIDE = 4000, 4000  # a large image, as torchvision rounds its rectangles to pixels
PAPER = AUGMENTATIONS["paper"] or Augmentation()


def ours() -> tuple[Augmenter, np.ndarray]:
    made = Augmenter("paper", torch.Generator().manual_seed(5))
    return made, made._affine(DRAWS, PAPER).numpy()


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
    made = Augmenter("paper", torch.Generator().manual_seed(5))
    h, w = made._rectangle(DRAWS, PAPER.erase_scale, PAPER.erase_ratio, whole=False)
    assert alike(height, h) and alike(width, w) and alike(height / width, h / w)
    where = made._uniform((2, DRAWS), 0, 1)
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
