"""HFFVT, HFFCNN, HFF_CNN_VT and HFF_CNN_Conv_VT: their outputs, and the family's table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hmcbench_hff.hff_cnn_vt import HFFCNNVT, HFFCNNConvVT
from hmcbench_hff.hffcnn import HFFCNN
from hmcbench_hff.hffnet2d import HFFNet2d
from hmcbench_hff.hffvt import HFFVT
from torch import Tensor, nn
from torch.nn.functional import gelu

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.registry.registry import create, default_registry
from hmcbench.torchkit.measure import count_multiply_adds, count_parameters

pytestmark = pytest.mark.torch

SIZES: dict[str, Any] = {"dim": 6, "depth": 2, "heads": 3, "mlp_dim": 8}
VARIANTS = ("hffvt", "hffcnn", "hff-cnn-vt", "hff-cnn-conv-vt")


def small(name: str, level_sizes: tuple[int, ...] = (2, 6), in_chans: int = 1, **changes: Any) -> Any:
    """A net of a few thousand parameters with 3 x 3 positions for images of 24 px."""
    if name == "hffvt":
        sizes = {"in_chans": in_chans, "grid": (3, 3), "patch_size": 8, **SIZES}
        return HFFVT(level_sizes, **{**sizes, **changes})
    backbone = nn.Sequential(
        nn.Conv2d(in_chans, 5, 3, stride=2, padding=1), nn.GELU(), nn.Conv2d(5, 10, 4, stride=4)
    )
    given: dict[str, Any] = {"backbone_channels": 10, "grid": (3, 3)}
    if name == "hffcnn":
        return HFFCNN(backbone, level_sizes, **given)
    network = {"hff-cnn-vt": HFFCNNVT, "hff-cnn-conv-vt": HFFCNNConvVT, "hffnet-2d": HFFNet2d}[name]
    return network(backbone, level_sizes, **{**given, **SIZES, **changes})


# --------------------------------------------------------------------------- the networks


def tokens_of(name: str, net: Any, image: Tensor) -> Tensor:
    """Patch by patch, or position by position, what the paper says goes into the Transformer."""
    places = [(i, j) for i in range(3) for j in range(3)]
    if name == "hffvt":
        linear = net.patches
        local = [image[:, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8].flatten() for i, j in places]
    else:
        linear = net.projection if name == "hff-cnn-vt" else net.adapter
        maps = net.backbone(image[None])[0]
        local = [maps[:, i, j] for i, j in places]
    return torch.stack([linear.weight.flatten(1) @ x + linear.bias for x in local])


@torch.no_grad()
@pytest.mark.parametrize("name", ["hffvt", "hff-cnn-vt", "hff-cnn-conv-vt"])
def test_forward_is_what_the_paper_describes(name: str, waves: Any, constructed: Any) -> None:
    net = constructed(small(name))
    image = waves(1, 24, 24)
    patches = tokens_of(name, net, image) + net.encoder.position.weight[0]
    row = torch.cat([net.encoder.class_token.weight[0], patches])  # (1 + 9, dim)
    mixed = net.encoder.transformer(row[None])[0]
    prim_rep = torch.cat([mixed[0], mixed[1:].mean(0)])
    fused = torch.cat([gelu(fc(prim_rep)) for fc in net.fusion.level_fc])
    for logits, classifier in zip(net(image[None]), net.fusion.level_classifier, strict=True):
        torch.testing.assert_close(logits[0], classifier(fused), rtol=0, atol=1e-5)


@torch.no_grad()
def test_hffcnn_classifies_pooled_maps(waves: Any, constructed: Any) -> None:
    net = constructed(small("hffcnn"))
    images = waves(2, 1, 24, 24)
    pooled = torch.stack([net.backbone(images)[:, :, i, j] for i in range(3) for j in range(3)]).mean(0)
    for logits, layer in zip(net(images), net.classifiers.level_classifier, strict=True):
        torch.testing.assert_close(logits, pooled @ layer.weight.T + layer.bias, rtol=0, atol=1e-5)


@torch.no_grad()
def test_linear_projection_and_1x1_convolution_are_the_same_function(waves: Any, constructed: Any) -> None:
    """So the paper's HFF_CNN_VT and HFF_CNN_Conv_VT differ in nothing but the draw of their weights."""
    linear, conv = constructed(small("hff-cnn-vt")), small("hff-cnn-conv-vt").eval()
    state = {name.replace("projection", "adapter"): value for name, value in linear.state_dict().items()}
    state["adapter.weight"] = state["adapter.weight"][:, :, None, None]
    conv.load_state_dict(state)
    images = waves(2, 1, 24, 24)
    for features, other in zip(linear(images), conv(images), strict=True):
        torch.testing.assert_close(features, other, rtol=0, atol=1e-6)
    torch.manual_seed(0)
    drawn = nn.Linear(2048, 768).weight
    torch.manual_seed(0)
    assert torch.equal(drawn, nn.Conv2d(2048, 768, 1).weight.flatten(1))


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("level_sizes", [(3,), (2, 6), tuple(range(2, 16))])
@pytest.mark.parametrize("in_chans", [1, 3])
def test_any_number_of_levels_and_channels(
    name: str, level_sizes: tuple[int, ...], in_chans: int, waves: Any
) -> None:
    logits = small(name, level_sizes, in_chans)(waves(2, in_chans, 24, 24))
    assert [tuple(level.shape) for level in logits] == [(2, n) for n in level_sizes]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("size", [(8, 8), (24, 24), (40, 24), (67, 64)])
