"""Mixup and cutmix, for single paths and for sets of labels."""

from __future__ import annotations

import pytest
import torch

from hmcbench.interfaces import Task
from hmcbench.testing.helpers import tiny_hierarchy
from hmcbench.torchkit import Recipe
from hmcbench.torchkit.augment import Goal, Mixer
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.losses import LevelLoss

pytestmark = pytest.mark.torch


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
