"""Layers of several networks at once: *members* of equal shape that differ in their seed.

Tensors have a leading axis M, one entry per member: samples (M, B, F), weights (M, inputs, outputs). Members
never see each other, so that a network trained beside others is the network trained alone.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F


class Linear(nn.Module):
    """A linear layer, initialised as torch's. Shape: (M, B, inputs) -> (M, B, outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(max(1, inputs))
        self.weight = nn.Parameter(torch.empty(1, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(1, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class RandomLayer(nn.Module):
    """A layer that draws numbers in training, from one generator per member (:func:`set_generators`)."""

    generators: Sequence[torch.Generator] = ()

    def draw(self, x: torch.Tensor, normal: bool = False) -> torch.Tensor:
        """Numbers of the shape of ``x`` (M, B, n): uniform in [0, 1), or standard normal."""
        source = torch.randn if normal else torch.rand
        drawn = [source(x.shape[1:], generator=g, device=x.device) for g in self.generators]
        return torch.stack(drawn) if len(drawn) > 1 else drawn[0][None]


class Dropout(RandomLayer):
    """Sets a share of the inputs to 0 in training and scales the others up.

    While predicting, the same ones in all samples, drawn with ``left_out`` (:func:`units_left_out`), or none.
    """

    left_out: int | None = None

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training and self.left_out is not None:
            generator = torch.Generator().manual_seed(self.left_out)
            kept = torch.rand(len(x), 1, x.shape[2], generator=generator) >= self.rate
            return x * kept.to(x) / (1 - self.rate)
        if not self.training or not self.rate:
            return x
        return x * (self.draw(x) >= self.rate).to(x.dtype) / (1 - self.rate)


class Noise(RandomLayer):
    """Adds Gaussian noise in training."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.deviation:
            return x
        return x + self.deviation * self.draw(x, normal=True)


class BatchNorm(nn.Module):
    """torch's batch norm for every member, (M, B, n).

    A batch of one sample, which has no variance, is scaled by the running means.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(1, 1, size)), nn.Parameter(torch.zeros(1, 1, size))
        self.register_buffer("mean", torch.zeros(1, 1, size))
        self.register_buffer("variance", torch.ones(1, 1, size))
        self.mean: torch.Tensor
        self.variance: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        members, batch, size = x.shape
        wide = x.transpose(0, 1).reshape(batch, members * size)  # a channel per member and unit
        mean, variance, weight, bias = (
            v.flatten() for v in (self.mean, self.variance, self.weight, self.bias)
        )
        scaled = F.batch_norm(wide, mean, variance, weight, bias, self.training and batch > 1)
        return scaled.view(batch, members, size).transpose(0, 1)


class Hidden(nn.Sequential):
    """Hidden layers: linear, activation, dropout, for each width. Shape: (M, B, inputs) -> (M, B, last)."""

    def __init__(
        self, inputs: int, widths: Sequence[int], dropout: float, activation: type[nn.Module] = nn.ReLU
    ) -> None:
        layers: list[nn.Module] = []
        for width in widths:
            layers += [Linear(inputs, width), activation(), Dropout(dropout)]
            inputs = width
        super().__init__(*layers)
        self.outputs = inputs


def cross_entropy(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of every member, the mean over samples and classes: (M, B, C) -> (M,)."""
    return F.binary_cross_entropy_with_logits(logits.float(), y.float(), reduction="none").mean((1, 2))


class VectorNetwork(nn.Module):
    """What the training loop needs of a network; samples x float (M, B, F), sets y bool (M, B, C).

    Attributes:
        rates: name of a parameter -> factor of its learning rate; 1 for the others.
    """

    rates: ClassVar[Mapping[str, float]] = {}

    def prepare(self, y: torch.Tensor) -> None:
        """Called before training with all training sets, bool (N, C)."""

    def loss(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The loss of every member, (M,)."""
        raise NotImplementedError

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        """A score in 0..1 for every class, (M, B, C)."""
        raise NotImplementedError


def stacked(networks: Sequence[VectorNetwork]) -> VectorNetwork:
    """Networks of one shape as one, with their weights along the leading axis."""
    result = copy.deepcopy(networks[0])
    for name, module in result.named_modules():
        twins = [dict(network.named_modules())[name] for network in networks]
        for key, value in list(module.named_parameters(recurse=False)):
            weights = torch.cat([getattr(twin, key).detach() for twin in twins])
            setattr(module, key, nn.Parameter(weights, requires_grad=value.requires_grad))
        for key in _own_buffers(module):
            setattr(module, key, torch.cat([getattr(twin, key) for twin in twins]))
    return result


def member(network: VectorNetwork, k: int) -> VectorNetwork:
    """Member ``k`` of :func:`stacked` networks, by itself."""
    result = copy.deepcopy(network)
    for module in result.modules():
        for key, value in list(module.named_parameters(recurse=False)):
            setattr(module, key, nn.Parameter(value.detach()[k : k + 1].clone()))
        for key in _own_buffers(module):
            setattr(module, key, getattr(module, key)[k : k + 1].clone())
    return result


def _own_buffers(module: nn.Module) -> list[str]:
    """Buffers that are learned, which have an axis of members; others are constants of the hierarchy."""
    buffers = dict(module.named_buffers(recurse=False))
    return [key for key in module.state_dict(keep_vars=True) if key in buffers]


@contextmanager
def units_left_out(network: nn.Module, number: int) -> Iterator[None]:
    """Every dropout layer leaves out units while predicting, drawn for the pass with this number, from 1."""
    layers = [layer for layer in network.modules() if isinstance(layer, Dropout)]
    for i, layer in enumerate(layers):
        layer.left_out = 1_000 * number + i
    try:
        yield
    finally:
        for layer in layers:
            layer.left_out = None


def set_generators(network: nn.Module, generators: Sequence[torch.Generator]) -> None:
    """Where the numbers of the random layers come from, one generator per member."""
    for module in network.modules():
        if isinstance(module, RandomLayer):
            module.generators = generators
