"""What keeps a training whole: little memory, rare classes, running means, tiles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench.interfaces import Dataset, Run
from hmcbench.testing.helpers import inputs, labelled
from hmcbench.torchkit import Recipe, TorchModel, make_head
from hmcbench.torchkit.device import Accumulator, out_of_memory
from hmcbench.torchkit.engine import Ema
from hmcbench.torchkit.losses import sample_weights

pytestmark = pytest.mark.torch


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


def fitted(dataset: Dataset, recipe: Recipe, build: Callable[[Any], nn.Module]) -> TorchModel:
    model = TorchModel(build, recipe)
    model.fit(labelled(dataset, range(40)), labelled(dataset, range(40, 60)), Run(dataset.task, seed=3))
    return model


def test_a_batch_that_does_not_fit_is_taken_in_passes(images: Callable[..., Dataset]) -> None:
    dataset = images("tree")
    recipe = Recipe(epochs=4, batch_size=20, optimizer="sgd", learning_rate=0.05, mixup=0.2, clip_norm=1.0)
    wide = fitted(dataset, recipe, lambda task: Narrow(task, 100))
    narrow = fitted(dataset, recipe, lambda task: Narrow(task, 6))
    assert narrow.describe()["images_per_pass"] == 5
    assert "images_per_pass" not in wide.describe()
    for a, b in zip(wide.module.parameters(), narrow.module.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)  # the effective batch stayed


def test_a_network_that_never_fits_fails(images: Callable[..., Dataset]) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        fitted(images("tree"), Recipe(epochs=1, batch_size=20), lambda task: Narrow(task, 2))


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


def test_weights_make_classes_equal() -> None:
    paths = torch.tensor([[0, 0]] * 6 + [[0, 1]] * 3 + [[1, 2]])
    weights = sample_weights(paths)
    assert float(weights.mean()) == pytest.approx(1)
    sums = [float(weights[(paths == row).all(1)].sum()) for row in paths.unique(dim=0)]
    assert sums == pytest.approx([10 / 3] * 3)
    sets = torch.tensor([[1, 0], [1, 0], [1, 1], [0, 0]]).bool()
    got = sample_weights(sets)
    assert got.tolist() == pytest.approx(
        (np.array([1 / 3, 1 / 3, 2 / 3, 4 / 9]) / np.mean([1 / 3, 1 / 3, 2 / 3, 4 / 9])).tolist()
    )
    assert sample_weights(torch.zeros(3, 2).bool()).tolist() == [1, 1, 1]


def test_balance_lifts_a_rare_class(images: Callable[..., Dataset], tiny_net: Any) -> None:
    dataset = images("tree", 400)
    targets = np.asarray(dataset.targets)
    rare = np.flatnonzero(targets[:, dataset.task.hierarchy.level_classes(2)[0]])  # type: ignore[union-attr]
    train = np.setdiff1d(np.arange(400), rare[4:])
    share = {}
    for balance in ("none", "sampling", "weights"):
        model = TorchModel(tiny_net, Recipe(epochs=4, batch_size=32, balance=balance))
        model.fit(labelled(dataset, train), labelled(dataset, rare[:4]), Run(dataset.task, seed=3))
        share[balance] = (
            model.predict(inputs(dataset)).values[:, dataset.task.hierarchy.level_classes(2)[0]].mean()
        )  # type: ignore[union-attr]
    assert share["sampling"] > 1.3 * share["none"] and share["weights"] > 1.3 * share["none"]


def test_ema_is_the_running_mean_of_the_weights() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    ema, expected = Ema(net, 0.5), net[0].weight.detach().clone()
    for step in range(20):
        with torch.no_grad():
            net[0].weight.add_(1.0)
            net[1].running_mean.add_(1.0)
        ema.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
    torch.testing.assert_close(ema.module[0].weight, expected)
    torch.testing.assert_close(ema.module[1].running_mean, net[1].running_mean)
    assert not ema.module.training and not ema.module[0].weight.requires_grad


def test_ema_weights_are_what_is_judged_and_used(images: Callable[..., Dataset], tiny_net: Any) -> None:
    plain = fitted(images("tree"), Recipe(epochs=3, batch_size=16), tiny_net)
    mean = fitted(images("tree"), Recipe(epochs=3, batch_size=16, ema=0.9), tiny_net)
    one, two = (next(iter(m.module.parameters())) for m in (plain, mean))
    assert not torch.equal(one, two) and two.requires_grad


def test_tiles_are_learnt_from_one_by_one_and_joined(images: Callable[..., Dataset], tiny_net: Any) -> None:
    whole = images("tree")
    pixels = whole.views["pixels"]
    tiles = np.stack([pixels, 255 - pixels], 1)  # two tiles per image
    dataset = dataclasses.replace(whole, views={"pixels": tiles})
    model = fitted(dataset, Recipe(epochs=2, batch_size=16), tiny_net)
    got = model.predict(inputs(dataset)).values
    assert got.shape == (60, 7)
    parts = [
        model.predict(inputs(dataclasses.replace(whole, views={"pixels": tiles[:, k]}))).values
        for k in (0, 1)
    ]
    np.testing.assert_allclose(got, (parts[0] + parts[1]) / 2, atol=1e-5)


def test_tiles_of_colour_images(images: Callable[..., Dataset], tiny_net: Any) -> None:
    whole = images("multiple", channels=3)
    tiles = np.repeat(whole.views["pixels"][:, None], 4, 1)
    dataset = dataclasses.replace(whole, views={"pixels": tiles})
    model = fitted(dataset, Recipe(epochs=1, batch_size=32), lambda task: tiny_net(task, channels=3))
    assert model.predict(inputs(dataset)).values.shape == (60, 7)
