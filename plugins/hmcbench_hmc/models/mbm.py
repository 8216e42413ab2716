"""MBM, multi-label box model [Patel, Dangati, Lee, Boratko & McCallum, ICLR 2022, "Modeling label space
interactions in multi-label classification using box embeddings"].

A class is a box in d dimensions, with centre c and half sides s >= 0; a perceptron maps a sample to a point
v, around which it has a tiny box. A class holds the share of the sample's box that lies in its own,

    P(class | v) = Vol(class and sample) / Vol(sample) = product over dimensions of softplus(-e / b) / ln 2,
    e = b softplus((|v - c| - s) / b),

e the distance by which v lies outside, about max(0, |v - c| - s). Sides are softened with b = 0.05, so that
boxes which miss the sample have a gradient. The loss is binary cross-entropy. A box inside another scores no
higher, yet nothing forces boxes of the hierarchy into each other.

Published: hidden layers of 3 x 1,750 softplus, d = 1,750, batches of 4, AdamW with rate 1e-4 (centres 1e-3,
sides 1e-2), noise of Gumbel boxes 1e-4, and a side of the sample's box of 1e-5. Chosen here: that side is
its limit 0, in which P has the form above; s is the softplus of a free number; the noise is b too, as with
few dimensions a sample often lies inside a box that it should leave, and 1e-4 then leaves no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import hierarchy_of
from hmcbench_hmc.models.layers import Hidden, Linear, VectorNetwork
from hmcbench_hmc.models.training import BLOCK
from hmcbench_hmc.models.vectors import VectorModel, network_model

SOFTNESS = 0.05
ALMOST = 1e-6  # how far from 1 a probability stays, so that the logarithm of its complement is finite
CLASSES = 512
"""Classes per block of the (samples, classes, dimensions) distances."""
NUMBERS = 2**24
"""Distances of a block in a prediction; there are some five temporaries of as many numbers."""


class Mbm(VectorNetwork):
    """A perceptron and a box per class.

    Args:
        hidden: widths of its hidden layers.
        dimensions: d.
        dropout: share of hidden units set to 0 in training.
    """

    rates: ClassVar = {"centres": 10.0, "sides": 100.0}

    def __init__(
        self, task: Task, inputs: int, *, hidden: Sequence[int], dimensions: int, dropout: float
    ) -> None:
        super().__init__()
        classes = hierarchy_of(task).n
        self.hidden = Hidden(inputs, hidden, dropout, nn.Softplus)
        self.point = Linear(self.hidden.outputs, dimensions)
        self.centres = nn.Parameter(torch.rand(1, classes, dimensions))
        self.sides = nn.Parameter(torch.empty(1, classes, dimensions).normal_(-2.0, 0.1))

    def log_probabilities(self, x: torch.Tensor) -> torch.Tensor:
        """(M, B, F) -> (M, B, C), at most -ALMOST."""
        point = F.softplus(self.point(self.hidden(x))).float()[:, :, None, :]  # (M, B, 1, d)
        parts = []
        size = CLASSES if self.training else self._classes_at_once()
        for centre, side in zip(self.centres.split(size, 1), self.sides.split(size, 1), strict=True):
            beyond = (point - centre[:, None]).abs() - F.softplus(side)[:, None]  # (M, B, classes, d)
            parts.append(_log_share(F.softplus(beyond / SOFTNESS)).sum(3))
        return torch.cat(parts, dim=2).clamp_max(-ALMOST)

    def _classes_at_once(self) -> int:
        """Classes of a block in a prediction; in training the gradient keeps all blocks anyway."""
        members, _classes, dimensions = self.centres.shape
        return max(1, min(CLASSES, NUMBERS // (members * BLOCK * dimensions)))

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        log_p = self.log_probabilities(x)
        return -torch.where(y, log_p, torch.log(-torch.expm1(log_p))).mean((1, 2))

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        return self.log_probabilities(x).exp()


def _log_share(e: torch.Tensor) -> torch.Tensor:
    """log(softplus(-e) / ln 2) for e >= 0; for large e softplus(-e) is exp(-e)."""
    far = e > 20
    near = F.softplus(-e.clamp_max(20)).log()
    return torch.where(far, -e, near) - math.log(math.log(2))


def create(**params: Any) -> VectorModel:
    """The factory of the spec."""
    return network_model(Mbm, params)
