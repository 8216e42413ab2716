"""Losses over the levels of a hierarchy, and weights of samples."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from hmcbench.errors import BadInput
from hmcbench.torchkit.layout import Layout, Masked, Output
from hmcbench.torchkit.recipes import Recipe


def focal_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    alpha: float = 1.0,
    gamma: float = 2.0,
    smoothing: float = 0.0,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Focal loss with label smoothing, the mean over samples of

        -alpha (1 - p)^gamma sum_i q_i log y_i

    with y the softmax of ``logits`` (B, n), p = y[target] and q the one-hot target mixed with
    ``smoothing`` parts of the uniform distribution (Han et al. 2025, eq. 1 and 2).
    gamma = 0 and alpha = 1 give cross-entropy.

    Args:
        logits: float (B, n).
        target: int64 (B,), 0..n-1.
        weight: float (B,), factors of the samples; the mean is still over all samples.
    """
    log_y = logits.float().log_softmax(1)
    log_p = log_y.gather(1, target[:, None]).squeeze(1)
    # sum_i q_i log y_i without building q
    fit = (1 - smoothing) * log_p + smoothing * log_y.mean(1)
    focus = _focus(log_p, gamma)
    loss = focus * fit if weight is None else focus * fit * weight
    return -alpha * loss.mean()


def sigmoid_focal_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    *,
    alpha: float = 1.0,
    gamma: float = 2.0,
    smoothing: float = 0.0,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """Focal loss with a sigmoid per class: every class is a softmax over (present, absent).

    The mean over samples and classes of -alpha (1 - p)^gamma [q log y + (1 - q) log(1 - y)], where
    p is the probability given to the truth and q = target (1 - smoothing) + smoothing / 2.

    Args:
        logits: float (B, n).
        target: bool (B, n).
        weight: as in :func:`focal_loss`.
    """
    present, absent = F.logsigmoid(logits.float()), F.logsigmoid(-logits.float())
    log_p = torch.where(target, present, absent)
    q = target.float() * (1 - smoothing) + smoothing / 2
    loss = _focus(log_p, gamma) * (q * present + (1 - q) * absent)
    return -alpha * (loss if weight is None else loss * weight[:, None]).mean()


def _focus(log_p: torch.Tensor, gamma: float) -> torch.Tensor:
    """(1 - p)^gamma; the floor keeps the gradient of the power finite at p = 1 for gamma < 1."""
    if gamma == 0:
        return torch.ones_like(log_p)
    return (-torch.expm1(log_p)).clamp_min(1e-6) ** gamma


def level_weights(text: str, depth: int) -> list[float]:
    """Weights of the levels, e.g. ``"1,2"``; the empty text gives level k the weight k.

    The paper gives two levels the weights 1 and 2 (eq. 3); this is the same rule for any depth.
    """
    if not text.strip():
        return [float(k) for k in range(1, depth + 1)]
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        weights = []
    if len(weights) != depth or not all(math.isfinite(w) and w >= 0 for w in weights):
        raise BadInput(
            f"level_weights={text!r} cannot be used",
            allowed=f"{depth} numbers >= 0 joined by commas, or nothing (level k weighs k)",
        )
    return weights


class LevelLoss:
    """L = sum over levels of weight_k L_k (Han et al. 2025, eq. 3), for all kinds of output."""

    def __init__(self, layout: Layout, recipe: Recipe) -> None:
        self.layout = layout
        self.weights = level_weights(recipe.level_weights, layout.depth)
        focal = recipe.loss == "focal"
        self.options = {
            "alpha": recipe.focal_alpha if focal else 1.0,
            "gamma": recipe.focal_gamma if focal else 0.0,
            "smoothing": recipe.label_smoothing,
        }

    def __call__(
        self, output: Output | Masked, targets: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The mean over samples; ``weight`` (B,) multiplies each."""
        if isinstance(output, Masked):
            output = output.highest(torch.cat(self.layout.per_level_sets(targets), dim=1))
        levels = self.layout.per_level(output)
        if self.layout.softmax(output):
            parts = [
                focal_loss(x, targets[:, k], weight=weight, **self.options) for k, x in enumerate(levels)
            ]
        else:
            sets = self.layout.per_level_sets(targets)
            parts = [
                sigmoid_focal_loss(x, y, weight=weight, **self.options)
                for x, y in zip(levels, sets, strict=True)
            ]
        return torch.stack([w * part for w, part in zip(self.weights, parts, strict=True)]).sum()


def sample_weights(targets: torch.Tensor) -> torch.Tensor:
    """Weights (N,) of mean 1 that balance the classes, for drawing samples or for the loss.

    Single paths (int64 (N, L)): 1 / number of samples with the same path. Sets of labels (bool
    (N, C)): the mean of 1 / number of samples over the sample's classes of all levels; a sample
    without labels gets the mean of all others.
    """
    weights: torch.Tensor
    if targets.dtype != torch.bool:
        _, path, counts = torch.unique(targets, dim=0, return_inverse=True, return_counts=True)
        weights = 1 / counts[path].double()
    else:
        rarity = 1 / targets.sum(0).clamp_min(1).double()
        labels = targets.sum(1)
        weights = (targets * rarity).sum(1) / labels.clamp_min(1)
        labelled = labels > 0
        weights = torch.where(labelled, weights, weights.sum() / labelled.sum().clamp_min(1))
        if not bool(labelled.any()):
            weights = torch.ones_like(weights)
    scaled: torch.Tensor = weights / weights.mean()
    return scaled.float()
