"""Steps that fit into memory: a batch is halved until it does, and its gradients are summed."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

SMALLEST = 3
"""Images per pass below which the training gives up: with two, an odd batch leaves a pass of one image,
for which batch norms have no statistics."""


class Accumulator:
    """Gradients of a whole batch, in as many passes as memory asks for.

    The effective batch stays: the gradient is that of the mean over all its samples. Batch norms
    alone see the smaller batches.

    Attributes:
        limit: images per pass; halved, for good, whenever memory runs out.
    """

    def __init__(self, module: nn.Module, limit: int) -> None:
        self.module, self.limit = module, limit

    def backward(
        self, n: int, run: Callable[[slice], torch.Tensor], again: Callable[[], None]
    ) -> torch.Tensor:
        """Gradients of a batch of ``n``; the mean loss.

        Args:
            run: rows -> the mean loss of these rows, with its graph.
            again: called before another attempt at the whole batch.

        Raises:
            torch.OutOfMemoryError, RuntimeError: even the smallest passes do not fit.
        """
        while True:
            try:
                return self._passes(n, run)
            except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
                if not out_of_memory(error) or min(self.limit, n) // 2 < SMALLEST:
                    raise
            # outside of the handler, whose traceback keeps the tensors of the failed pass alive
            self.limit = min(self.limit, n) // 2
            self.module.zero_grad(set_to_none=True)
            again()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _passes(self, n: int, run: Callable[[slice], torch.Tensor]) -> torch.Tensor:
        passes = -(-n // self.limit)
        bounds = [n * i // passes for i in range(passes + 1)]  # nearly equal: none of a single image
        total: torch.Tensor | None = None
        for start, stop in pairwise(bounds):
            loss = run(slice(start, stop)) * ((stop - start) / n)
            loss.backward()
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: on a GPU, or in torch's allocator for the CPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
