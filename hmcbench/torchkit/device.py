"""What a training does with its device: number formats, seeds, memory, compiled forward passes.

Steps fit into memory: a batch is halved until it does, and its gradients are summed.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from hmcbench.errors import BadInput
from hmcbench.torchkit.layout import Masked, Output

__all__ = ["autocast", "has_bfloat16", "reliable_precision", "usual_precision"]  # what plugins may use

SMALLEST = 3
"""Images per pass below which the training gives up: with two, an odd batch leaves a pass of one image,
for which batch norms have no statistics."""
SMALL_BATCH = 64
"""``auto`` takes CUDA graphs up to this batch size: there the GPU waits for the launches of kernels."""
Forward = Callable[..., Output]


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """``bfloat16`` for the operations that gain by it, or ``float32`` for all."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def usual_precision(device: torch.device, module: nn.Module | None = None) -> str:
    """``bfloat16`` where the device has units for it and most networks gain by it, else ``float32``."""
    gains = has_bfloat16(device.type) and not (device.type == "cpu" and has_depthwise(module))
    return "bfloat16" if gains else "float32"


def has_depthwise(module: nn.Module | None) -> bool:
    """Whether a convolution takes every channel by itself.

    On CPUs these are slow in bfloat16: with 32 images of 64 px on two cores with AVX-512 BF16,
    lcnet_050 and mobilenetv3_small_050 trained at 0.6 times their rate in float32, while resnet10t
    trained at 1.8 times.
    """
    modules = () if module is None else module.modules()
    return any(isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1 for m in modules)


def reliable_precision(
    wanted: str, module: nn.Module, shapes: Iterable[tuple[int, ...]], device: torch.device
) -> str:
    """``wanted``, or ``float32`` instead of ``auto`` where bfloat16 cannot be relied on.

    On CPUs with bfloat16 units, convolutions whose stride is above 1 and whose output is one pixel wide or
    high cannot be relied on: gradients are not finite now and then (torch 2.15 with AMX, a ResNet with images
    of 16 px), and those with three dimensions return wrong values (oneDNN 3.12 with AMX,
    https://github.com/pytorch/pytorch/issues/169688). A ResNet halves its images five times: it has such a
    convolution for images of up to 32 px.

    Args:
        wanted: ``auto``, ``float32`` or ``bfloat16``.
        module: on the device; not changed.
        shapes: (channels, H, W) of all images that it will get.

    Raises:
        BadInput: ``bfloat16`` is wanted where it cannot be relied on.
    """
    if wanted == "float32" or device.type != "cpu" or not has_bfloat16("cpu"):
        return wanted
    sides = [shape[-1] for shape in shapes if _strides_to_one_pixel(module, shape)]
    if not sides:
        return wanted
    if wanted == "auto":
        return "float32"
    raise BadInput(
        f"precision=bfloat16 with images of {sides[0]} px: a convolution of this network ends with one pixel,"
        " for which this processor may return wrong numbers",
        allowed="precision=auto, precision=float32, or larger images",
    )


def _strides_to_one_pixel(module: nn.Module, shape: tuple[int, ...]) -> bool:
    hits: list[bool] = []

    def look(convolution: Any, _: Any, output: torch.Tensor) -> None:
        sides = output.shape[-len(convolution.stride) :]
        hits.append(any(step > 1 and side == 1 for step, side in zip(convolution.stride, sides, strict=True)))

    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    handles = [m.register_forward_hook(look) for m in module.modules() if isinstance(m, kinds)]
    was_training = module.training
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, *shape))
    finally:
        module.train(was_training)
        for handle in handles:
            handle.remove()
    return any(hits)


@cache
def has_bfloat16(device_type: str) -> bool:
    """Whether the device has bfloat16 units; a CPU without them emulates at a twelfth of the speed."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private: a later torch may lack them
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def seed_epoch(seed: int, epoch: int) -> int:
    """Seed torch for one epoch and return that seed for further generators.

    As no generator state is carried over between epochs, a checkpoint needs none.
    """
    value = (seed * 1_000_003 + epoch) % 2**63
    torch.manual_seed(value)
    return value


@contextmanager
def settings(device: torch.device, *, deterministic: bool) -> Iterator[None]:
    """Global settings of torch for one training, restored at its end.

    On a GPU, ``deterministic`` allows only algorithms that give the same bits every time (an
    operation without one warns); otherwise cuDNN looks for the fastest ones, and float32 products
    may use TF32. The CPU gives the same bits for the same number of threads anyway.
    """
    if device.type != "cuda":
        yield
        return
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        torch.get_float32_matmul_precision(),
    )
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not deterministic
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=True)
        torch.backends.cudnn.benchmark = before[1]
        torch.set_float32_matmul_precision(before[2])


class Accumulator:
    """Gradients of a batch, in as many passes as memory requires.

    The gradient is that of the mean over all samples of the batch; only batch norms see the smaller
    passes.

    Args:
        forward: the forward pass of ``module``, if it has to know that passes begin to be summed.

    Attributes:
        limit: images per pass, at least :data:`SMALLEST`; halved, until the end, whenever memory runs out.
    """

    def __init__(self, module: nn.Module, limit: int, forward: Forward | None = None) -> None:
        self.module, self.limit, self.forward = module, max(limit, SMALLEST), forward

    def backward(
        self, n: int, run: Callable[[slice], torch.Tensor], reset: Callable[[], None]
    ) -> torch.Tensor:
        """Gradients of a batch of ``n``; the mean loss.

        Args:
            run: rows -> the mean loss of these rows, with its graph.
            reset: called before another attempt at the whole batch.

        Raises:
            torch.OutOfMemoryError, RuntimeError: even the smallest passes do not fit.
        """
        while True:
            if self.limit < n and isinstance(self.forward, GraphForward):
                self.forward.without_graphs()
            try:
                return self._passes(n, run)
            except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
                if not out_of_memory(error) or min(self.limit, n) // 2 < SMALLEST:
                    raise
            # outside the handler, whose traceback keeps the tensors of the failed pass alive
            self.limit = min(self.limit, n) // 2
            if isinstance(self.forward, GraphForward):
                self.forward.without_graphs()
            self.module.zero_grad(set_to_none=True)
            reset()
            free_memory()

    def _passes(self, n: int, run: Callable[[slice], torch.Tensor]) -> torch.Tensor:
        passes = -(-n // self.limit)
        bounds = [n * i // passes for i in range(passes + 1)]  # nearly equal, so that none has a single image
        total: torch.Tensor | None = None
        for start, stop in pairwise(bounds):
            loss = run(slice(start, stop)) * ((stop - start) / n)
            loss.backward()
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total


def free_memory() -> None:
    """Give back the memory of tensors that nothing refers to, also that which torch keeps on a GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: on a GPU, or in torch's allocator for the CPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)


