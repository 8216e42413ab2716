"""Several predictions of one network: with units left out (MC dropout), and of turned images.

[Gal & Ghahramani 2016]: a network that was trained with dropout predicts with it too; the mean of the passes
is the prediction, their disagreement what the network does not know. Here a pass leaves out the same units in
all samples, so that a prediction does not depend on the samples beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

ORIENTATIONS = 8
"""A square image has so many: four rotations, and those of its mirror image."""


@contextmanager
def units_left_out(module: nn.Module, number: int) -> Iterator[None]:
    """Every dropout layer leaves out units while predicting, drawn for the pass with this number.

    Args:
        module: in eval mode.
        number: from 1; 0: nothing is left out.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Dropout) and layer.p > 0]
    handles = [
        layer.register_forward_hook(_Mask(layer.p, 1_000 * number + i)) for i, layer in enumerate(layers)
    ]
    if not number:
        for handle in handles:
            handle.remove()
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Mask:
    """A hook: the output of a layer without the units that one draw leaves out."""

    def __init__(self, rate: float, seed: int) -> None:
        self.rate, self.seed = rate, seed

    def __call__(self, _layer: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        kept = torch.rand(output.shape[1:], generator=generator) >= self.rate
        return output * kept.to(output) / (1 - self.rate)


def turned(images: torch.Tensor, number: int) -> torch.Tensor:
    """Images (B, C, H, W) in one of their :data:`ORIENTATIONS`; 0 is as they are, 1 mirrored, and so on.

    >>> image = torch.tensor([[[[1, 2], [3, 4]]]])
    >>> [turned(image, i).flatten().tolist() for i in (0, 1, 2)]
    [[1, 2, 3, 4], [2, 1, 4, 3], [4, 3, 2, 1]]
    """
    quarters, mirrored = (0, 0, 2, 2, 1, 1, 3, 3)[number], number % 2
    images = torch.rot90(images, quarters, (2, 3)) if quarters else images
    return images.flip(3) if mirrored else images
