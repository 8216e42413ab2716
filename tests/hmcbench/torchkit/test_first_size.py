"""Smaller images first: the sides of all epochs, what the network is shown, what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, Task
from hmcbench.testing.helpers import fitted, inputs, same_scores
from hmcbench.torchkit.first_size import resized, side_of
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    ("first", "full", "epochs", "sides"),
    [
        (0, 64, 3, [64, 64, 64]),
        (64, 64, 3, [64, 64, 64]),
        (32, 64, 1, [32]),
        (32, 64, 2, [32, 64]),
        (32, 64, 11, [32, 32, 32, 48, 48, 48, 64, 64, 64, 64, 64]),
        (16, 72, 8, [16, 16, 32, 48, 72, 72, 72, 72]),
    ],
)
def test_sides_grow_over_half_of_the_epochs(first: int, full: int, epochs: int, sides: list[int]) -> None:
    assert [side_of(epoch, first, full, epochs) for epoch in range(epochs)] == sides


def test_images_shrink_to_means_of_what_a_pixel_covers() -> None:
    grey = torch.randint(0, 256, (3, 2, 8, 8), dtype=torch.uint8)
    assert resized(grey, 8) is grey
    half = resized(grey, 4)
    assert half.shape == (3, 2, 4, 4) and half.dtype == torch.float32
    torch.testing.assert_close(half.mean(), grey.float().mean(), atol=6, rtol=0)
    torch.testing.assert_close(resized(torch.full_like(grey, 7), 4), torch.full((3, 2, 4, 4), 7.0))


@pytest.fixture
def large(images: Callable[..., Dataset]) -> Dataset:
    """The images of the tree, 32 px."""
    dataset = images("tree")
    doubled = np.repeat(np.repeat(np.asarray(dataset.views["pixels"]), 2, axis=1), 2, axis=2)
    return dataclasses.replace(dataset, views={"pixels": doubled})


def test_training_images_grow_and_all_others_are_whole(large: Dataset, tiny_net: Any) -> None:
    shown: list[tuple[bool, int]] = []

    def build(task: Task) -> nn.Module:
        net: nn.Module = tiny_net(task)
        net.register_forward_pre_hook(lambda module, x: shown.append((module.training, x[0].shape[-1])))
        return net

    model = TorchModel(build, Recipe(epochs=4, batch_size=64, first_size=16))
    fitted(model, large)
    assert [side for training, side in shown if training] == [16, 16, 32, 32]
    shown.clear()
    model.predict(inputs(large))
    assert {side for _, side in shown} == {32}


@pytest.mark.parametrize("augment", ["none", "paper", "sem"])
def test_it_goes_on_after_a_kill(large: Dataset, tiny_net: Any, tmp_path: Path, augment: str) -> None:
    """The sides depend on the epoch and the recipe alone."""
    recipe = Recipe(epochs=4, batch_size=16, first_size=16, augment=augment)

    def die(step: int, total: int, **_: float) -> None:
        if step == 1:
            raise KeyboardInterrupt

    first, whole = TorchModel(tiny_net, recipe), TorchModel(tiny_net, recipe)
    with pytest.raises(KeyboardInterrupt):
        fitted(first, large, seed=3, folder=str(tmp_path), report=die)
    resumed = TorchModel(tiny_net, recipe)
    fitted(resumed, large, seed=3, folder=str(tmp_path))
    fitted(whole, large, seed=3)
    assert same_scores(resumed.predict(inputs(large)), whole.predict(inputs(large)))


def test_a_network_of_one_size_is_refused(large: Dataset) -> None:
    def build(task: Task) -> nn.Module:
        return nn.Sequential(nn.Flatten(), make_head("levels", 32 * 32, task))

    says = "first_size=16: the network takes no images of 16 px. Allowed: first_size=0, or a network"
    with pytest.raises(BadInput, match=says):
        fitted(TorchModel(build, Recipe(epochs=2, first_size=16)), large)
    fitted(TorchModel(build, Recipe(epochs=1)), large)


def test_patience_begins_when_the_images_are_whole(large: Dataset, tiny_net: Any) -> None:
    """At learning rate 0 no epoch is better than the first."""
    trained = {}
    for first in (0, 16):
        recipe = Recipe(epochs=12, batch_size=64, learning_rate=0.0, patience=2, first_size=first)
        model = TorchModel(tiny_net, recipe)
        fitted(model, large)
        trained[first] = int(str(model.describe()["epochs_trained"]))
    assert trained[0] < 8 <= trained[16]
