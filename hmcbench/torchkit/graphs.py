"""The forward pass of training: as it is, compiled, or as CUDA graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from hmcbench.torchkit.device import has_bfloat16, precision
from hmcbench.torchkit.layout import Output

SMALL_BATCH = 64
"""``auto`` takes CUDA graphs up to this batch size: there the GPU waits for the launches of kernels."""

Forward = Callable[[torch.Tensor], Output]


def make_forward(module: nn.Module, mode: str, batch_size: int, device: torch.device) -> Forward:
    """The forward pass in the device's precision.

    Args:
        mode: ``on``, ``graphs``, ``off``, or ``auto``: graphs on a GPU for batches up to
            :data:`SMALL_BATCH`, else off (compiling costs a minute or more, and on CPUs gained nothing
            that was measured here).
    """
    if mode == "auto":
        mode = "graphs" if device.type == "cuda" and batch_size <= SMALL_BATCH else "off"
    if mode == "graphs" and device.type == "cuda":
        return GraphForward(module, device)
    run: Any = torch.compile(module) if mode == "on" else module

    def forward(images: torch.Tensor) -> Output:
        with precision(device, module):
            output: Output = run(images)
            return output

    return forward


class _Call(nn.Module):
    """A network whose forward may be replaced without touching the network itself."""

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.module, self.device_type = module, device.type

    def forward(self, images: torch.Tensor) -> Any:
        # weights are cast inside the graph: a cache of casts would outlive the weights
        enabled = has_bfloat16(self.device_type)
        with torch.autocast(self.device_type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False):
            return self.module(images)


class GraphForward:
    """One CUDA graph of forward and backward per batch size (an epoch has one or two).

    A network that cannot be captured (it waits for the device, or its shapes depend on values) is
    run as it is, with a warning.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self.module, self.device = module, device
        self.calls: dict[int, Callable[[torch.Tensor], Any]] = {}

    def __call__(self, images: torch.Tensor) -> Output:
        call = self.calls.get(len(images))
        if call is None:
            call = self.calls[len(images)] = self._capture(images)
        output: Output = call(images)
        return output

    def _capture(self, images: torch.Tensor) -> Callable[[torch.Tensor], Any]:
        """Warming up moves the buffers (batch norms) and the random numbers: both are put back."""
        call = _Call(self.module, self.device).train(self.module.training)
        buffers = [(b, b.clone()) for b in self.module.buffers()]
        random = torch.cuda.get_rng_state(self.device)
        try:
            torch.cuda.make_graphed_callables(call, (torch.zeros_like(images),), allow_unused_input=True)
        except torch.OutOfMemoryError:
            raise  # smaller passes may fit
        except RuntimeError as error:
            warnings.warn(f"no CUDA graph, going on without: {str(error).splitlines()[0]}", stacklevel=2)
            call = _Call(self.module, self.device).train(self.module.training)
        finally:
            torch.cuda.set_rng_state(random, self.device)
            with torch.no_grad():
                for buffer, value in buffers:
                    buffer.copy_(value)
        return call
