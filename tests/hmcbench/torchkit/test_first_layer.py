"""The first layer from patches: equal variances, the scale of random filters, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, Task
from hmcbench.testing.helpers import fitted
from hmcbench.torchkit.first_layer import whiten
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe

pytestmark = pytest.mark.torch


def smooth_images(channels: int = 1, samples: int = 40) -> torch.Tensor:
    """Normalised images (N, C, 24, 24) in which neighbouring pixels are alike, but not the same."""
    noise = torch.randn(samples, channels, 28, 28, generator=torch.Generator().manual_seed(0))
    smooth = F.avg_pool2d(noise, 5, stride=1) + 0.1 * noise[:, :, 2:-2, 2:-2]
    return (smooth - smooth.mean()) / smooth.std()


def outputs(convolution: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
    """(filters, places), without the padding that the covariance leaves out."""
    with torch.no_grad():
        seen = F.conv2d(images, convolution.weight, stride=convolution.stride)
    return seen.transpose(0, 1).flatten(1)


def first_weight(model: TorchModel) -> torch.Tensor:
    return next(model.module.parameters()).detach()


def test_outputs_are_uncorrelated_and_of_the_variance_that_random_ones_had() -> None:
    torch.manual_seed(1)
    images, first = smooth_images(), nn.Conv2d(1, 20, 3, stride=2, padding=1)
    before, drawn = outputs(first, images).var(1).mean(), first.weight.clone()
    whiten(nn.Sequential(first, nn.ReLU()), images)
    after = outputs(first, images)
    covariance = after[:18:2].cov()
    torch.testing.assert_close(covariance, before * torch.eye(9), atol=0.02 * float(before), rtol=0)
    assert torch.equal(first.weight[1:18:2], -first.weight[:18:2])
    assert torch.equal(first.weight[18:], drawn[18:]), "of 9 inputs there are 18 filters, the others stay"


def test_of_few_filters_those_of_most_variance_come_first() -> None:
    images = smooth_images()
    first = nn.Conv2d(1, 5, 3)
    whiten(nn.Sequential(first), images)
    assert first.weight[0].sum().abs() > 5 * first.weight[2].sum().abs()  # the mean of smooth patches
    assert torch.equal(first.weight[3], -first.weight[2])


def test_directions_without_variance_take_no_filters() -> None:
    """Three equal channels have a third of the directions of three different ones."""
    images = smooth_images().expand(-1, 3, -1, -1)
    first = nn.Conv2d(3, 60, 3)
    drawn = first.weight.clone()
    whiten(nn.Sequential(first), images)
    assert torch.equal(first.weight[18:], drawn[18:]) and not torch.equal(first.weight[:18], drawn[:18])
    black = nn.Conv2d(1, 4, 3)
    drawn = black.weight.clone()
    whiten(nn.Sequential(black), torch.zeros(5, 1, 8, 8))
    assert torch.equal(black.weight, drawn)


class Beside(nn.Module):
    """Reads a table before it looks at the images, of which it takes the halves."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.first = nn.Linear(3, 4), nn.Conv2d(1, 4, 3)
        self.place = nn.Parameter(torch.zeros(1, 4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        row: torch.Tensor = self.table(torch.zeros(len(images), 3))
        seen: torch.Tensor = self.first(images[:, :, ::2])
        return seen.mean((2, 3)) + row + self.place


def test_the_first_layer_is_the_one_that_images_come_to_first() -> None:
    net = Beside().train()
    table = net.table.weight.clone()
    whiten(net, smooth_images())
    assert torch.equal(net.first.weight[1::2], -net.first.weight[::2])
    assert net.training and torch.equal(net.table.weight, table)
    assert not net.first._forward_pre_hooks and not net.table._forward_pre_hooks


@pytest.mark.parametrize(
    ("net", "channels"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(576, 4)), 1),
        (nn.Sequential(nn.Linear(24, 24), nn.Conv2d(1, 4, 3)), 1),
        (nn.Sequential(nn.Conv2d(2, 4, 3, groups=2)), 2),
    ],
)
def test_networks_that_begin_with_another_layer_are_refused(net: nn.Module, channels: int) -> None:
    with pytest.raises(BadInput, match=r"no convolution over all channels\. Allowed: first_layer=random"):
        whiten(net, smooth_images(channels))


def test_a_training_starts_from_it_and_is_the_same_every_time(
    images: Callable[..., Dataset], tiny_net: Any
) -> None:
    def weights(first_layer: str, rate: float = 2e-3) -> torch.Tensor:
        recipe = Recipe(epochs=1, batch_size=16, first_layer=first_layer, learning_rate=rate)
        model = TorchModel(tiny_net, recipe)
        fitted(model, images("tree"), seed=3)
        return first_weight(model)

    still = weights("whitened", rate=0.0)
    assert torch.equal(still[1::2], -still[::2])
    trained = weights("whitened")
    assert not torch.equal(trained, still) and torch.equal(trained, weights("whitened"))
    assert not torch.equal(trained, weights("random"))


def test_trained_weights_are_not_replaced(images: Callable[..., Dataset], tiny_net: Any) -> None:
    model = TorchModel(tiny_net, Recipe(epochs=1, first_layer="whitened"), facts={"pretrained": True})
    with pytest.raises(BadInput, match="would replace trained weights"):
        fitted(model, images("tree"))


def test_a_network_of_patches_is_whitened_too(images: Callable[..., Dataset]) -> None:
    """As many pairs as fit: 6 filters of 16 inputs."""

    def build(task: Task) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 6, 4, stride=4), nn.Flatten(), make_head("levels", 96, task))

    model = TorchModel(build, Recipe(epochs=1, first_layer="whitened", learning_rate=0.0))
    fitted(model, images("tree"))
    filters = first_weight(model).flatten(1)
    assert torch.equal(filters[1::2], -filters[::2])
