"""The Materials Composition Visualization Network (MCVN), many of them in parallel.

Yu, Wu, Qian: Better utilization of materials' compositions for predicting their properties (2022),
sections 3.2 and 4.1, read together with the code that its authors released; docs/mcvn.md says where
the two differ. A network has about 2,700 parameters, far too few to use a processor well, so every
layer works on M networks at once: a network is a row of one matrix of weights.

Shapes: M networks; G groups of M / G neighbouring networks that read the same samples (the targets
and members of one cell); B samples; N features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.nn import functional as F

from hmcbench_materials.mcvn.architecture import CONVOLUTIONS, HEADS, IMAGE, MAP, Architecture, Weights

EPSILON = 1e-5  # of the layer and batch norms, as in torch
MOMENTUM = 0.1  # of the running statistics of the batch norm, as in torch


@dataclass
class Running:
    """Running mean and variance of the batch norm, (M, fused) each."""

    mean: torch.Tensor
    variance: torch.Tensor

    @classmethod
    def start(cls, networks: int, fused: int, dtype: torch.dtype = torch.float64) -> Running:
        return cls(torch.zeros(networks, fused, dtype=dtype), torch.ones(networks, fused, dtype=dtype))


Context = Sequence[torch.Tensor]
"""What the attention blocks read for the training samples: (M, T, N) and (M, T, fused)."""


def forward(
    plan: Architecture,
    weights: Weights,
    images: torch.Tensor,
    table: torch.Tensor,
    running: Running,
    *,
    training: bool = False,
    context: Context = (),
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Equation 1 for M networks.

    Args:
        weights: as :meth:`Architecture.unpack` gives them.
        images: (G, B, 504) in [0, 1] or [0, 255], or (G, B, 6) without convolutions.
        table: (G, B, N), N even.
        running: used outside training, updated in place during training.
        context: for ``attention="train"`` outside training; the second value of the call for the
            training samples.

    Returns:
        (M, B, outputs), and what the attention blocks read, in order.
    """
    networks = len(weights["fusion0.weight"])
    copies = networks // len(table)
    seen: list[torch.Tensor] = []

    def attend(name: str, x: torch.Tensor) -> torch.Tensor:
        if plan.attention == "none":
            return x
        others = context[len(seen)] if len(context) else None
        seen.append(x)
        return attention(plan.attention, weights, name, x, None if training else others)

    parts = []
    if plan.channels != "original":
        pixels = image_channel(plan, weights, images)  # (M, B, 6)
        parts.append(linear(weights, "image", pixels).relu())  # (M, B, 4)
    if plan.channels != "image":
        own = table.repeat_interleave(copies, 0)  # (M, B, N)
        parts.append(linear(weights, "original", attend("original", own)).relu())  # (M, B, 8)
    x = attend("fusion", torch.cat(parts, dim=2))  # (M, B, 12)
    if plan.batch_norm:
        x = batch_norm(weights, x, running, training)
    x = linear(weights, "fusion0", x).relu()
    x = linear(weights, "fusion1", x).relu()
    return linear(weights, "fusion2", x), seen


