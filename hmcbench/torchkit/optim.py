"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import math

import torch
from torch import nn

from hmcbench.torchkit.recipes import Recipe

__all__ = ["rate_factor"]  # what plugins may use


def make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer of a recipe.

    ``sgd`` decays every parameter, as torch does by default and the paper's recipe implies;
    ``adamw`` does not decay biases and the scales of norms (all parameters of one dimension).
    """
    params = [p for p in module.parameters() if p.requires_grad]
    if recipe.optimizer == "sgd":
        rate, momentum, decay = recipe.learning_rate, recipe.momentum, recipe.weight_decay
        return torch.optim.SGD(params, lr=rate, momentum=momentum, weight_decay=decay, fused=True)
    groups = [
        {"params": [p for p in params if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in params if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value


def rate_factor(schedule: str, step: int, steps: int, warmup: int) -> float:
    """Share of the highest learning rate at ``step`` of ``steps`` (from 0), 0..1.

    * ``constant``: 1; ``cosine``: half a cosine from 1 to 0. Both after ``warmup`` linear steps.
    * ``onecycle``: half a cosine from 1/25 to 1 over the first quarter, then one down to 1/10,000
      (Smith & Topin 2018, with torch's start).
    """
    if schedule == "onecycle":
        peak = 0.25 * steps
        if step < peak:
            return _cosine(1 / 25, 1.0, step / peak)
        return _cosine(1.0, 1e-4, (step - peak) / max(1.0, steps - 1 - peak))
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "cosine":
        return _cosine(1.0, 0.0, (step - warmup) / max(1, steps - warmup))
    return 1.0


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2