def make_forward(
    module: nn.Module, mode: str, batch_size: int, device: torch.device, precision: str
) -> Forward:
    """The forward pass.

    Args:
        precision: ``float32`` or ``bfloat16``.
        mode: ``on``, ``graphs``, ``off``, or ``auto``: graphs on a GPU for batches up to
            :data:`SMALL_BATCH`, else off (compiling takes a minute or more, and no gain was measured on
            CPUs). Graphs are of networks with one input.
    """
    if mode == "auto":
        mode = "graphs" if device.type == "cuda" and batch_size <= SMALL_BATCH else "off"
    if mode == "graphs" and device.type == "cuda":
        return GraphForward(module, device, precision)
    run: Any = torch.compile(module) if mode == "on" else module

    def forward(*inputs: torch.Tensor) -> Output:
        with autocast(device, precision):
            output: Output = run(*inputs)
            return output

    return forward


class _Call(nn.Module):
    """A wrapper whose forward may be replaced without changing the network itself.

    Attributes:
        finish: what turns the tensors that ``forward`` returns into the output of the network.
    """

    def __init__(self, module: nn.Module, device: torch.device, precision: str) -> None:
        super().__init__()
        self.module, self.device_type, self.precision = module, device.type, precision
        self.finish: Callable[[Any], Any] = _unchanged

    def forward(self, images: torch.Tensor) -> Any:
        # weights are cast inside the graph: a cache of casts would outlive the weights
        enabled = self.precision == "bfloat16"
        with torch.autocast(self.device_type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False):
            output = self.module(images)
        if isinstance(output, Masked):  # a graph returns tensors alone; its maximum is taken in the loss
            self.finish = partial(Masked, maximum=output.maximum)
            return output.logits
        return output


def _unchanged(output: Any) -> Any:
    return output


class GraphForward:
    """One CUDA graph of forward and backward per shape of a batch (an epoch has one or two).

    A network that cannot be captured (it waits for the device, its shapes depend on values, or its outputs
    are no tensors) is run as it is, with a warning.
    """

    def __init__(self, module: nn.Module, device: torch.device, precision: str) -> None:
        self.module, self.device, self.precision = module, device, precision
        self.calls: dict[torch.Size, _Call] = {}
        self.plain: _Call | None = None  # what runs instead of graphs

    def __call__(self, images: torch.Tensor) -> Output:
        call = self.plain or self.calls.get(images.shape)
        if call is None:
            call = self.calls[images.shape] = self._capture(images)
        tensors = call(images)
        output: Output = call.finish(tensors)  # set by the call where it is no graph
        return output

    def without_graphs(self) -> None:
        """Drop all graphs, with their memory, and run the network as it is from now on.

        A graph writes its gradients to the same place at every replay, and the first of several passes
        leaves them there as the gradients of the weights: a second replay would overwrite what it is
        added to.
        """
        self.calls.clear()
        self.plain = self.plain or self._call()

    def _call(self) -> _Call:
        """In the mode of the network, whose parts keep their own: frozen ones do not train."""
        call = _Call(self.module, self.device, self.precision)
        call.training = self.module.training
        return call

    def _capture(self, images: torch.Tensor) -> _Call:
        """The warm-up changes buffers (batch norms) and the random state: both are restored."""
        call = self._call()
        buffers = [(b, b.clone()) for b in self.module.buffers()]
        random = torch.cuda.get_rng_state(self.device)
        try:
            torch.cuda.make_graphed_callables(call, (torch.zeros_like(images),), allow_unused_input=True)
        except torch.OutOfMemoryError:
            raise  # smaller passes may fit
        except (RuntimeError, AttributeError) as error:  # the latter: an output that is no tensor
            warnings.warn(f"no CUDA graph, going on without: {str(error).splitlines()[0]}", stacklevel=2)
            call = self._call()
        finally:
            torch.cuda.set_rng_state(random, self.device)
            with torch.no_grad():
                for buffer, value in buffers:
                    buffer.copy_(value)
        return call