def linear(weights: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    """(M, B, before) -> (M, B, after), each network with its own matrix."""
    bias = weights[f"{name}.bias"][:, None]
    return torch.baddbmm(bias, x, weights[f"{name}.weight"].transpose(1, 2))


# --------------------------------------------------------------------------- image channel


def image_channel(plan: Architecture, weights: Weights, images: torch.Tensor) -> torch.Tensor:
    """(G, B, 504) -> (M, B, 6): the four convolutions, as the one linear map that they are."""
    groups, samples, _ = images.shape
    if not plan.convolution:
        return images.repeat_interleave(len(weights["image.weight"]) // groups, 0)
    matrix, bias = composed_convolutions(weights)  # (M, 6, 504), (M,)
    networks = len(matrix)
    matrix = matrix.reshape(groups, -1, matrix.shape[2])  # the networks of a group share one product
    out = images @ matrix.transpose(1, 2)  # (G, B, M/G * 6)
    out = out.reshape(groups, samples, networks // groups, -1).transpose(1, 2)
    return out.reshape(networks, samples, -1) + bias[:, None, None]


def composed_convolutions(weights: Weights) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix (M, 6, 504) and the bias (M,) of all convolutions together.

    They compose to one kernel of 18 x 18 pixels and stride 3, at a cost that does not depend on the
    number of samples. The bias of a layer is a constant image, and a convolution without padding
    keeps constant images constant.
    """
    networks = len(weights["conv0.weight"])
    kernel = weights["conv0.weight"].new_ones(networks, 1, 1, 1)
    bias = weights["conv0.bias"].new_zeros(networks, 1, 1)
    step = 1
    for i, (_, _, stride) in enumerate(CONVOLUTIONS):
        bias = weights[f"conv{i}.weight"].sum((3, 4)) @ bias + weights[f"conv{i}.bias"][:, :, None]
        step *= stride
    for i, (_, _, stride) in reversed(list(enumerate(CONVOLUTIONS))):
        kernel = composed(kernel, weights[f"conv{i}.weight"], stride)
    places = []
    for top in range(MAP[0]):
        for left in range(MAP[1]):
            below = IMAGE[0] - kernel.shape[2] - top * step
            right = IMAGE[1] - kernel.shape[3] - left * step
            places.append(F.pad(kernel, (left * step, right, top * step, below)))  # (M, 1, 24, 21)
    return torch.cat(places, dim=1).flatten(2), bias.flatten()


def composed(after: torch.Tensor, before: torch.Tensor, stride: int) -> torch.Tensor:
    """The kernel (M, I, H, H) of one convolution that does the work of two.

    Args:
        after: (M, O, h, h), the kernel of what follows, for one output channel.
        before: (M, O, I, k, k), the kernel of a convolution of stride ``stride``.
    """
    networks, inner, height, k = len(after), before.shape[2], after.shape[2], before.shape[3]
    pairs = after.flatten(2).transpose(1, 2) @ before.flatten(2)  # (M, h h, I k k)
    pairs = pairs.reshape(networks, height**2, inner, k**2).transpose(1, 2)
    size = (height - 1) * stride + k
    onto = placement(height, k, stride).to(after)
    return (pairs.reshape(networks, inner, -1) @ onto).reshape(networks, inner, size, size)


@lru_cache
def placement(height: int, k: int, stride: int) -> torch.Tensor:
    """0 / 1 (h h k k, H H): on which pixel cell (a, b) of one kernel and (c, d) of the other meet."""
    along = torch.zeros(height, k, (height - 1) * stride + k)
    for a in range(height):
        for c in range(k):
            along[a, c, a * stride + c] = 1
    return torch.einsum("acp,bdq->abcdpq", along, along).reshape(height**2 * k**2, -1)


# --------------------------------------------------------------------------- attention and norms


def attention(
    kind: str, weights: Weights, name: str, x: torch.Tensor, others: torch.Tensor | None
) -> torch.Tensor:
    """Multi-head self-attention (equations 4 and 5), a residual and a layer norm: (M, B, D) -> same.

    Over one sample (``sample``) the softmax is 1 whatever query and key are: the block is two linear
    layers, and query and key are never trained. Otherwise a sample attends to the batch, or outside
    training to ``others`` (M, T, D), the training samples, and to itself, as it did in training.
    """
    value = linear(weights, f"{name}.value", x)
    if kind != "sample":
        query, key = _heads(linear(weights, f"{name}.query", x)), linear(weights, f"{name}.key", x)
        if kind == "batch" or others is None:
            mixed = F.scaled_dot_product_attention(query, _heads(key), _heads(value))
        else:
            keys, values = (linear(weights, f"{name}.{part}", others) for part in ("key", "value"))
            mixed = _among(query, _heads(key), _heads(value), _heads(keys), _heads(values))
        value = mixed.transpose(1, 2).flatten(2)
    x = x + linear(weights, f"{name}.out", value)
    x = F.layer_norm(x, x.shape[2:], eps=EPSILON)
    return x * weights[f"{name}.norm.weight"][:, None] + weights[f"{name}.norm.bias"][:, None]


def _heads(x: torch.Tensor) -> torch.Tensor:
    """(M, B, D) -> (M, heads, B, D / heads)."""
    return x.reshape(*x.shape[:2], HEADS, x.shape[2] // HEADS).transpose(1, 2)


def _among(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
) -> torch.Tensor:
    """Every sample (its own query, key, value) attends to ``keys`` and to itself, to no other sample."""
    scale = query.shape[-1] ** -0.5
    own = (query * key).sum(-1, keepdim=True) * scale  # (M, heads, B, 1)
    shares = torch.cat([query @ keys.transpose(2, 3) * scale, own], dim=-1).softmax(-1)
    return shares[..., :-1] @ values + shares[..., -1:] * value


def batch_norm(weights: Weights, x: torch.Tensor, running: Running, training: bool) -> torch.Tensor:
    """Equation 3 over the batch in training, else with the running statistics: (M, B, D) -> same."""
    if training:
        mean, variance = x.mean(1), x.var(1, correction=0)
        samples = x.shape[1]
        with torch.no_grad():
            running.mean.lerp_(mean, MOMENTUM)
            running.variance.lerp_(variance * samples / max(samples - 1, 1), MOMENTUM)
    else:
        mean, variance = running.mean, running.variance
    x = (x - mean[:, None]) * (variance[:, None] + EPSILON).rsqrt()
    return x * weights["norm.weight"][:, None] + weights["norm.bias"][:, None]
