"""The running mean of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Ema:
    """Exponential moving average: after every step, mean = d mean + (1 - d) weights.

    d rises with the steps to ``decay``, as min(decay, (1 + t) / (10 + t)), so that short trainings
    forget their random start. Buffers (the statistics of batch norms) are those of the network.

    Attributes:
        module: a copy of the network, in eval mode, with the averaged weights.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self._mean = tuple[torch.Tensor, ...](self.module.parameters())
        self._now = tuple[torch.Tensor, ...](module.parameters())
        self._buffers = list(zip(self.module.buffers(), module.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After the optimizer's step number ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._mean, self._now, 1 - decay)
        for mean, now in self._buffers:
            mean.copy_(now)
