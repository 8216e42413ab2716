"""Rare classes: how often a sample is drawn, or how much it counts."""

from __future__ import annotations

import torch


def sample_weights(targets: torch.Tensor) -> torch.Tensor:
    """Weights (N,) of mean 1 under which all classes weigh the same.

    Single paths (int64 (N, L)): 1 / number of samples with the same path. Sets of labels (bool
    (N, C)): the mean of 1 / number of samples over the sample's own classes, deep ones counting
    like shallow ones; a sample without labels gets the mean of all others.
    """
    weights: torch.Tensor
    if targets.dtype != torch.bool:
        _, which, counts = torch.unique(targets, dim=0, return_inverse=True, return_counts=True)
        weights = 1 / counts[which].double()
    else:
        rarity = 1 / targets.sum(0).clamp_min(1).double()
        labels = targets.sum(1)
        weights = (targets * rarity).sum(1) / labels.clamp_min(1)
        some = labels > 0
        weights = torch.where(some, weights, weights.sum() / some.sum().clamp_min(1))
        if not bool(some.any()):
            weights = torch.ones_like(weights)
    scaled: torch.Tensor = weights / weights.mean()
    return scaled.float()