def test_any_image_size(name: str, size: tuple[int, int], waves: Any) -> None:
    assert [tuple(level.shape) for level in small(name)(waves(2, 1, *size))] == [(2, 2), (2, 6)]


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_reach_every_parameter(name: str, waves: Any) -> None:
    torch.manual_seed(0)
    net = small(name)
    sum(level.square().sum() for level in net(waves(3, 1, 24, 24))).backward()
    silent = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


GOLDEN: dict[str, tuple[list[float], list[float]]] = {
    "hffvt": ([-0.712231, 0.118976], [-0.133732, 0.465789, -0.416578, 0.701375, -1.109805, 0.685922]),
    "hffcnn": ([-0.040526, -0.058121], [-0.308731, -0.196295, -0.127021, -0.153987, -0.260187, -0.032405]),
    "hff-cnn-vt": ([0.688234, -0.311725], [-0.359015, -0.218701, 0.250408, -0.592888, 0.529376, -0.416652]),
    "hff-cnn-conv-vt": (
        [0.688234, -0.311725],
        [-0.359015, -0.218701, 0.250408, -0.592888, 0.529376, -0.416652],
    ),
}


@torch.no_grad()
@pytest.mark.parametrize("name", VARIANTS)
def test_outputs_do_not_drift(name: str, waves: Any, constructed: Any) -> None:
    """Golden values: a change here changes published results and asks for a new model version."""
    logits = constructed(small(name))(waves(1, 1, 24, 24))
    for level, golden in zip(logits, GOLDEN[name], strict=True):
        torch.testing.assert_close(level[0], torch.tensor(golden), rtol=0, atol=1e-4)


# --------------------------------------------------------------------------- at the paper's sizes

PAGE = Path(__file__).parents[3] / "docs" / "hff-family.md"
ROW = re.compile(r"\| `([a-z0-9-]+)` \| ([\d,]+) \| ([\d,]+) \| (.+?) \|")
PAPER = Hierarchy.from_edges(
    [("", "m"), ("", "t"), *((above, f"{above}{i}") for above in "mt" for i in range(3))]
)


def paper_net(name: str) -> nn.Module:
    switch = {} if name == "hffvt" else {"pretrained": False}
    spec, params = default_registry().resolve("models", name, "paper", **switch)
    build: Callable[[Task], nn.Module] = create(spec, params).build
    with torch.device("meta"):  # shapes without memory
        return build(Task(hierarchy=PAPER))


def table() -> dict[str, tuple[int, int, str]]:
    """The rows of the page: name -> parameters, multiply-adds, output shapes."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {row[0]: (int(row[1].replace(",", "")), int(row[2].replace(",", "")), row[3]) for row in rows}


@pytest.mark.parametrize("name", [*VARIANTS, "hffnet-2d"])
def test_table_of_the_page_is_true(name: str) -> None:
    parameters, multiply_adds, shapes = table()[name]
    net = paper_net(name)
    outputs = net(torch.zeros(1, 3, 224, 224, device="meta"))
    assert count_parameters(net) == parameters
    assert count_multiply_adds(net, (3, 224, 224), torch.device("meta")) == multiply_adds
    assert ", ".join(f"(B, {level.shape[1]})" for level in outputs) == shapes


def test_sizes_follow_from_the_papers_numbers() -> None:
    """The same figures written out, for the parts that no library counts for us."""
    d, m = 768, 3072
    transformer = 12 * (4 * d * d + 2 * d * m + 9 * d + m) + 2 * d
    fusion = 2 * (2 * d * d + d) + 2 * d * 8 + 8
    assert transformer == 85_056_000
    assert table()["hffcnn"][0] == 23_508_032 + 2048 * 8 + 8
    assert table()["hffvt"][0] == 16 * 16 * 3 * d + d + 196 * d + d + transformer + fusion
    cnn_vt = 23_508_032 + 2048 * d + d + 49 * d + d + transformer + fusion
    assert table()["hff-cnn-vt"][0] == table()["hff-cnn-conv-vt"][0] == cnn_vt
