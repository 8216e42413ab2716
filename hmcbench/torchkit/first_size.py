"""Smaller images first: over half of the epochs the side of the images grows to that of the others."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from hmcbench.errors import BadInput
from hmcbench.torchkit.recipes import SIZE_STEP, Recipe


def side_of(epoch: int, first: int, full: int, epochs: int) -> int:
    """The side of the images of an epoch (from 0) in pixels; with ``first`` 0 always ``full``.

    On a line from ``first`` at the beginning to ``full`` after half of the epochs, rounded down to a multiple
    of :data:`SIZE_STEP`.

    >>> [side_of(epoch, 32, 64, 8) for epoch in range(8)]
    [32, 32, 48, 48, 64, 64, 64, 64]
    """
    if epoch >= growing(first, full, epochs):
        return full
    side = first + (full - first) * 2 * epoch / epochs
    return int(side / SIZE_STEP) * SIZE_STEP


def growing(first: int, full: int, epochs: int) -> int:
    """The number of epochs, from the first on, whose images may be smaller than the others."""
    return (epochs + 1) // 2 if 0 < first < full else 0


def shapes_of(shape: tuple[int, ...], recipe: Recipe) -> list[tuple[int, ...]]:
    """The shapes (channels, H, W) of the images of all epochs, the smallest first.

    Args:
        shape: that of the last epoch, and of all predictions.
    """
    sides = {side_of(epoch, recipe.first_size, shape[-1], recipe.epochs) for epoch in range(recipe.epochs)}
    return [(shape[0], side, side) for side in sorted(sides - {shape[-1]})] + [shape]


def resized(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Square images (B, C, H, W) interpolated to this side, float32; as they are where it is their own."""
    if pixels.shape[-1] == side:
        return pixels
    return F.interpolate(pixels.float(), size=(side, side), mode="bilinear", antialias=True)


def check(module: nn.Module, shape: tuple[int, ...], recipe: Recipe, device: torch.device) -> None:
    """Raise BadInput where a network cannot take the images of all epochs.

    Args:
        module: in evaluation mode, on the device.
        shape: (channels, H, W) of the images.
    """
    for smaller in shapes_of(shape, recipe)[:-1]:
        try:
            with torch.no_grad():
                module(torch.zeros(1, *smaller, device=device))
        except Exception as error:
            raise BadInput(
                f"first_size={recipe.first_size}: the network takes no images of {smaller[-1]} px",
                allowed="first_size=0, or a network that takes images of any size",
            ) from error
