"""Numbers that are the same everywhere: weights and images made of sines, not of random draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def waves() -> Callable[..., Any]:
    """``waves(2, 3, 8, 8)``: a float tensor of that shape with values in -1..1."""
    import torch

    def make(*shape: int, phase: float = 0.0) -> Any:
        steps = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
        return torch.sin(0.7 * steps + phase + 0.3 * (steps % 11)).reshape(shape).float()

    return make


@pytest.fixture
def constructed(waves: Callable[..., Any]) -> Callable[[Any], Any]:
    """``constructed(module)``: the module in eval mode, every parameter filled with waves.

    Weights are scaled so that activations stay near 1; biases and scales keep away from 0 and 1.
    """
    import torch

    @torch.no_grad()
    def fill(module: Any) -> Any:
        for i, (name, p) in enumerate(module.named_parameters()):
            drawn = waves(*p.shape, phase=float(i))
            if p.ndim > 1:
                fan_in = p[0].numel() if p.shape[0] > 1 else 1
                p.copy_(drawn * (2.0 / fan_in) ** 0.5)
            else:
                p.copy_(0.2 * drawn + (0.0 if name.endswith("bias") else 1.0))
        return module.eval()

    return fill
