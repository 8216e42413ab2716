"""The maximum of a class and its descendants, along the edges of a hierarchy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from hmcbench.hierarchy.hierarchy import Hierarchy

__all__ = ["DescendantMaximum"]  # what plugins may use

Edges = list[tuple[torch.Tensor, torch.Tensor]]
"""Per height of the parents, lowest first: columns of parents and of their children, int64 (E,) each."""


class DescendantMaximum(nn.Module):
    """m_a = max of x_b over b = a and its descendants [Giunchiglia & Lukasiewicz 2020, eq. 1].

    A parent's maximum is that of itself and of its children's maxima. Edges are taken by the height of
    their parent (its longest distance to a leaf), so that every child is final when it is read: the work
    grows with the edges, not with the pairs of ancestor and descendant, and neither with the square of
    the classes. Of equal values the gradient is divided evenly.

    With ``sets``, closed under ancestors, a class of a set takes the maximum of those of its descendants
    that are in the set, any other class that of all of them, as MCLoss wants it. In a closed set all
    descendants of an absent class are absent, so one pass serves both.

    Shape: values float (N, C), sets bool (N, C) -> (N, C).
    """

    def __init__(self, hierarchy: Hierarchy) -> None:
        super().__init__()
        height = hierarchy.heights[hierarchy.edge_index[:, 0]]
        order = np.argsort(height, kind="stable")
        edges = torch.as_tensor(hierarchy.edge_index[order].T.copy())  # (2, E)
        self.sizes = np.bincount(height, minlength=1)[1:].tolist()  # edges per height of the parent
        self.register_buffer("edges", edges, persistent=False)
        self.edges: torch.Tensor

    def forward(self, values: torch.Tensor, sets: torch.Tensor | None = None) -> torch.Tensor:
        if not self.sizes:
            return values
        groups = list(zip(*(ends.split(self.sizes) for ends in self.edges), strict=True))
        result: torch.Tensor = _Maximum.apply(values, sets, groups)
        return result


class _Maximum(torch.autograd.Function):
    """Tensors inside are (C, N): a class is then a row of contiguous memory."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, sets: torch.Tensor | None, groups: Edges) -> torch.Tensor:
        own = values.T.contiguous()
        present = None if sets is None else sets.T.contiguous()
        highest = own.clone()
        for parents, children in groups:
            below = _below(highest, present, parents, children)
            highest.scatter_reduce_(0, parents[:, None].expand_as(below), below, "amax")
        ctx.save_for_backward(own, highest)
        ctx.present, ctx.groups = present, groups
        return highest.T.contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        own, highest = ctx.saved_tensors
        gradient = gradients[0].T.clone(memory_format=torch.contiguous_format)
        # of a class's own value: 1 where it is the maximum, then divided by the values that are
        share = (own == highest).to(gradient.dtype)
        for parents, children in reversed(ctx.groups):
            equal = _below(highest, ctx.present, parents, children) == highest[parents]
            ties = share.index_add(0, parents, equal.to(gradient.dtype))[parents]
            gradient.index_add_(0, children, torch.where(equal, gradient[parents] / ties, 0.0))
            share[parents] = share[parents] / ties
        return (gradient * share).T, None, None


def _below(
    highest: torch.Tensor, present: torch.Tensor | None, parents: torch.Tensor, children: torch.Tensor
) -> torch.Tensor:
    """The maxima of the children, (E, N); -inf for an absent child of a class that is present."""
    below = highest[children]
    if present is not None:
        below.masked_fill_(present[parents] & ~present[children], -math.inf)
    return below
