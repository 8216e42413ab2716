"""Grad-CAM of every kind of layer; maps that find what they should; what randomised weights do."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench.errors import NotApplicable
from hmcbench.testing.helpers import fitted, inputs, tiny_dataset
from hmcbench.torchkit import saliency
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe
from hmcbench.torchkit.saliency import GradCam, Grid, find_layer, grid_of

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


def tree_layout() -> Layout:
    return Layout(tiny_dataset(6).task, CPU)


class Net(nn.Module):
    """A body and a linear layer per level."""

    def __init__(self, body: nn.Module, features: int) -> None:
        super().__init__()
        self.body = body
        self.levels = nn.ModuleList(nn.Linear(features, n) for n in (2, 5))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        y = self.body(x)
        return [level(y) for level in self.levels]


def timm_net(name: str, size: int) -> Net:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    options: dict[str, Any] = {"num_classes": 0, "in_chans": 1}
    if name == "swin":
        swin = timm.models.swin_transformer.SwinTransformer
        body = swin(img_size=size, embed_dim=16, depths=(1, 1), num_heads=(1, 2), window_size=4, **options)
    else:
        body = timm.create_model(name, **options, **({"img_size": size} if "vit" in name else {}))
    return Net(body, body.head_hidden_size).eval()


TIMM = [
    ("test_resnet", 64, "first"),
    ("test_efficientnet", 64, "first"),
    ("test_convnext", 64, "first"),
    ("test_vit", 64, "tokens"),
    ("test_vit2", 64, "tokens"),  # with register tokens
    ("swin", 32, "last"),
    ("test_mambaout", 64, "last"),
]


@pytest.mark.parametrize(("name", "size", "kind"), TIMM, ids=[t[0] for t in TIMM])
def test_networks_of_every_kind(name: str, size: int, kind: str) -> None:
    """Maps differ between classes and stay what they are when others are in the batch."""
    net, images = timm_net(name, size), torch.randn(2, 1, size, size)
    cam = GradCam(net, tree_layout(), images[:1])
    assert cam.grid.kind == kind
    maps = cam.maps(images, 2, torch.tensor([0, 3]))
    assert maps.shape == (2, size, size)
    assert maps.amax(dim=(1, 2)).tolist() == pytest.approx([1, 1])
    alone = cam.maps(images[1:], 2, torch.tensor([3]))
    torch.testing.assert_close(maps[1:], alone, atol=1e-4, rtol=1e-4)
    other = cam.maps(images, 2, torch.tensor([1, 4]))
    assert (maps - other).abs().amax(dim=(1, 2)).min() > 0.05


@pytest.mark.parametrize("grid", [Grid("first", 3), Grid("last", 3), Grid("tokens", 3, 2)])
def test_a_layer_as_a_map_and_back(grid: Grid) -> None:
    shape = {"first": (2, 7, 3, 3), "last": (2, 3, 3, 7), "tokens": (2, 11, 7)}[grid.kind]
    output = torch.randn(shape)
    maps = grid.to_map(output)
    assert maps.shape == (2, 7, 3, 3)
    assert torch.equal(grid.from_map(maps, output), output)
    assert grid_of(output, grid.prefix) == grid


def test_grad_cam_is_its_formula() -> None:
    """On a network of one convolution, an average and a linear layer the map is known: class activation."""
    torch.manual_seed(1)
    conv, linear = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(6, 7)
    net = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear).eval()
    image = torch.randn(1, 1, 8, 8)
    maps = GradCam(net, tree_layout(), image).maps(image, 2, torch.tensor([4]))
    expected = torch.einsum("f,fhw->hw", linear.weight[2 + 4], conv(image)[0]).relu()
    torch.testing.assert_close(maps[0], (expected / expected.max()).detach())


def test_a_network_may_name_its_layer() -> None:
    class Named(nn.Sequential):
        @property
        def saliency_layer(self) -> nn.Module:
            return self[0]

    layers = [nn.Conv2d(1, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1), nn.Flatten(), nn.Linear(64 * 4, 7)]
    image = torch.randn(1, 1, 16, 16)
    assert find_layer(nn.Sequential(*layers), image)[0] is layers[1]
    assert find_layer(Named(*layers), image)[0] is layers[0]


def test_a_network_without_positions_is_refused() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
    with pytest.raises(NotApplicable, match="keeps positions"):
        find_layer(net, torch.randn(1, 1, 8, 8))


def test_coarse_maps_are_passed_over() -> None:
    net = nn.Sequential(
        *(nn.Conv2d(1 if i == 0 else 3, 3, 3, 2, 1) for i in range(3)), nn.Flatten(), nn.Linear(12, 7)
    )
    assert find_layer(net, torch.randn(1, 1, 16, 16))[1].side == 4  # not the 2 x 2 after it


# --------------------------------------------------------------------------- faithfulness and sanity


@pytest.fixture(scope="module")
def spots() -> tuple[TorchModel, Any]:
    """A trained network; a textured square in the left half of an image tells its class."""
    dataset = tiny_dataset(160)
    rng = np.random.default_rng(0)
    pixels = rng.integers(110, 146, (160, 48, 48)).astype(np.uint8)
    y, x = np.mgrid[:12, :12]
    waves = [x, y, x + y, x - y, 2 * x]  # of the five leaves
    for i, row in enumerate(np.asarray(dataset.targets)):
        top, left = rng.integers(2, 34), rng.integers(2, 10)
        wave = np.sin(waves[int(np.flatnonzero(row)[-1]) - 2] * 1.1 + rng.uniform(0, 6))
        pixels[i, top : top + 12, left : left + 12] = 128 + 110 * wave
    dataset = dataclasses.replace(dataset, views={"pixels": pixels})

    def build(_task: Any) -> nn.Module:
        parts: list[nn.Module] = []
        for a, b, stride in ((1, 16, 1), (16, 16, 2), (16, 32, 2), (32, 32, 1)):
            parts += [nn.Conv2d(a, b, 3, stride, 1), nn.BatchNorm2d(b), nn.ReLU()]
        return Net(nn.Sequential(*parts, nn.AdaptiveMaxPool2d(1), nn.Flatten()), 32)

    recipe = Recipe(
        epochs=15, batch_size=16, learning_rate=1e-2, augment="none", level_weights="", patience=0
    )
    model = fitted(TorchModel(build, recipe), dataset)
    leaves = model.predict(inputs(dataset)).values[:, 2:].argmax(1)
    assert (leaves == np.asarray(dataset.targets)[:, 2:].argmax(1)).mean() > 0.9
    return model, dataset


@pytest.fixture
def trained(spots: tuple[TorchModel, Any]) -> tuple[TorchModel, torch.Tensor, torch.Tensor]:
    """The network, prepared images, and the position of the true leaf of each."""
    model, dataset = spots
    leaves = torch.as_tensor(np.asarray(dataset.targets)[:16, 2:].argmax(1))
    return model, model.prepare(dataset.views["pixels"][:16]), leaves


Trained = tuple[TorchModel, torch.Tensor, torch.Tensor]


def test_maps_find_the_square(trained: Trained) -> None:
    model, images, leaves = trained
    maps = GradCam(model.module, model.layout, images[:1]).maps(images, 2, leaves)
    assert maps[:, :, :24].mean() > 3 * maps[:, :, 24:].mean()


def test_deletion_and_insertion_are_better_than_those_of_random_maps(trained: Trained) -> None:
    model, images, leaves = trained
    maps = GradCam(model.module, model.layout, images[:1]).maps(images, 2, leaves)
    noise = saliency.random_maps(len(images), 12, (48, 48), seed=0)
    gain = []
    for image, saliency_map, random_map, leaf in zip(images, maps, noise, leaves.tolist(), strict=True):

        def probability(x: torch.Tensor, column: int = leaf + 2) -> torch.Tensor:
            return model.probabilities(x)[:, column]

        real, chance = (saliency.curves(probability, image, m) for m in (saliency_map, random_map))
        assert real.deletion[0] == pytest.approx(real.insertion[-1], abs=1e-5)  # the whole image
        gain.append([chance.deletion_area - real.deletion_area, real.insertion_area - chance.insertion_area])
    assert torch.tensor(gain).mean(0).min() > 0.05


def test_randomised_weights_change_the_maps(trained: Trained) -> None:
    """Adebayo et al. 2018: a map that does not depend on the weights explains nothing."""
    model, images, leaves = trained
    nets = [model.module, model.module, saliency.randomised(model.module, seed=0)]
    maps = [GradCam(net, model.layout, images[:1]).maps(images, 2, leaves) for net in nets]
    again = [saliency.similarity(a, b) for a, b in zip(maps[0], maps[1], strict=True)]
    random = [saliency.similarity(a, b) for a, b in zip(maps[0], maps[2], strict=True)]
    assert min(again) == pytest.approx(1)
    assert sum(random) / len(random) < 0.5


def test_random_weights_keep_shapes_and_the_original() -> None:
    net = timm_net("test_resnet", 32)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    other = saliency.randomised(net, seed=3)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    drawn = [
        not torch.equal(a, b)
        for a, b in zip(net.parameters(), other.parameters(), strict=True)
        if a.std() > 0
    ]
    assert drawn and all(drawn)


def test_similarity() -> None:
    ramp = torch.arange(9.0).view(3, 3)
    assert saliency.similarity(ramp, ramp**3) == pytest.approx(1)
    assert saliency.similarity(ramp, -ramp) == pytest.approx(-1)
    assert saliency.similarity(ramp, torch.ones(3, 3)) == 0


def test_deletion_leaves_the_mean_of_the_image() -> None:
    """Also of one that is darker than the training images, by whose mean it was normalised."""
    seen: list[torch.Tensor] = []

    def probability(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return x.mean((1, 2, 3))

    for shift in (0.0, -1.5):
        image = torch.stack([torch.randn(8, 8), 3 * torch.randn(8, 8)])
        image = image - image.mean((1, 2), keepdim=True) + shift * torch.tensor([1.0, 2.0])[:, None, None]
        seen.clear()
        saliency.curves(probability, image, torch.rand(8, 8))
        expected = torch.tensor([shift, 2 * shift])[:, None, None].expand(2, 8, 8)
        torch.testing.assert_close(seen[0][-1], expected)
        if not shift:
            assert torch.equal(seen[0][-1], expected), "exactly 0 where images are normalised by themselves"


def test_curves_of_a_known_model() -> None:
    """A "probability" that is the share of pixels above 0: removing those first is a straight fall."""
    image = torch.ones(1, 8, 8)
    image[:, :, 4:] = -1.0
    curves = saliency.curves(lambda x: (x > 0).float().mean((1, 2, 3)), image, (image[0] > 0).float())
    assert curves.deletion[0] == 0.5 and curves.deletion[10] == 0 == curves.deletion[-1]
    assert curves.deletion_area == pytest.approx(0.125, abs=0.01)
