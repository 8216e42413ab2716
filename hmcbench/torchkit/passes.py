"""Forward passes outside training: in blocks of images, with units left out (MC dropout), of turned images.

[Gal & Ghahramani 2016]: a network that was trained with dropout predicts with it too; the mean of the passes
is the prediction, their disagreement what the network does not know. Here a pass leaves out the same units in
all samples, so that a prediction does not depend on the samples beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn

from hmcbench.torchkit.data import PixelBatches
from hmcbench.torchkit.device import free_memory, out_of_memory

EVALUATION_BATCH = 128
"""Images per forward pass outside training, where memory allows; fixed, so that scores depend on the image
alone."""
ORIENTATIONS = 8
"""A square image has so many: four rotations, and those of its mirror image."""

_Result = TypeVar("_Result")


class BlockPasses:
    """Passes over all images in eval mode, in blocks that fit into memory.

    The output of an image does not depend on the images beside it: smaller blocks change its rounding alone.

    Attributes:
        limit: images per pass, at least 1; halved, until the end, whenever memory runs out.
    """

    def __init__(self, limit: int = EVALUATION_BATCH) -> None:
        self.limit = limit

    def over(
        self, pixels: PixelBatches, run: Callable[[torch.Tensor, slice], _Result]
    ) -> Iterator[tuple[slice, _Result]]:
        """Places of images, in order, and what ``run`` returns for them.

        Args:
            run: uint8 (<= limit, channels, H, W), and their places among all images.

        Raises:
            torch.OutOfMemoryError, RuntimeError, MemoryError: not even one image fits.
        """
        start = 0
        for block in pixels.blocks(self.limit):
            done = 0
            while done < len(block):
                part = block[done : done + self.limit]
                place = slice(start + done, start + done + len(part))
                try:
                    result = run(part, place)
                except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
                    if not out_of_memory(error) or len(part) == 1:
                        raise
                else:
                    yield place, result
                    done += len(part)
                    continue
                # outside the handler, whose traceback keeps the tensors of the failed pass alive
                self.limit = len(part) // 2
                free_memory()
            start += len(block)


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
