"""Losses against the paper's equations and against torch's own."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.testing.helpers import tiny_hierarchy
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.losses import LevelLoss, focal_loss, level_weights, sample_weights, sigmoid_focal_loss
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


def logits(rows: int, columns: int) -> torch.Tensor:
    return torch.sin(torch.arange(rows * columns, dtype=torch.float64) * 1.3).view(rows, columns) * 3


def by_hand(x: torch.Tensor, target: list[int], alpha: float, gamma: float, smoothing: float) -> float:
    """Equation 1 of Han et al. 2025, one sample and one class at a time."""
    total = 0.0
    for row, truth in zip(x.tolist(), target, strict=True):
        exps = [math.exp(v) for v in row]
        y = [e / sum(exps) for e in exps]
        q = [(1 - smoothing) * (i == truth) + smoothing / len(y) for i in range(len(y))]
        total += -alpha * (1 - y[truth]) ** gamma * sum(a * math.log(b) for a, b in zip(q, y, strict=True))
    return total / len(target)


@pytest.mark.parametrize(
    ("alpha", "gamma", "smoothing"), [(1, 2, 0.1), (0.25, 2, 0), (1, 0.5, 0.2), (2, 0, 0.1)]
)
def test_focal_loss_is_the_papers_equation(alpha: float, gamma: float, smoothing: float) -> None:
    x, target = logits(5, 4), [0, 3, 1, 1, 2]
    got = focal_loss(x, torch.tensor(target), alpha=alpha, gamma=gamma, smoothing=smoothing)
    assert float(got) == pytest.approx(by_hand(x, target, alpha, gamma, smoothing), rel=1e-5)


def test_without_focus_it_is_cross_entropy() -> None:
    x, target = logits(6, 3).float(), torch.tensor([0, 1, 2, 2, 1, 0])
    expected = F.cross_entropy(x, target, label_smoothing=0.1)
    torch.testing.assert_close(focal_loss(x, target, gamma=0, smoothing=0.1), expected)
    hot = F.one_hot(target, 3).bool()
    expected = F.binary_cross_entropy_with_logits(x, hot.float())
    torch.testing.assert_close(sigmoid_focal_loss(x, hot, gamma=0), expected)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_gradients_stay_finite_where_the_network_is_certain(gamma: float) -> None:
    x = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = focal_loss(x, torch.tensor([0, 0]), gamma=gamma, smoothing=0.1)
    loss = loss + sigmoid_focal_loss(x, torch.tensor([[True, False], [True, False]]), gamma=gamma)
    loss.backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and bool(loss.isfinite()) and bool(x.grad.isfinite().all())


def test_sigmoid_focal_loss_is_a_focal_loss_of_present_against_absent() -> None:
    x, target = logits(4, 3), torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]).bool()
    pairs = torch.stack([x, torch.zeros_like(x)], dim=2).view(-1, 2)  # softmax of (x, 0) = sigmoid of x
    expected = focal_loss(pairs, (~target).long().flatten(), smoothing=0.1)
    torch.testing.assert_close(sigmoid_focal_loss(x, target, smoothing=0.1), expected)


def test_levels_are_weighed_as_in_the_paper_unless_told_otherwise() -> None:
    assert level_weights("", 3) == [1, 2, 3]
    assert level_weights(" 1, 0.5 ", 2) == [1, 0.5]
    for bad in ("1", "1,2,3", "a,b", "1,nan", "-1,2"):
        with pytest.raises(BadInput, match="level_weights"):
            level_weights(bad, 2)


def test_total_loss_of_two_levels() -> None:
    task = Task(hierarchy=tiny_hierarchy())
    loss = LevelLoss(Layout(task, CPU), Recipe())
    levels, targets = [logits(3, 2).float(), logits(3, 5).float()], torch.tensor([[0, 1], [1, 2], [1, 4]])
    first, second = (focal_loss(x, targets[:, k], smoothing=0.1) for k, x in enumerate(levels))
    torch.testing.assert_close(loss(levels, targets), first + 2 * second)
    sigmoid = loss(torch.cat(levels, 1), targets)  # one tensor: a sigmoid per class
    multiple = Layout(dataclasses.replace(task, paths="multiple"), CPU)
    sets = torch.cat(Layout(task, CPU).per_level_sets(targets), dim=1)
    torch.testing.assert_close(sigmoid, LevelLoss(multiple, Recipe())(levels, sets))


def test_cross_entropy_ignores_the_focal_parameters() -> None:
    layout = Layout(Task(hierarchy=tiny_hierarchy()), CPU)
    recipe = Recipe(
        loss="cross_entropy", focal_alpha=7, focal_gamma=3, label_smoothing=0, level_weights="1,1"
    )
    levels, targets = [logits(3, 2).float(), logits(3, 5).float()], torch.tensor([[0, 1], [1, 2], [1, 4]])
    expected = sum(F.cross_entropy(x, targets[:, k]) for k, x in enumerate(levels))
    torch.testing.assert_close(LevelLoss(layout, recipe)(levels, targets), expected)


def test_weights_make_classes_equal() -> None:
    paths = torch.tensor([[0, 0]] * 6 + [[0, 1]] * 3 + [[1, 2]])
    weights = sample_weights(paths)
    assert float(weights.mean()) == pytest.approx(1)
    sums = [float(weights[(paths == row).all(1)].sum()) for row in paths.unique(dim=0)]
    assert sums == pytest.approx([10 / 3] * 3)
    sets = torch.tensor([[1, 0], [1, 0], [1, 1], [0, 0]]).bool()
    got = sample_weights(sets)
    assert got.tolist() == pytest.approx(
        (np.array([1 / 3, 1 / 3, 2 / 3, 4 / 9]) / np.mean([1 / 3, 1 / 3, 2 / 3, 4 / 9])).tolist()
    )
    assert sample_weights(torch.zeros(3, 2).bool()).tolist() == [1, 1, 1]
