"""AWX, "adjacency wrapping matrix" [Masera & Blanzieri 2019], an output layer for hierarchies.

A sigmoid y_l per leaf l; a class above them follows from the leaves below it:

    y_a = min(1, (sum over leaves l below a of y_l^n)^(1/n))

n = 1 is the sum, clipped; n -> infinity (here 0) the maximum. Scores are coherent by construction.

Published: three hidden layers of 500 tanh units with Gaussian noise 0.1, batches of 32, Adam with rate 1e-5
for at most 2,000 epochs, early stopping, n = 1. Chosen here: the output's bias starts so that the
y of all leaves sum to about 1, as a sum that is clipped has no gradient; logarithms are taken of
values that stay 1e-6 off 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import hierarchy_of
from hmcbench.torchkit.maximum import DescendantMaximum
from hmcbench_hmc.models.layers import Linear, Noise, VectorNetwork
from hmcbench_hmc.models.vectors import VectorModel, network_model

ALMOST = 1e-6
TINY = 1e-30  # a root of 0 has no gradient
PLAIN = 5.0  # the largest n for which ALMOST^n is no smaller than TINY


class Awx(VectorNetwork):
    """Tanh layers with noise, then AWX.

    Args:
        hidden: widths of the hidden layers.
        noise: standard deviation of the noise after each, in training.
        norm: n; 0 for the maximum.
    """

    def __init__(self, task: Task, inputs: int, *, hidden: Sequence[int], noise: float, norm: float) -> None:
        super().__init__()
        hierarchy = hierarchy_of(task)
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [Linear(inputs, width), nn.Tanh(), Noise(noise)]
            inputs = width
        self.hidden = nn.Sequential(*layers)
        self.output = Linear(inputs, len(hierarchy.leaves))
        nn.init.constant_(self.output.bias, -math.log(len(hierarchy.leaves)))
        self.norm, self.classes = norm, hierarchy.n
        self.maximum = DescendantMaximum(hierarchy)
        leaf, above = (ends.astype(np.int64) for ends in hierarchy.ancestors[hierarchy.leaves].nonzero())
        self.register_buffer("pairs", torch.as_tensor(np.stack([leaf, above])), persistent=False)
        self.register_buffer("leaves", torch.as_tensor(hierarchy.leaves.copy()), persistent=False)
        self.pairs: torch.Tensor
        self.leaves: torch.Tensor

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.output(self.hidden(x)).float()  # (M, B, leaves)
        leaves = logits.sigmoid().flatten(0, 1).T  # a row per leaf
        zeros = leaves.new_zeros(self.classes, leaves.shape[1])
        values: torch.Tensor  # a row per class
        if not self.norm:
            values = self._highest(leaves)
        elif self.norm <= PLAIN:
            leaf, above = self.pairs
            powers = leaves.clamp_min(ALMOST) ** self.norm
            values = zeros.index_add(0, above, powers.index_select(0, leaf)).clamp(TINY, 1.0)
            values = values.pow(1 / self.norm)
        else:  # in shares of the largest leaf below: their powers stay, and it cancels in the gradient
            leaf, above = self.pairs
            leaves = leaves.clamp_min(ALMOST)
            largest = self._highest(leaves.detach())
            shares = (leaves.index_select(0, leaf) / largest.index_select(0, above)) ** self.norm
            values = (largest * zeros.index_add(0, above, shares).pow(1 / self.norm)).clamp_max(1.0)
        return values.T.view(*x.shape[:2], -1)

    def _highest(self, leaves: torch.Tensor) -> torch.Tensor:
        """The highest leaf at or below every class: (leaves, n) -> (C, n)."""
        zeros = leaves.new_zeros(self.classes, leaves.shape[1])
        highest: torch.Tensor = self.maximum(zeros.index_copy(0, self.leaves, leaves).T)
        return highest.T

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        p = self.probabilities(x).clamp(ALMOST, 1 - ALMOST)
        return -torch.where(y, p.log(), torch.log1p(-p)).mean((1, 2))


def create(**params: Any) -> VectorModel:
    """The factory of the spec."""
    return network_model(Awx, params)
