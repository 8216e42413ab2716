"""HMI, hyperbolic embedding inference [Xiong, Cochez, Nayyeri & Staab, NeurIPS 2022, "Hyperbolic embedding
inference for structured multi-label prediction"].

A class is a hyperplane of the Poincare ball, given by its point p nearest to the origin: the sphere with

    r = (1 - |p|^2) / (2 |p|),   c = p (1 + r / |p|)

as radius and centre, which the ball's border crosses at right angles. A sample is a point e of the ball.

    logit(e, a)     = r_a - |e - c_a|                      how far e lies inside a
    inside(a, b)    = (r_b - r_a) - |c_a - c_b|            a implies b where it is positive
    disjoint(a, b)  = |c_a - c_b| - (r_a + r_b)            a excludes b where it is positive

    loss = BCE(logit, y) + lambda (mean of max(0, -inside(child, parent)) + mean of max(0, -disjoint(a, b)))

over the edges, and over pairs of siblings without a common training sample.

Published: 64 dimensions, a linear map to the ball, lambda = 1e-4, Riemannian Adam with rate 1e-3, batches of
4. Chosen here: points are tanh(|v|) v / |v| of free vectors v, which plain Adam moves; hidden layers stand
before the map; logits have one learned factor, without which none is below -2; siblings are the children of
one class, so that classes of the top level exclude none; at most 2,000 pairs of siblings are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import hierarchy_of
from hmcbench_hmc.models.layers import Hidden, Linear, VectorNetwork, cross_entropy
from hmcbench_hmc.models.vectors import VectorModel, network_model

PAIRS = 2000
SMALL = 1e-6


class Hmi(VectorNetwork):
    """A perceptron into the Poincare ball and a hyperplane per class.

    Args:
        hidden: widths of its hidden layers.
        dimensions: of the ball.
        dropout: share of hidden units set to 0 in training.
        penalty: lambda.
    """

    def __init__(
        self,
        task: Task,
        inputs: int,
        *,
        hidden: Sequence[int],
        dimensions: int,
        dropout: float,
        penalty: float,
    ) -> None:
        super().__init__()
        self.hierarchy, self.penalty = hierarchy_of(task), penalty
        self.hidden = Hidden(inputs, hidden, dropout)
        self.point = Linear(self.hidden.outputs, dimensions)
        self.planes = nn.Parameter(torch.randn(1, self.hierarchy.n, dimensions) / dimensions**0.5)
        self.factor = nn.Parameter(torch.full((1, 1, 1), 10.0))
        edges = torch.as_tensor(self.hierarchy.edge_index.T.copy())  # (2, E): parents, children
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("excluded", edges[:, :0], persistent=False)
        self.edges: torch.Tensor
        self.excluded: torch.Tensor

    def prepare(self, y: torch.Tensor) -> None:
        """Find the siblings without a common sample."""
        self.excluded = siblings(self.hierarchy.edge_index, y).to(y.device)

    def spheres(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Radii (M, C) and centres (M, C, d) of the hyperplanes."""
        p = to_ball(self.planes.float())
        norm = p.norm(dim=2).clamp_min(SMALL)
        radius = (1 - norm.square()) / (2 * norm)
        return radius, p * (1 + radius / norm)[:, :, None]

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """(M, B, F) -> (M, B, C)."""
        point = to_ball(self.point(self.hidden(x)).float())
        radius, centre = self.spheres()
        result: torch.Tensor = self.factor * (radius[:, None] - _distances(point, centre))
        return result

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = cross_entropy(self.logits(x), y) + self.penalty * self.violations()
        return loss

    def violations(self) -> torch.Tensor:
        """How far implications and exclusions are from being satisfied, (M,)."""
        radius, centre = self.spheres()

        def apart(pairs: torch.Tensor) -> torch.Tensor:
            distances: torch.Tensor = (centre[:, pairs[0]] - centre[:, pairs[1]]).norm(dim=2)
            return distances

        parents, children = self.edges
        total = radius.new_zeros(len(radius))
        if len(parents):
            inside = radius[:, parents] - radius[:, children] - apart(self.edges)
            total = total + (-inside).clamp_min(0).mean(1)
        if self.excluded.shape[1]:
            disjoint = apart(self.excluded) - radius[:, self.excluded].sum(1)
            total = total + (-disjoint).clamp_min(0).mean(1)
        return total

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(x).sigmoid()


def to_ball(v: torch.Tensor) -> torch.Tensor:
    """tanh(|v|) v / |v|: vectors (..., d) -> points of the ball."""
    norm = v.norm(dim=-1, keepdim=True).clamp_min(SMALL)
    result: torch.Tensor = v * (norm.tanh().clamp_max(1 - 1e-3) / norm)
    return result


def _distances(points: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Euclidean distances, (M, B, d) and (M, C, d) -> (M, B, C), without a tensor of all four axes."""
    squares = points.square().sum(2)[:, :, None] + centres.square().sum(2)[:, None, :]
    return (squares - 2 * points @ centres.transpose(1, 2)).clamp_min(SMALL**2).sqrt()


def siblings(edges: np.ndarray, y: torch.Tensor) -> torch.Tensor:
    """Pairs of children of one parent that no sample of y bool (N, C) has both, int64 (2, P), P <= PAIRS."""
    pairs: list[np.ndarray] = []
    for parent in np.unique(edges[:, 0]):
        children = edges[edges[:, 0] == parent, 1]
        together = y[:, torch.as_tensor(children, device=y.device)].float()
        apart = ((together.T @ together) == 0).cpu().numpy()
        first, second = np.nonzero(np.triu(apart, 1))
        pairs.append(np.stack([children[first], children[second]]))
    every = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), dtype=np.int64)
    kept = np.linspace(0, every.shape[1] - 1, min(PAIRS, every.shape[1])).astype(np.int64)
    return torch.as_tensor(np.unique(every[:, kept], axis=1))


def create(**params: Any) -> VectorModel:
    """The factory of the spec."""
    return network_model(Hmi, params)
