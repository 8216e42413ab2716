"""Any timm network as a backbone: maps, channels-last maps and tokens all become (B, F, h, w)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hmcbench_hff.backbone import MapBackbone
from torch import nn

from hmcbench.errors import BadInput

pytestmark = pytest.mark.torch

CASES = {
    "test_resnet": (64, 96, (2, 2)),  # maps
    "lcnet_050": (64, 1280, (2, 2)),  # maps after a convolutional head
    "test_vit": (160, 64, (10, 10)),  # class token, then patches
    "test_mambaout": (64, 256, (2, 2)),  # channels last
}


@pytest.mark.parametrize("architecture", CASES)
def test_outputs_are_maps(architecture: str, waves: Any) -> None:
    size, channels, grid = CASES[architecture]
    backbone = MapBackbone(
        architecture, in_chans=1, image_size=size, pretrained=False, stem_stride="keep"
    ).eval()
    assert (backbone.channels, backbone.grid) == (channels, grid)
    with torch.no_grad():
        maps = backbone(waves(2, 1, size, size))
    assert maps.shape == (2, channels, *grid)
    assert maps.abs().sum() > 0


def test_tokens_keep_their_places() -> None:
    backbone = MapBackbone("test_vit", in_chans=1, image_size=160, pretrained=False)
    tokens = torch.arange(101.0)[None, :, None].expand(2, 101, 64)
    assert torch.equal(backbone.as_map(tokens)[0, 5].flatten(), torch.arange(1.0, 101.0))


@pytest.mark.parametrize(("stride", "grid"), [("keep", (2, 2)), ("1", (4, 4))])
def test_a_stem_of_stride_one_keeps_more_positions(stride: str, grid: tuple[int, int]) -> None:
    backbone = MapBackbone("test_resnet", in_chans=3, image_size=64, pretrained=False, stem_stride=stride)
    assert backbone.grid == grid


def test_trial_run_leaves_training_mode_and_statistics_alone() -> None:
    backbone = MapBackbone("test_resnet", in_chans=1, image_size=32, pretrained=False)
    assert backbone.training
    assert all(float(v) == 0 for k, v in backbone.state_dict().items() if k.endswith("num_batches_tracked"))


def test_a_network_without_a_map_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(8 * 8, 5))
    network.num_features = network.head_hidden_size = 5  # type: ignore[assignment]
    monkeypatch.setattr("hmcbench_hff.backbone.timm_network", lambda *_args, **_options: network)
    with pytest.raises(BadInput, match=r"'flat' gives no feature map .*\(1, 5\)"):
        MapBackbone("flat", in_chans=1, image_size=8, pretrained=False)
