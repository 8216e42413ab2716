"""A first layer that starts from what the training images look like [Jordan 2024, arXiv 2404.00498, 3.1].

The filters of the first convolution start as eigenvectors of the covariance of the patches that it sees,
scaled to outputs of equal variance, and as their negatives, so that a ReLU loses nothing. There the layer
stays as it is; here it is trained on.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress

import torch
from torch import nn
from torch.nn import functional as F

from hmcbench.errors import BadInput

IMAGES = 256
"""Training images whose patches are looked at, at most."""
EPS = 5e-4
"""Variance along an eigenvector, of pixels of deviation 1, below which it is noise: that of the paper."""
BLOCK = 8  # images whose patches are in memory at a time


class _Reached(Exception):
    """Ends a forward pass at the first layer."""


@torch.no_grad()
def whiten(module: nn.Module, images: torch.Tensor) -> None:
    """Replace filters of the first convolution, by the eigenvectors of most variance first.

    Filters beyond two for each eigenvector of more variance than :data:`EPS` stay random. The mean variance
    of the new outputs is that of all outputs before.

    Args:
        module: on the device of the images; its mode and its other weights stay.
        images: normalised training images (N, C, H, W).

    Raises:
        BadInput: the first layer of the network is no convolution.
    """
    layer, _ = _first_layer(module, images[:1])
    covariance = _covariance(module, images)
    filters = layer.weight.flatten(1).clone()
    values, vectors = torch.linalg.eigh(covariance)  # ascending
    pairs = min(len(filters) // 2, int((values > EPS).sum()))
    if not pairs:
        return
    values, vectors = values.flip(0)[:pairs], vectors.flip(1).T[:pairs]
    whitened = vectors / (values + EPS).sqrt()[:, None]
    drawn = filters.double()
    wanted = ((drawn @ covariance) * drawn).sum(1).mean()  # variance of an output, over all random filters
    whitened *= (wanted / (values / (values + EPS)).mean()).sqrt()
    filters[: 2 * pairs] = torch.stack([whitened, -whitened], dim=1).flatten(0, 1).to(filters.dtype)
    layer.weight.copy_(filters.view_as(layer.weight))


def _covariance(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """That of the patches which the first layer sees in the images: float64 (P, P), P inputs of a filter."""
    count = 0
    total = products = torch.zeros((), dtype=torch.float64, device=images.device)
    for block in images.split(BLOCK):
        layer, seen = _first_layer(module, block)
        patches = F.unfold(seen.float(), layer.kernel_size, layer.dilation, 0, layer.stride)
        rows = patches.transpose(1, 2).flatten(0, 1).double()
        count += len(rows)
        total = total + rows.sum(0)
        products = products + rows.T @ rows
    mean = total / count
    return products / count - torch.outer(mean, mean)


def _first_layer(module: nn.Module, images: torch.Tensor) -> tuple[nn.Conv2d, torch.Tensor]:
    """The first layer with weights that images come to, and what it takes of these, (N, C, H, W)."""
    reached: list[tuple[nn.Module, torch.Tensor]] = []

    def stop(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].ndim == 4:  # not the layers of a table that is read beside the images
            reached.append((layer, inputs[0]))
            raise _Reached

    was_training = module.training
    with ExitStack() as hooks:
        for part in module.modules():
            weight = getattr(part, "weight", None)
            if isinstance(weight, nn.Parameter) and weight.ndim > 1:
                hooks.callback(part.register_forward_pre_hook(stop).remove)
        with suppress(_Reached):
            module.eval()(images)
    module.train(was_training)
    layer, seen = reached[0] if reached else (module, images)
    if not isinstance(layer, nn.Conv2d) or layer.groups > 1:
        raise BadInput(
            "first_layer=whitened: the first layer of this network is no convolution over all channels",
            allowed="first_layer=random",
        )
    return layer, seen
