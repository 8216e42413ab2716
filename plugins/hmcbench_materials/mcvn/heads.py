"""The last layer of MCVN for a task: which outputs, which loss, and back to scores."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch.nn import functional as F

from hmcbench.errors import BadInput
from hmcbench.interfaces import Scores, Task
from hmcbench.torchkit.layout import Layout


class Head(Protocol):
    """The part of MCVN that depends on the targets of a task.

    Attributes:
        outputs: of the last layer.
        networks: that one member of a cell needs.
        kind: equal for heads whose networks may be trained together.
    """

    outputs: int
    networks: int
    kind: tuple[Any, ...]

    def encode(self, targets: Any) -> torch.Tensor:
        """Targets (n, ...) -> (networks, n, ...)."""
        ...

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(M, B, outputs), (M, B, ...) -> (M, B)."""
        ...

    def scores(self, outputs: torch.Tensor) -> Scores:
        """(members, networks, n, outputs) -> the mean over members, as scores of the task."""
        ...


class RegressionHead:
    """One network per target (the paper trains one for each), mean squared error (equation 7).

    Targets are standardised by their mean and deviation over the training samples.
    """

    outputs = 1

    def __init__(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        self.mean, self.deviation = mean, deviation
        self.networks = len(mean)
        self.kind = ("regression", self.networks)

    @classmethod
    def of(cls, task: Task, targets: np.ndarray) -> RegressionHead:
        values = np.asarray(targets, dtype=np.float64)
        if not np.isfinite(values).all():
            name = task.targets[int(np.argwhere(~np.isfinite(values))[0, 1])]
            raise BadInput(f"mcvn: the target {name} has missing or infinite values", allowed="numbers")
        deviation = values.std(axis=0)
        return cls(values.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def encode(self, targets: Any) -> torch.Tensor:
        scaled = (np.asarray(targets, dtype=np.float64) - self.mean) / self.deviation
        return torch.as_tensor(scaled.T.copy())

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (outputs.squeeze(2) - targets).square()

    def scores(self, outputs: torch.Tensor) -> Scores:
        means = outputs.squeeze(3).mean(0).numpy().T  # (n, T)
        return Scores(means * self.deviation + self.mean)


class ClassHead:
    """One network with a block of outputs per level (equation 9 for each): softmax, or sigmoids.

    Where paths may end early every level has one more output, ``stop``.
    """

    networks = 1

    def __init__(self, task: Task) -> None:
        self.layout = Layout(task, torch.device("cpu"))
        self.outputs = sum(self.layout.sizes)
        self.kind = ("classes", self.layout.single, *self.layout.sizes)
        self._sizes = list(self.layout.sizes)
        self._order = torch.cat(self.layout.columns)

    def encode(self, targets: Any) -> torch.Tensor:
        encoded = self.layout.encode(targets)  # (n, L) class numbers, or bool (n, C)
        return (encoded if self.layout.single else encoded[:, self._order].double())[None]

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if not self.layout.single:
            return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(2)
        levels = torch.split(outputs.flatten(0, 1), self._sizes, dim=1)
        parts = [
            F.cross_entropy(logits, targets[..., k].flatten(), reduction="none")
            for k, logits in enumerate(levels)
        ]
        return torch.stack(parts).sum(0).reshape(outputs.shape[:2])

    def scores(self, outputs: torch.Tensor) -> Scores:
        levels = [self.layout.probabilities(torch.split(member[0], self._sizes, dim=1)) for member in outputs]
        values = torch.stack([classes for classes, _ in levels]).mean(0).numpy()
        stops = [stop for _, stop in levels if stop is not None]
        return Scores(values, torch.stack(stops).mean(0).numpy() if stops else None)


def head_for(task: Task, targets: Any) -> Head:
    """The head of a task; ``targets`` are those of the training samples."""
    return RegressionHead.of(task, targets) if task.kind == "regression" else ClassHead(task)
