"""The size of a network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hmcbench.torchkit.measure import count_multiply_adds, count_parameters

pytestmark = pytest.mark.torch


def test_parameters_and_multiply_adds() -> None:
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 64, 5))
    net[0].weight.requires_grad_(False)
    assert count_parameters(net) == 4 + 8 + (256 * 5 + 5)
    assert count_multiply_adds(net, (2, 8, 8), torch.device("cpu")) == 64 * 4 * 18 + 256 * 5
    assert net.training
