"""Which number format a network computes in, and batches that do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from hmcbench.interfaces import Dataset
from hmcbench.testing.helpers import fitted
from hmcbench.torchkit import device
from hmcbench.torchkit.device import Accumulator, autocast, has_depthwise, out_of_memory, usual_precision
from hmcbench.torchkit.heads import make_head
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
