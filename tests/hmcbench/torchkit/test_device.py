"""Which number format a network computes in, and batches that do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset
from hmcbench.testing.helpers import fitted, tiny_dataset
from hmcbench.torchkit import device
from hmcbench.torchkit.device import (
    Accumulator,
    GraphForward,
    autocast,
    has_depthwise,
    out_of_memory,
    reliable_precision,
    usual_precision,
)
from hmcbench.torchkit.freezing import training_mode
from hmcbench.torchkit.heads import MaxHead, make_head
from hmcbench.torchkit.layout import Masked
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
PLAIN = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=2))
DEPTHWISE = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4))


def test_a_convolution_of_one_channel_is_not_depthwise() -> None:
    assert has_depthwise(DEPTHWISE)
    assert not has_depthwise(PLAIN)
    assert not has_depthwise(None)


@pytest.mark.parametrize(("module", "expected"), [(PLAIN, torch.bfloat16), (DEPTHWISE, torch.float32)])
def test_depthwise_networks_stay_in_float32_on_a_cpu(
    module: nn.Module, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "has_bfloat16", lambda _: True)
    with autocast(CPU, usual_precision(CPU, module)):
        assert module(torch.zeros(1, 1, 8, 8)).dtype == expected
    monkeypatch.setattr(device, "has_bfloat16", lambda _: False)
    with autocast(CPU, usual_precision(CPU, module)):
        assert module(torch.zeros(1, 1, 8, 8)).dtype == torch.float32


def halving(times: int) -> nn.Module:
    """In training mode: convolutions that halve their images (1, H, W), and a batch norm."""
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3, 2, 1) for _ in range(times)), nn.BatchNorm2d(1))
    return net.train()


def test_a_convolution_that_strides_to_one_pixel_is_not_computed_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "has_bfloat16", lambda _: True)
    net = halving(3)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    large, small, flat = (1, 16, 16), (1, 8, 8), (1, 8, 64)
    assert reliable_precision("auto", net, [large], CPU) == "auto"
    assert reliable_precision("bfloat16", net, [large], CPU) == "bfloat16"
    for shapes in ([small], [large, small], [flat]):
        assert (
            reliable_precision("auto", net, shapes, CPU)
            == reliable_precision("float32", net, shapes, CPU)
            == "float32"
        )
    with pytest.raises(
        BadInput, match=r"precision=bfloat16 with images of 8 px.*Allowed: precision=auto, precision"
    ):
        reliable_precision("bfloat16", net, [large, small], CPU)
    assert net.training and not net[0]._forward_hooks  # type: ignore[index]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    single_steps = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 1))
    assert reliable_precision("auto", single_steps, [(1, 3, 3)], CPU) == "auto"  # one pixel, without a stride
    monkeypatch.setattr(device, "has_bfloat16", lambda _: False)
    assert reliable_precision("auto", net, [small], CPU) == "auto"


class Narrow(nn.Module):
    """A plain network for which more than ``room`` images in training are too many."""

    def __init__(self, task: Any, room: int) -> None:
        super().__init__()
        self.room = room
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(256, 8), nn.ReLU(), make_head("levels", 8, task))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        if self.training and len(x) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        levels: list[torch.Tensor] = self.net(x)
        return levels


def test_a_batch_that_does_not_fit_is_taken_in_passes(images: Callable[..., Dataset]) -> None:
    dataset = images("tree")
    recipe = Recipe(epochs=4, batch_size=20, optimizer="sgd", learning_rate=0.05, mixup=0.2, clip_norm=1.0)
    wide = fitted(TorchModel(lambda task: Narrow(task, 100), recipe), dataset, seed=3)
    narrow = fitted(TorchModel(lambda task: Narrow(task, 6), recipe), dataset, seed=3)
    assert narrow.describe()["images_per_pass"] == 5
    assert "images_per_pass" not in wide.describe()
    for a, b in zip(wide.module.parameters(), narrow.module.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)  # the effective batch stayed


def test_a_network_that_never_fits_fails(images: Callable[..., Dataset]) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        fitted(
            TorchModel(lambda task: Narrow(task, 2), Recipe(epochs=1, batch_size=20)), images("tree"), seed=3
        )


def test_no_pass_is_of_a_single_image() -> None:
    sizes: list[int] = []
    weight = nn.Parameter(torch.ones(()))

    def run(rows: slice) -> torch.Tensor:
        sizes.append(rows.stop - rows.start)
        return weight * 1.0

    for limit in range(3, 9):
        for n in range(2, 40):
            Accumulator(nn.Identity(), limit).backward(n, run, lambda: None)
            assert sum(sizes) == n and max(sizes) <= limit and min(sizes) >= 2
            sizes.clear()


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    assert out_of_memory(MemoryError()) and out_of_memory(RuntimeError("x: can't allocate memory: y"))
    assert not out_of_memory(RuntimeError("shapes do not match"))

    def run(rows: slice) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Accumulator(nn.Identity(), 8).backward(8, run, lambda: None)


def captured(module: Any, images: torch.Tensor) -> None:
    """Stands for ``torch.cuda.make_graphed_callables``, which reads the outputs as tensors."""
    for output in torch.utils._pytree.tree_leaves(module(*images)):
        assert isinstance(output.requires_grad, bool)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs on a machine without a GPU: they are run as they are."""
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda _device: None)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda _state, _device: None)
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda module, x, **_: captured(module, x))


