"""HFFNet-2d: its blocks in the paper's order, its size at the paper's sizes, its outputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hmcbench_hff.backbone import MapBackbone
from hmcbench_hff.hffnet2d import HFFNet2d
from timm import create_model
from torch import Tensor, nn
from torch.nn.functional import gelu

from hmcbench.torchkit.measure import count_multiply_adds, count_parameters
from hmcbench.torchkit.saliency import find_layer

pytestmark = pytest.mark.torch


def small(level_sizes: tuple[int, ...] = (2, 6), *, in_chans: int = 1, **changes: Any) -> HFFNet2d:
    """A net of a few thousand parameters over two convolutions of stride 8 in all; 3 x 3 maps of 24 px."""
    backbone = nn.Sequential(
        nn.Conv2d(in_chans, 5, 3, stride=2, padding=1), nn.GELU(), nn.Conv2d(5, 10, 4, stride=4)
    )
    sizes = {"backbone_channels": 10, "grid": (3, 3), "dim": 6, "depth": 2, "heads": 3, "mlp_dim": 8}
    return HFFNet2d(backbone, level_sizes, **{**sizes, **changes})


def as_the_paper_says(net: HFFNet2d, images: Tensor) -> list[Tensor]:
    """One image after the other through the paper's description, position by position."""
    logits = []
    for image in images:
        maps = net.backbone(image[None])[0]  # (F, h, w)
        weight, bias = net.adapter.weight[:, :, 0, 0], net.adapter.bias
        assert bias is not None
        rows = []
        for i in range(maps.shape[1]):
            for j in range(maps.shape[2]):
                local = weight @ maps[:, i, j] + bias + net.position.weight[0, :, i, j]
                rows.append(torch.cat([net.class_embedding.weight[0, :, 0, 0], local]))
        tokens = torch.stack(rows).T.reshape(1, 2 * net.dim, *maps.shape[1:])
        mixed = net.transformer(tokens)[0].flatten(1)  # (2 dim, h*w)
        class_part, local_part = mixed[: net.dim].mean(1), mixed[net.dim :].mean(1)
        prim_rep = torch.cat([class_part, local_part])
        fused = torch.cat([gelu(fc(prim_rep)) for fc in net.fusion.level_fc])
        logits.append([classifier(fused) for classifier in net.fusion.level_classifier])
    return [torch.stack(level) for level in zip(*logits, strict=True)]


@torch.no_grad()
def test_forward_is_what_the_paper_describes(waves: Any, constructed: Any) -> None:
    net = constructed(small())
    images = waves(3, 1, 24, 24)
    for logits, expected in zip(net(images), as_the_paper_says(net, images), strict=True):
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


def paper_net() -> HFFNet2d:
    with torch.device("meta"):  # shapes without memory
        return HFFNet2d(create_model("resnet50", num_classes=0, global_pool=""), (2, 6))


def test_parameters_at_the_papers_sizes() -> None:
    net = paper_net()
    expected = {
        "backbone": 23_508_032,
        "adapter": 2048 * 768 + 768,
        "position": 768 * 7 * 7,
        "class_embedding": 768,
        "transformer": 226_698_240,
        "fusion": 2 * (1536 * 768 + 768) + 1536 * (2 + 6) + (2 + 6),
    }
    assert {name: count_parameters(child) for name, child in net.named_children()} == expected
    assert count_parameters(net) == sum(expected.values()) == 254_191_432


def test_multiply_adds_at_the_papers_sizes() -> None:
    positions = 7 * 7
    layer = positions * (4 * 1536**2 + 2 * 1536 * 3072) + 2 * positions**2 * 1536
    fusion = 2 * 1536 * 768 + 1536 * (2 + 6)
    expected = 4_087_136_256 + positions * 2048 * 768 + 12 * layer + fusion
    assert count_multiply_adds(paper_net(), (3, 224, 224), torch.device("meta")) == expected == 15_353_217_024


@pytest.mark.parametrize("level_sizes", [(3,), (2, 6), (3, 7, 4), tuple(range(2, 16))])
@pytest.mark.parametrize("in_chans", [1, 3])
def test_any_number_of_levels_and_channels(level_sizes: tuple[int, ...], in_chans: int, waves: Any) -> None:
    net = small(level_sizes, in_chans=in_chans)
    logits = net(waves(2, in_chans, 24, 24))
    assert [tuple(level.shape) for level in logits] == [(2, n) for n in level_sizes]


def test_other_sizes_are_keywords(waves: Any) -> None:
    net = small(dim=4, depth=0, heads=2, mlp_dim=5, level_dim=9, level_activation="none")
    assert [fc.out_features for fc in net.fusion.level_fc] == [9, 9]
    assert isinstance(net.fusion.activation, nn.Identity)
    assert len(net(waves(1, 1, 24, 24))) == 2


@pytest.mark.parametrize("size", [(8, 8), (24, 24), (40, 24), (64, 64)])
def test_any_image_size(size: tuple[int, int], waves: Any) -> None:
    assert [tuple(level.shape) for level in small()(waves(2, 1, *size))] == [(2, 2), (2, 6)]


def test_gradients_reach_every_parameter(waves: Any) -> None:
    torch.manual_seed(0)
    net = small()
    sum(level.square().sum() for level in net(waves(3, 1, 24, 24))).backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


@pytest.mark.parametrize(
    ("backbone", "stem_stride", "positions", "layer"),
    [
        ("test_resnet", "keep", 2, "backbone.network.layer3"),
        ("resnet10t", "keep", 2, "backbone.network.layer3"),
        ("test_resnet", "1", 4, "transformer"),
    ],
)
def test_heat_maps_of_64_px_are_of_the_cnn(
    backbone: str, stem_stride: str, positions: int, layer: str, waves: Any
) -> None:
    """As docs/hffnet-2d.md says: the Transformer of quick has too few positions for a map."""
    maps = MapBackbone(backbone, in_chans=1, image_size=64, pretrained=False, stem_stride=stem_stride)
    assert maps.grid == (positions, positions)
    sizes: dict[str, Any] = {"grid": maps.grid, "dim": 12, "depth": 1, "heads": 4, "mlp_dim": 8}
    net = HFFNet2d(maps, (2, 6), backbone_channels=maps.channels, **sizes).eval()
    found, grid = find_layer(net, waves(1, 1, 64, 64))
    assert grid.side == 4 and found is net.get_submodule(layer)


@torch.no_grad()
def test_samples_do_not_see_each_other(waves: Any, constructed: Any) -> None:
    net = constructed(small())
    images = waves(4, 1, 24, 24)
    together = net(images)
    for i in range(4):
        for logits, among in zip(net(images[i : i + 1]), together, strict=True):
            torch.testing.assert_close(logits[0], among[i], rtol=0, atol=1e-6)


@torch.no_grad()
def test_outputs_do_not_drift(waves: Any, constructed: Any) -> None:
    """Golden values: a change here changes published results and asks for a new model version."""
    net = constructed(small())
    level1, level2 = net(waves(2, 1, 24, 24))
    golden1 = [[0.140480, -0.606926], [0.126197, -0.595170]]
    golden2 = [
        [-1.111230, 1.085952, -0.318865, 0.576970, -0.613741, -0.316175],
        [-1.104804, 1.098262, -0.339737, 0.595310, -0.620251, -0.296331],
    ]
    torch.testing.assert_close(level1, torch.tensor(golden1), rtol=0, atol=1e-4)
    torch.testing.assert_close(level2, torch.tensor(golden2), rtol=0, atol=1e-4)
