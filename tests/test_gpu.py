"""What only a GPU can show; skipped, with the reason, where there is none."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.execute.resources import cuda_devices

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.torch,
    pytest.mark.skipif(not cuda_devices(), reason="no CUDA device is visible"),
]


def test_a_cell_runs_on_the_gpu_and_says_so(cli: Callable[..., Any], tmp_path: Path) -> None:
    model = "timm:resnet10t[epochs=1,stem_stride=keep]"
    args = ("run", "--suite", "sem-failure", "--model", model, "--out", tmp_path, "--json")
    (record,) = json.loads(cli(*args, "--device", "cuda:0").out)["records"]
    assert record["status"] == "ok", record["message"]
    assert record["hardware"]["device"] == "cuda"
    assert record["hardware"]["gpu"]
    assert record["memory"]["peak_device_mb"] > 0
    assert record["timing"]["fit_s"] > 0


def test_models_that_need_no_gpu_stay_on_the_cpu(cli: Callable[..., Any], tmp_path: Path) -> None:
    args = ("run", "--suite", "smoke", "--model", "prior", "--out", tmp_path, "--json")
    for record in json.loads(cli(*args).out)["records"]:
        assert record["hardware"]["device"] == "cpu"


def test_cuda_graphs_train_as_the_plain_network_does(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Same seed, two ways to launch the same kernels: the losses agree within bfloat16."""
    losses = {}
    for mode in ("off", "graphs"):
        model = f"timm:resnet10t[epochs=2,stem_stride=keep,augment=none,compile={mode}]"
        out = tmp_path / mode
        args = ("run", "--suite", "sem-failure", "--model", model, "--out", out, "--json")
        (record,) = json.loads(cli(*args, "--device", "cuda:0").out)["records"]
        assert record["status"] == "ok", record["message"]
        (history,) = out.rglob("history.csv")
        rows = list(csv.DictReader(history.open()))
        losses[mode] = [float(row["train_loss"]) for row in rows]
    assert losses["graphs"] == pytest.approx(losses["off"], rel=0.1)


def test_frozen_statistics_stay_bit_equal_under_cuda_graphs() -> None:
    """The warm-up and the replays of a graph run the frozen norms as in evaluation."""
    import torch

    from hmcbench.torchkit.device import GraphForward
    from hmcbench.torchkit.freezing import training_mode

    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Flatten(), torch.nn.Linear(288, 2)
    ).cuda()
    net[:2].requires_grad_(False)
    training_mode(net)
    before = [buffer.clone() for buffer in net.buffers()]
    forward = GraphForward(net, torch.device("cuda"), "float32")
    for _ in range(3):
        torch.as_tensor(forward(torch.randn(16, 1, 8, 8, device="cuda"))).sum().backward()
    assert list(forward.calls) == [(16, 1, 8, 8)] and net[3].training and not net[1].training
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))


@pytest.mark.parametrize("room", [32, 20])
def test_passes_under_cuda_graphs_sum_to_the_gradient_of_the_batch(room: int) -> None:
    """A graph keeps its gradients in one place, where a second pass would overwrite the first.

    With room for 20 images a graph of the whole batch of 32 is dropped when memory runs out.
    """
    import torch

    from hmcbench.torchkit.device import Accumulator, GraphForward

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4)).cuda()
    images = torch.randn(32, 16, device="cuda")
    forward = GraphForward(net, torch.device("cuda"), "float32")

    def run(rows: slice) -> torch.Tensor:
        loss = torch.as_tensor(forward(images[rows])).square().mean()
        if rows.stop - rows.start > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss

    Accumulator(net, 32 if room < 32 else 8, forward).backward(32, run, lambda: None)
    summed = [weight.grad for weight in net.parameters()]
    expected = torch.autograd.grad(net(images).square().mean(), tuple(net.parameters()))
    torch.testing.assert_close(summed, list(expected), rtol=1e-3, atol=1e-5)
    assert not forward.calls
