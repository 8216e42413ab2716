"""HMC-LMLP [Cerri, Barros & de Carvalho 2014, "Hierarchical multi-label classification using local neural
networks"]: a perceptron with one hidden layer per level, each fed with the scores of the level above.

    level 1 reads the input; level k reads the scores of level k - 1
    score_k = sigmoid(V_k sigmoid(W_k input_k))

Levels are trained one after another: the gradient of a level stays in it. Published: hidden units as a
share of the inputs that falls with the level, plain or resilient back-propagation. Chosen here: level k
reads the input as well, as in the later variant of the authors (2016); all levels have hidden layers of one
width and are trained at the same time, without a gradient between them; Adam.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import hierarchy_of
from hmcbench_hmc.models.layers import Hidden, Linear, VectorNetwork, cross_entropy
from hmcbench_hmc.models.vectors import VectorModel, network_model


class Lmlp(VectorNetwork):
    """One hidden layer per level.

    Args:
        width: its units.
        dropout: share of them that is set to 0 in training.
    """

    def __init__(self, task: Task, inputs: int, *, width: int, dropout: float) -> None:
        super().__init__()
        sizes = hierarchy_of(task).level_sizes.tolist()
        above = [0, *sizes[:-1]]
        self.levels = nn.ModuleList(
            nn.Sequential(Hidden(inputs + extra, [width], dropout, nn.Sigmoid), Linear(width, size))
            for extra, size in zip(above, sizes, strict=True)
        )

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """(M, B, F) -> (M, B, C): columns are sorted by level."""
        levels: list[torch.Tensor] = []
        for level in self.levels:
            above = [levels[-1].detach().sigmoid()] if levels else []
            levels.append(level(torch.cat([x, *above], dim=2)).float())
        return torch.cat(levels, dim=2)

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return cross_entropy(self.logits(x), y)

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(x).sigmoid()


def create(**params: Any) -> VectorModel:
    """The factory of the spec."""
    return network_model(Lmlp, params)
