"""timm networks by name: stems, sizes, and errors that say what to do."""

from __future__ import annotations

import importlib
import socket
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

from hmcbench.errors import BadInput
from hmcbench.registry.registry import create, default_registry
from hmcbench.testing.helpers import tiny_dataset
from hmcbench.torchkit.pretrained import strided_stem, timm_network

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit"])
def test_pooled_features_fit_a_linear_layer(name: str) -> None:
    net = timm_network(name, in_chans=1, image_size=64).eval()
    with torch.no_grad():
        assert net(torch.zeros(2, 1, 64, 64)).shape == (2, net.head_hidden_size)


def test_unpooled_features_keep_their_places() -> None:
    net = timm_network("test_resnet", in_chans=3, image_size=64, stem_stride="keep", pooled=False).eval()
    with torch.no_grad():
        assert net(torch.zeros(2, 3, 64, 64)).shape == (2, net.num_features, 2, 2)


@pytest.mark.parametrize(
    ("size", "stem", "side"),
    [(32, "auto", 2), (32, "keep", 1), (96, "auto", 3), (128, "auto", 4), (128, "1", 8)],
)
def test_light_networks_on_small_inputs_widen_their_stem(size: int, stem: str, side: int) -> None:
    net = timm_network("test_resnet", in_chans=1, image_size=size, stem_stride=stem, pooled=False).eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 1, size, size)).shape[2:] == (side, side)


def test_the_stem_is_the_first_convolution_of_stride_two() -> None:
    first, second = nn.Conv2d(4, 4, 3, stride=2), nn.Conv2d(4, 4, 3, stride=2)
    assert strided_stem(nn.Sequential(nn.Conv2d(1, 4, 3), first, second)) is first
    assert strided_stem(nn.Sequential(nn.Conv2d(1, 4, 4, stride=4), first)) is None
    assert strided_stem(nn.Linear(2, 2)) is None


def test_networks_for_one_size_of_map_keep_their_stem() -> None:
    net = timm_network("coatnet_pico_rw_224", in_chans=1, image_size=64)
    assert strided_stem(net) is not None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_vit", "its first strided convolution has no stride of 2"),
        ("test_convnext", "its first strided convolution has no stride of 2"),
        ("coatnet_pico_rw_224", r"it takes no larger maps \(.+\)"),
    ],
)
def test_a_stem_that_cannot_have_stride_1_is_refused_where_that_is_asked_for(name: str, reason: str) -> None:
    says = rf"stem_stride=1 for {name}: {reason}\. Allowed: stem_stride=keep or stem_stride=auto"
    with pytest.raises(BadInput, match=says):
        timm_network(name, in_chans=1, image_size=64, stem_stride="1")
    timm_network(name, in_chans=1, image_size=64, stem_stride="auto")


def test_unknown_names_come_with_close_ones() -> None:
    with pytest.raises(BadInput, match=r"unknown timm architecture 'resnet10'.*'resnet10t'"):
        timm_network("resnet10", in_chans=1, image_size=64)


def test_weights_that_cannot_be_loaded_name_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **options: Any) -> None:
        try:
            raise ConnectionError("no route to the hub\nmany more lines")
        except ConnectionError as error:
            raise RuntimeError("download failed") from error

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(BadInput) as caught:
        timm_network("resnet50", in_chans=3, image_size=224, pretrained=True, owner="hffnet-2d")
    assert str(caught.value) == (
        "pretrained weights of resnet50 could not be loaded (ConnectionError: no route to the hub)."
        " --set hffnet-2d.pretrained=false turns them off."
    )


@pytest.mark.parametrize("name", ["bag", "fusion", "embedding"])
def test_the_hint_is_one_that_can_be_typed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_args: Any, **_options: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(timm, "create_model", offline)
    registry = default_registry()
    with pytest.raises(BadInput) as caught:
        if name == "embedding":
            create(*registry.resolve("featurizers", "embedding"))
        else:
            model = create(*registry.resolve("models", f"{name}[pretrained=true]"))
            model.build(tiny_dataset(4).task, **({"columns": [0]} if name == "fusion" else {}))
    assert (
        "weights=random" if name == "embedding" else f"--set {name}.pretrained=false"
    ) in caught.value.hint


def test_without_a_network_weights_are_missed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants: Any = importlib.import_module("huggingface_hub.constants")
    before = constants.HF_HUB_OFFLINE
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        with pytest.raises(BadInput, match=r"\(their host cannot be reached, and"):
            timm_network("resnet10t", in_chans=3, image_size=64, pretrained=True)
    assert before == constants.HF_HUB_OFFLINE


def test_architectures_without_published_weights_say_so() -> None:
    with pytest.raises(BadInput, match=r"darknet17 could.*No pretrained weights.*pretrained=false"):
        timm_network("darknet17", in_chans=3, image_size=224, pretrained=True)


def test_sizes_that_a_network_cannot_take_are_refused() -> None:
    with pytest.raises(BadInput, match="test_vit cannot take 70 px"):
        timm_network("test_vit", in_chans=1, image_size=70)
