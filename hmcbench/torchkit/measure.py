"""The size of a network: parameters and multiply-adds."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["count_parameters"]  # what plugins may use


def count_parameters(module: nn.Module) -> int:
    """Learnable parameters of the module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def count_multiply_adds(module: nn.Module, shape: tuple[int, int, int], device: torch.device) -> int:
    """Multiply-adds of convolutions, matrix products and attention for one input (C, H, W).

    Element-wise operations (norms, activations) are not counted, as usual.
    """
    was_training = module.training
    module.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(torch.zeros(1, *shape, device=device))
    module.train(was_training)
    return int(counter.get_total_flops()) // 2