@pytest.mark.usefixtures("graphs")
@pytest.mark.filterwarnings("error")
def test_a_graph_of_a_network_whose_maximum_depends_on_the_truth() -> None:
    head = MaxHead(4, tiny_dataset(4, "dag").task).train()
    x, expected = torch.ones(2, 4), head(torch.ones(2, 4))
    output: Any = GraphForward(head, CPU, "float32")(x)
    assert isinstance(output, Masked) and isinstance(expected, Masked)
    torch.testing.assert_close(output.highest(), expected.highest())


@pytest.mark.usefixtures("graphs")
def test_frozen_parts_stay_frozen_under_graphs() -> None:
    """A capture in training mode would change the statistics of frozen norms."""
    net: Any = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    net[:2].requires_grad_(False)
    training_mode(net)
    before = [buffer.clone() for buffer in net.buffers()]
    forward = GraphForward(net, CPU, "float32")
    forward(torch.randn(6, 4))
    forward(torch.randn(6, 4))
    assert net.training and net[2].training and not net[1].training
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))


def kept_in_place(module: Any, _example: Any, **_more: Any) -> None:
    """Stands for ``torch.cuda.make_graphed_callables``: every backward pass writes to the same gradients."""
    weights, forward = tuple(module.parameters()), module.forward
    places = [torch.zeros_like(weight) for weight in weights]

    class Replay(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, images: torch.Tensor, *_weights: torch.Tensor) -> torch.Tensor:
            with torch.enable_grad():
                ctx.output = forward(images)
            output: torch.Tensor = ctx.output.detach()
            return output

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
            for place, gradient in zip(
                places, torch.autograd.grad(ctx.output, weights, gradients), strict=True
            ):
                place.copy_(gradient)
            return (None, *(place.detach() for place in places))

    module.forward = lambda images: Replay.apply(images, *weights)


@pytest.mark.usefixtures("graphs")
@pytest.mark.parametrize("room", [12, 6])
def test_passes_under_graphs_sum_to_the_gradient_of_the_batch(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", kept_in_place)
    torch.manual_seed(0)
    net, images = nn.Linear(3, 2), torch.randn(12, 3)
    forward = GraphForward(net, CPU, "float32")
    graphs_at_first: list[int] = []

    def run(rows: slice) -> torch.Tensor:
        part = images[rows]
        loss = torch.as_tensor(forward(part)).square().mean()
        graphs_at_first.append(len(forward.calls))
        if len(part) > room:  # memory runs out behind the first graph
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss

    Accumulator(net, 12 if room < 12 else 4, forward).backward(12, run, lambda: None)
    summed = [weight.grad for weight in net.parameters()]
    expected = torch.autograd.grad(net(images).square().mean(), tuple(net.parameters()))
    torch.testing.assert_close(summed, list(expected))
    assert not forward.calls, "graphs keep the memory that ran out"
    assert graphs_at_first[0] == (1 if room < 12 else 0)


@pytest.mark.usefixtures("graphs")
@pytest.mark.parametrize("masked", [True, False])
def test_a_network_without_a_graph_runs_as_it_is(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(nn.Linear):
        def forward(self, x: torch.Tensor) -> Any:
            return {1.0}

    def refuse(*_args: Any, **_more: Any) -> None:
        raise RuntimeError("it waits for the device")

    if masked:
        monkeypatch.setattr(torch.cuda, "make_graphed_callables", refuse)
    net: Any = MaxHead(4, tiny_dataset(4, "dag").task).train() if masked else Odd(4, 4)
    with pytest.warns(UserWarning, match="no CUDA graph"):
        output = GraphForward(net, CPU, "float32")(torch.ones(2, 4))
    assert isinstance(output, Masked) if masked else output == {1.0}
