"""Regression by a network: targets as it learns them, their loss, and its outputs in their units."""

from __future__ import annotations

from typing import Any

import torch

from hmcbench.errors import BadInput, PluginError
from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import Layout, Output
from hmcbench.torchkit.losses import LevelLoss
from hmcbench.torchkit.recipes import Recipe


class TargetLayout:
    """The T targets of a regression; a network predicts each in deviations from its training mean.

    It has the methods of :class:`hmcbench.torchkit.layout.Layout` that a training needs, and no levels.

    Attributes:
        mean, deviation: of the training samples, T numbers each; a constant target has deviation 1.
    """

    single = stops = False
    depth = 0

    def __init__(self, task: Task, device: torch.device) -> None:
        self.names, self.device = task.targets, device
        self.n = len(task.targets)
        self.mean, self.deviation = [0.0] * self.n, [1.0] * self.n

    def fit(self, targets: Any) -> None:
        """Take mean and deviation from training targets (N, T)."""
        values = torch.as_tensor(targets, dtype=torch.float64)
        deviation = values.std(0, correction=0)
        self.mean = values.mean(0).tolist()
        self.deviation = torch.where(deviation > 0, deviation, 1.0).tolist()

    def encode(self, targets: Any) -> torch.Tensor:
        """Targets (N, T) -> float32 (N, T), scaled, on the device."""
        values = torch.as_tensor(targets, dtype=torch.float64)
        mean, deviation = (values.new_tensor(numbers) for numbers in (self.mean, self.deviation))
        return ((values - mean) / deviation).float().to(self.device)

    def check(self, output: Output) -> None:
        """Raise PluginError unless the output is one tensor (B, T), or a list of one."""
        levels = [output] if isinstance(output, torch.Tensor) else list(output)
        if [tuple(level.shape[1:]) for level in levels] != [(self.n,)]:
            shapes = ", ".join(str(tuple(level.shape)) for level in levels)
            raise PluginError(f"the module returned {shapes}", allowed=f"one tensor (B, {self.n}) of targets")

    def correct(self, output: Output, targets: torch.Tensor, share: Any = None) -> torch.Tensor:
        """Correct decisions per level: there are no levels, (0,)."""
        return torch.zeros(0, device=self.device)

    def scores(self, output: Output) -> tuple[torch.Tensor, None]:
        """Predictions in the units of the targets, float64 (B, T)."""
        scaled = targets_of(output).double()
        mean, deviation = (scaled.new_tensor(values) for values in (self.mean, self.deviation))
        return scaled * deviation + mean, None


def targets_of(output: Output) -> torch.Tensor:
    """Float32 (B, T) of a module's output."""
    return (output if isinstance(output, torch.Tensor) else output[0]).float()


class TargetLoss:
    """The mean squared error of scaled targets, over samples and targets."""

    def __call__(
        self, output: Output, targets: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The mean over samples; ``weight`` (B,) multiplies each."""
        errors = (targets_of(output) - targets).square().mean(1)
        return (errors if weight is None else errors * weight).mean()


def layout_of(task: Task, device: torch.device) -> Layout | TargetLayout:
    """Of classes, or of the targets of a regression."""
    return TargetLayout(task, device) if task.kind == "regression" else Layout(task, device)


def loss_of(layout: Layout | TargetLayout, recipe: Recipe) -> Any:
    """``loss(output, targets, weight)`` of a training.

    Raises:
        BadInput: parameters that need classes.
    """
    if isinstance(layout, Layout):
        return LevelLoss(layout, recipe)
    if recipe.balance != "none":
        raise BadInput(f"balance={recipe.balance} balances classes; this is a regression", allowed="none")
    return TargetLoss()
