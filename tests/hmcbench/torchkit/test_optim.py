"""Schedules and optimizers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hmcbench.torchkit.optim import make_optimizer, rate_factor, set_learning_rate
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch


def rates(schedule: str, steps: int = 100, warmup: int = 0) -> list[float]:
    return [rate_factor(schedule, step, steps, warmup) for step in range(steps)]


def test_cosine_is_torchs_cosine_annealing() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    expected = []
    for _ in range(100):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates("cosine") == pytest.approx(expected, abs=1e-9)


def test_onecycle_rises_to_one_and_falls_to_nearly_nothing() -> None:
    values = rates("onecycle")
    assert values[0] == pytest.approx(1 / 25) and values[25] == 1 and values[-1] == pytest.approx(1e-4)
    assert values[:26] == sorted(values[:26]) and values[25:] == sorted(values[25:], reverse=True)
    assert all(0 < v <= 1 for n in (1, 2, 3) for v in rates("onecycle", n))


def test_warm_up_is_linear() -> None:
    assert rates("constant", 6, warmup=3) == [0.25, 0.5, 0.75, 1, 1, 1]
    values = rates("cosine", 10, warmup=4)
    assert values[:4] == [0.2, 0.4, 0.6, 0.8] and values[4] == 1 and 0 < values[-1] < 0.1


def test_adamw_spares_norms_and_biases_and_sgd_does_not() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    decayed, spared = make_optimizer(net, Recipe(weight_decay=0.3)).param_groups
    assert decayed["weight_decay"] == 0.3 and [p.ndim for p in decayed["params"]] == [2]
    assert spared["weight_decay"] == 0 and len(spared["params"]) == 3
    (group,) = make_optimizer(net, Recipe(optimizer="sgd", weight_decay=0.3, momentum=0.937)).param_groups
    assert group["weight_decay"] == 0.3 and group["momentum"] == 0.937 and len(group["params"]) == 4


def test_frozen_parameters_are_left_out() -> None:
    net = nn.Linear(3, 4)
    net.weight.requires_grad_(False)
    groups = make_optimizer(net, Recipe()).param_groups
    assert [len(g["params"]) for g in groups] == [0, 1]


def test_the_learning_rate_reaches_every_group() -> None:
    optimizer = make_optimizer(nn.Linear(3, 4), Recipe())
    set_learning_rate(optimizer, 0.5)
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.5]
