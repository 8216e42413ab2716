"""C-HMCNN(h) [Giunchiglia & Lukasiewicz 2020, "Coherent hierarchical multi-label classification networks"].

A multilayer perceptron h, a constraint module on top of it, and a loss that uses the constraint:

    MCM_a    = max of h_b over b = a and its descendants                     (eq. 1)
    MCLoss_a = -y_a ln max_b (y_b h_b) - (1 - y_a) ln(1 - MCM_a)             (eq. 2)

so that no child exceeds its parent, and a class that is present is not credited to an absent descendant.

Published: two hidden layers of ReLU, dropout 0.7 after each, Adam with weight decay 1e-5, batches of 4, rate
1e-4 (1e-5 on ImCLEF07A and Diatoms), and per dataset a width (250 to 2,000 on FunCat, 500 to 9,000 on GO)
and a number of epochs (13 to 592) that were chosen on the validation samples, which are then trained on.
Chosen here: maxima and losses are taken of logits, which the sigmoid does not reorder and which do not
round to 0 or 1; the loss counts all classes, the roots of GO too, which the published code leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import hierarchy_of
from hmcbench.torchkit.maximum import DescendantMaximum
from hmcbench_hmc.models.layers import cross_entropy
from hmcbench_hmc.models.mlp import Mlp
from hmcbench_hmc.models.vectors import VectorModel, network_model


class CHmcnn(Mlp):
    """h is an :class:`Mlp`; see the module."""

    def __init__(self, task: Task, inputs: int, *, hidden: Sequence[int], dropout: float) -> None:
        super().__init__(task, inputs, hidden=hidden, dropout=dropout)
        self.maximum = DescendantMaximum(hierarchy_of(task))

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        logits = self.logits(x)
        highest = self.maximum(logits.flatten(0, 1), y.flatten(0, 1))  # (M B, C)
        return cross_entropy(highest.view_as(logits), y)

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.logits(x)
        highest: torch.Tensor = self.maximum(logits.flatten(0, 1)).view_as(logits).sigmoid()
        return highest


def create(**params: Any) -> VectorModel:
    """The factory of the spec."""
    return network_model(CHmcnn, params)
