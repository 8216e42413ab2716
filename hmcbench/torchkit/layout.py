"""How a module's outputs, encoded targets and class scores correspond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from hmcbench.errors import NotApplicable, PluginError
from hmcbench.interfaces import Task
from hmcbench.torchkit.maximum import DescendantMaximum

Output = torch.Tensor | Sequence[torch.Tensor]
"""Output of a module: logits per level, or one tensor of logits (B, C)."""


@dataclass(frozen=True)
class Masked:
    """Logits (B, C) whose maximum over descendants depends on the truth, for the loss.

    Attributes:
        logits: float (B, C), of every class by itself.
        maximum: of the hierarchy.
    """

    logits: torch.Tensor
    maximum: DescendantMaximum

    def highest(self, sets: torch.Tensor | None = None) -> torch.Tensor:
        """The highest logit at or below every class, (B, C).

        With the truth ``sets``, bool (B, C), a class that is present counts its present
        descendants only. Binary cross-entropy on that is MCLoss [Giunchiglia & Lukasiewicz
        2020]: a class present is never credited to a descendant that is absent.
        """
        result: torch.Tensor = self.maximum(self.logits, sets)
        return result


def hierarchy_of(task: Task) -> Any:
    """The task's hierarchy; raises NotApplicable where there is none."""
    if task.hierarchy is None:
        raise NotApplicable("this network predicts classes of a hierarchy, and the task has none")
    return task.hierarchy


def ends_early(task: Task) -> bool:
    """Whether a single path may end above the deepest level, so that levels need a ``stop`` column."""
    if task.paths == "multiple" or task.kind == "regression":
        return False
    hierarchy = hierarchy_of(task)
    return task.depth == "ragged" or bool((hierarchy.levels[hierarchy.leaves] < hierarchy.depth).any())


def level_sizes(task: Task) -> tuple[int, ...]:
    """Logits per level: the classes there, plus one for ``stop`` where single paths may end early.

    The targets of a regression are one level.
    """
    if task.kind == "regression":
        return (len(task.targets),)
    hierarchy = hierarchy_of(task)
    extra = int(ends_early(task))
    return tuple(len(hierarchy.level_classes(k)) + extra for k in range(1, hierarchy.depth + 1))


def level_rows(task: Task) -> list[list[tuple[int, str]]]:
    """The meaning of the logits of every level: (level from 0, class id), the id empty for ``stop``; or the
    names of the targets."""
    if task.kind == "regression":
        return [[(0, name) for name in task.targets]]
    hierarchy = hierarchy_of(task)
    stop = [""] * ends_early(task)
    levels = [[hierarchy.classes[c] for c in hierarchy.level_classes(k + 1)] for k in range(hierarchy.depth)]
    return [[(k, name) for name in names + stop] for k, names in enumerate(levels)]


class Layout:
    """The classes of every level, for the loss and the scores.

    Attributes:
        single: one path per sample (softmax per level), else several (sigmoid per class).
        stops: whether every level has a last ``stop`` column.
        sizes: logits per level, as :func:`level_sizes`.
        columns: per level the columns of its classes in (N, C) matrices.
    """

    def __init__(self, task: Task, device: torch.device) -> None:
        hierarchy = hierarchy_of(task)
        self.hierarchy = hierarchy
        self.n = hierarchy.n
        self.device = device
        self.single = task.paths == "single"
        self.stops = ends_early(task)
        self.sizes = level_sizes(task)
        levels = range(1, hierarchy.depth + 1)
        self.columns = [
            torch.as_tensor(hierarchy.level_classes(k).copy(), device=device).long() for k in levels
        ]

    @property
    def depth(self) -> int:
        return len(self.sizes)

    def encode(self, targets: Any) -> torch.Tensor:
        """Targets (N, C) -> int64 (N, L) for single paths, else bool (N, C), on the device."""
        if self.single:
            return torch.as_tensor(self.hierarchy.level_targets(targets), device=self.device).long()
        dense = targets.toarray() if hasattr(targets, "toarray") else targets
        return torch.as_tensor(np.asarray(dense, dtype=bool), device=self.device)

    def check(self, output: Output) -> None:
        """Raise PluginError unless the output has the shapes that the task asks for."""
        if isinstance(output, torch.Tensor):
            valid, shape = output.ndim == 2 and output.shape[1] == self.hierarchy.n, str(tuple(output.shape))
        else:
            shapes = [tuple(level.shape) for level in output]
            valid, shape = [s[1:] for s in shapes] == [(n,) for n in self.sizes], str(shapes)
        if not valid:
            raise PluginError(
                f"the module returned logits of shape {shape}",
                allowed=f"a list of (B, n), n = {list(self.sizes)}, or one tensor (B, {self.hierarchy.n})",
            )

    def softmax(self, output: Output) -> bool:
        """Whether an output means one softmax per level (else one sigmoid per class)."""
        return self.single and not isinstance(output, torch.Tensor)

    def per_level(self, output: Output) -> list[torch.Tensor]:
        """Logits of every level: (B, n_k) each."""
        if isinstance(output, torch.Tensor):
            return [output[:, columns] for columns in self.columns]
        return list(output)

    def per_level_sets(self, targets: torch.Tensor) -> list[torch.Tensor]:
        """Encoded targets as bool (B, n_k) per level, without stop columns."""
        if not self.single:
            return [targets[:, columns] for columns in self.columns]
        hot = [F.one_hot(targets[:, k], len(c) + 1) for k, c in enumerate(self.columns)]
        return [level[:, :-1].bool() for level in hot]

    def probabilities(self, output: Output) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Class probabilities float32 (B, C), and those of ``stop`` (B, L) where levels have it."""
        if isinstance(output, torch.Tensor):
            return output.float().sigmoid(), None
        values = torch.empty(len(output[0]), self.hierarchy.n, device=output[0].device)
        stop = torch.empty(len(output[0]), self.depth, device=output[0].device)
        for k, (logits, columns) in enumerate(zip(output, self.columns, strict=True)):
            level = logits.float().softmax(1) if self.single else logits.float().sigmoid()
            values[:, columns] = level[:, : len(columns)]
            if self.stops:
                stop[:, k] = level[:, -1]
        return values, stop if self.stops else None

    def scores(self, output: Output) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What ``predict`` returns: :meth:`probabilities`."""
        return self.probabilities(output)

    def correct(
        self, output: Output | Masked, targets: torch.Tensor, share: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Number of samples with a correct decision at each level, (L,): argmax, or the set at 0.5; each
        counts 1, or its ``share`` (B,)."""
        if isinstance(output, Masked):
            output = output.highest()
        levels = self.per_level(output)
        if self.softmax(output):
            correct = [logits.argmax(1) == targets[:, k] for k, logits in enumerate(levels)]
        else:
            sets = self.per_level_sets(targets)
            correct = [((x > 0) == y).all(1) for x, y in zip(levels, sets, strict=True)]
        return torch.stack([(c if share is None else c * share).sum() for c in correct])
