"""Last layers that turn one feature vector per image into logits per level."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import Masked, ends_early, hierarchy_of, level_rows, level_sizes
from hmcbench.torchkit.maximum import DescendantMaximum

HEADS = ("levels", "leaf", "conditional", "max")
_ALMOST = 1e-6  # how far from 1 a probability stays, so that its logit is finite


def make_head(kind: str, features: int, task: Task) -> nn.Module:
    """The head of that name (:data:`HEADS`) on ``features`` inputs; raises BadInput."""
    if kind not in HEADS:
        raise BadInput(f"head={kind!r} is not known", allowed=", ".join(HEADS))
    if task.kind == "regression" and kind != "levels":
        raise NotApplicable(f"head={kind} needs classes; head=levels predicts the targets of a regression")
    kinds = {"levels": LevelHeads, "leaf": LeafHead, "conditional": ConditionalHead, "max": MaxHead}
    return kinds[kind](features, task)


class LevelHeads(nn.Module):
    """One linear layer per level.

    Shape: (B, features) -> list of L tensors (B, ``level_sizes(task)[k - 1]``).
    """

    level_features = ""  # see hmcbench.torchkit.expansion

    def __init__(self, features: int, task: Task) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Linear(features, n) for n in level_sizes(task))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [level(x) for level in self.levels]

    def output_rows(self, task: Task) -> dict[str, list[tuple[int, str]]]:
        """See :class:`hmcbench.torchkit.expansion.Growing`."""
        return {f"levels.{k}": rows for k, rows in enumerate(level_rows(task))}


def path_ends(task: Task) -> list[int]:
    """Columns of the classes where a path may end: the leaves, or all classes where depth is ragged."""
    hierarchy = hierarchy_of(task)
    return list(range(hierarchy.n)) if task.depth == "ragged" else hierarchy.leaves.tolist()


class LeafHead(nn.Module):
    """One linear layer over the ends of paths; the scores of their ancestors follow from it.

    The ends are the leaves, or all classes where a path may end at an inner one.

    * Single path: one softmax over the ends. The probability of a class is the sum over the ends at
      or below it, that of ``stop`` at a level the sum over the ends above it. So scores are coherent.
    * Several paths: ends are independent, and a class is present if any end below it is:
      p = 1 - prod(1 - p_end).

    Shape: (B, features) -> list of L tensors (B, ``level_sizes(task)[k - 1]``): log-probabilities
    of the levels, which are logits too; for several paths logits of every class.

    Attributes:
        normalised: whether outputs are log-probabilities, which have no energy.
    """

    level_features = ""

    def __init__(self, features: int, task: Task) -> None:
        super().__init__()
        hierarchy = hierarchy_of(task)
        self.single = self.normalised = task.paths == "single"
        rows = torch.as_tensor(hierarchy.ancestors[path_ends(task)].toarray())  # (E, C)
        parts = []
        for k in range(1, hierarchy.depth + 1):
            part = rows[:, hierarchy.level_classes(k)].float()
            if ends_early(task):
                part = torch.cat([part, 1 - part.sum(1, keepdim=True)], dim=1)
            parts.append(part)
        self.sizes = list(level_sizes(task))
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
                out = -_logit(-absent)
        return list(out.split(self.sizes, dim=1))

    def output_rows(self, task: Task) -> dict[str, list[tuple[int, str]]]:
        """See :class:`hmcbench.torchkit.expansion.Growing`."""
        hierarchy = hierarchy_of(task)
        ends = path_ends(task)
        return {"linear": [(int(hierarchy.levels[c]) - 1, hierarchy.classes[c]) for c in ends]}


class ConditionalHead(nn.Module):
    """Every class given its parent; probabilities follow from the chain rule, so they are coherent.

    * Single path, trees: one softmax over the children of each parent, p(c) = p(parent) p(c | parent)
      [Redmon & Farhadi 2017, "YOLO9000"]. Where paths may end at inner classes, these have
      one child more, ``stop``; its share joins the ``stop`` columns of all levels below.
    * Several paths, trees and DAGs: a class implies all its ancestors and is, given them, independent
      of the others: p(c) = product of sigmoid(z_a) over a = c and its ancestors. For a tree that is
      p(parent) sigmoid(z_c).

    Shape: as :class:`LeafHead`. Raises NotApplicable for a single path through a DAG, where a class
    may have several parents.
    """

    def __init__(self, features: int, task: Task) -> None:
        super().__init__()
        self.sizes = list(level_sizes(task))
        hierarchy = hierarchy_of(task)
        self.single = self.normalised = task.paths == "single"
        chain = torch.as_tensor(hierarchy.ancestors.toarray()).float().T  # (C, C): [a, c] = a above or at c
        if self.single:
            if not hierarchy.is_tree:
                raise NotApplicable("head=conditional needs a tree where every sample has one path")
            above, below = torch.tensor(hierarchy.edge_index.T.copy())
            levels, leaves = torch.tensor(hierarchy.levels.copy()), torch.tensor(hierarchy.leaves.copy())
            inner = above.unique() if task.depth == "ragged" else above[:0]  # they have a child "stop"
            chain = torch.block_diag(chain, torch.eye(len(inner)))
            chain[:, hierarchy.n :] += chain[:, inner]
            parent = torch.full((len(chain),), hierarchy.n)  # of the top level: the virtual root
            parent[below], parent[hierarchy.n :] = above, inner
            last = torch.full((len(chain),), hierarchy.depth)  # the level at which a path ends here
            last[leaves], last[hierarchy.n :] = levels[leaves], levels[inner]
            ended = last[:, None] < torch.arange(1, hierarchy.depth + 1)  # (slots, L): before level k
            self.register_buffer("parent", parent, persistent=False)
            self.register_buffer("ended", ended.float(), persistent=False)
            self.parent: torch.Tensor
            self.ended: torch.Tensor
        self.classes = hierarchy.n
        self.stops = ends_early(task)
        self.linear = nn.Linear(features, len(chain))
        self.register_buffer("chain", chain, persistent=False)
        self.chain: torch.Tensor

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        logits = self.linear(x).float()  # (B, classes and stops)
        with torch.autocast(x.device.type, enabled=False):
            if not self.single:
                return list(_logit(F.logsigmoid(logits) @ self.chain).split(self.sizes, dim=1))
            paths = self._given_parent(logits) @ self.chain  # log-probability of every class and stop
            sizes = [n - self.stops for n in self.sizes]
            levels = list(paths[:, : self.classes].split(sizes, dim=1))
            if self.stops:
                stop = (paths.exp() @ self.ended).clamp_min(torch.finfo(paths.dtype).tiny).log()  # (B, L)
                levels = [torch.cat([x, stop[:, k, None]], dim=1) for k, x in enumerate(levels)]
        return levels

    def _given_parent(self, logits: torch.Tensor) -> torch.Tensor:
        """Logarithm of the softmax among the children of each parent, (B, slots)."""
        parents = self.classes + 1
        index = self.parent.expand_as(logits)
        highest = logits.new_zeros(len(logits), parents)
        highest = highest.scatter_reduce(1, index, logits.detach(), "amax", include_self=False)
        shifted = logits - highest.gather(1, index)
        total = logits.new_zeros(len(logits), parents).scatter_add(1, index, shifted.exp())
        return shifted - total.gather(1, index).clamp_min(1.0).log()  # a sum that holds exp(0) is >= 1


class MaxHead(nn.Module):
    """A sigmoid per class, raised to the highest of its descendants: C-HMCNN's constraint module.

    MCM_a = max over b = a and its descendants of h_b [Giunchiglia & Lukasiewicz 2020], so no
    child exceeds a parent, in trees and DAGs, for single and several paths. It is trained with their
    MCLoss, for which it returns :class:`hmcbench.torchkit.layout.Masked` in training.

    Shape: (B, features) -> Masked of (B, C) in training, else the logits of MCM, (B, C).
    """

    def __init__(self, features: int, task: Task) -> None:
        super().__init__()
        hierarchy = hierarchy_of(task)
        self.linear = nn.Linear(features, hierarchy.n)
        self.maximum = DescendantMaximum(hierarchy)

    def forward(self, x: torch.Tensor) -> torch.Tensor | Masked:
        masked = Masked(self.linear(x).float(), self.maximum)
        return masked if self.training else masked.highest()


def _logit(log_p: torch.Tensor) -> torch.Tensor:
    """log(p / (1 - p)) from log p <= 0."""
    log_p = log_p.clamp_max(-_ALMOST)
    return log_p - torch.log(-torch.expm1(log_p))
