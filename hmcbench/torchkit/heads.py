"""Last layers that turn one feature vector per image into logits per level."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import ends_early, level_sizes

HEADS = ("levels", "leaf")


def make_head(kind: str, features: int, task: Task) -> nn.Module:
    """The head of that name (:data:`HEADS`) on ``features`` inputs; raises BadInput."""
    if kind not in HEADS:
        raise BadInput(f"head={kind!r} is not known", allowed=f"allowed: {', '.join(HEADS)}")
    return LevelHeads(features, task) if kind == "levels" else LeafHead(features, task)


class LevelHeads(nn.Module):
    """One linear layer per level.

    Shape: (B, features) -> list of L tensors (B, ``level_sizes(task)[k - 1]``).
    """

    def __init__(self, features: int, task: Task) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Linear(features, n) for n in level_sizes(task))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [level(x) for level in self.levels]


class LeafHead(nn.Module):
    """One linear layer over the ends of paths; what stands above follows from it.

    The ends are the leaves, or all classes where a path may end at an inner one.

    * Single path: one softmax over the ends. The probability of a class is the sum over the ends
      below it (itself included), that of ``stop`` at a level the sum over the ends above it. So
      scores never contradict the hierarchy.
    * Several paths: ends are independent, and a class is present if any end below it is:
      p = 1 - prod(1 - p_end).

    Shape: (B, features) -> list of L tensors (B, ``level_sizes(task)[k - 1]``): log-probabilities
    of the levels, which are logits too; for several paths logits of every class.
    """

    def __init__(self, features: int, task: Task) -> None:
        super().__init__()
        hierarchy = task.hierarchy
        assert hierarchy is not None  # level_sizes has said so to the user
        self.single = task.paths == "single"
        ends = range(hierarchy.n) if task.depth == "ragged" else hierarchy.leaves
        rows = torch.as_tensor(hierarchy.ancestors[list(ends)].toarray())  # (E, C)
        parts = []
        for k, size in enumerate(level_sizes(task)):
            part = rows[:, hierarchy.level_classes(k + 1)].float()
            if ends_early(task):
                part = torch.cat([part, 1 - part.sum(1, keepdim=True)], dim=1)
            parts.append(part)
            assert part.shape[1] == size
        self.sizes = [part.shape[1] for part in parts]
        self.linear = nn.Linear(features, len(rows))
        self.register_buffer("above", torch.cat(parts, dim=1), persistent=False)  # (E, sum of sizes)
        self.above: torch.Tensor

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        logits = self.linear(x).float()
        with torch.autocast(x.device.type, enabled=False):  # sums of small probabilities need all digits
            if self.single:
                shares = logits.softmax(1) @ self.above
                out = shares.clamp_min(torch.finfo(shares.dtype).tiny).log()
            else:
                absent = F.softplus(logits) @ self.above  # -log of the probability that no end is present
                absent = absent.clamp_min(1e-6)
                out = absent + torch.log(-torch.expm1(-absent))  # logit of 1 - exp(-absent)
        return list(out.split(self.sizes, dim=1))
