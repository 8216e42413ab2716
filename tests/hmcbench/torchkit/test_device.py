"""Which number format a network computes in."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hmcbench.torchkit import device
from hmcbench.torchkit.device import has_depthwise, precision

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
PLAIN = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=2))
DEPTHWISE = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4))


def test_a_convolution_of_one_channel_is_not_depthwise() -> None:
    assert has_depthwise(DEPTHWISE)
    assert not has_depthwise(PLAIN)
    assert not has_depthwise(None)


@pytest.mark.parametrize(("module", "expected"), [(PLAIN, torch.bfloat16), (DEPTHWISE, torch.float32)])
def test_depthwise_networks_stay_in_float32_on_a_cpu(
    module: nn.Module, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "has_bfloat16", lambda _: True)
    with precision(CPU, module):
        assert module(torch.zeros(1, 1, 8, 8)).dtype == expected
    monkeypatch.setattr(device, "has_bfloat16", lambda _: False)
    with precision(CPU, module):
        assert module(torch.zeros(1, 1, 8, 8)).dtype == torch.float32
