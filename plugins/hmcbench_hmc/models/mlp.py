"""A multilayer perceptron with a sigmoid per class and plain cross-entropy: the baseline of all others.

It does not know the hierarchy: a child may score higher than its parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import hierarchy_of
from hmcbench_hmc.models.layers import Hidden, Linear, VectorNetwork, cross_entropy
from hmcbench_hmc.models.vectors import VectorModel, network_model


class Mlp(VectorNetwork):
    """Hidden layers of ReLU with dropout, then a linear layer.

    Args:
        inputs: features of a sample.
        hidden: widths of the hidden layers.
        dropout: share of hidden units set to 0 in training.
    """

    def __init__(self, task: Task, inputs: int, *, hidden: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.hidden = Hidden(inputs, hidden, dropout)
        self.output = Linear(self.hidden.outputs, hierarchy_of(task).n)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """(M, B, F) -> (M, B, C)."""
        logits: torch.Tensor = self.output(self.hidden(x)).float()
        return logits

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return cross_entropy(self.logits(x), y)

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(x).sigmoid()


def create(**params: Any) -> VectorModel:
    """The factory of the spec."""
    return network_model(Mlp, params)
