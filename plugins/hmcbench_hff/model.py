"""The five networks as models of hmcbench, trained by the shared engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from torch import nn

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.torchkit.layout import level_sizes
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe
from hmcbench_hff.backbone import MapBackbone
from hmcbench_hff.hff_cnn_vt import HFFCNNVT, HFFCNNConvVT
from hmcbench_hff.hffcnn import HFFCNN
from hmcbench_hff.hffnet2d import HFFNet2d
from hmcbench_hff.hffvt import HFFVT

TRAINING = {field.name for field in fields(Recipe)}

# The factories of the five models; the specs in :mod:`hmcbench_hff` say what each keyword does.


def hffvt(**params: Any) -> TorchModel:
    image, patch = params["image_size"], params["patch_size"]
    if image % patch:
        usable = [n for n in range(1, image + 1) if image % n == 0]
        raise BadInput(
            f"hffvt: patch_size={patch} does not divide image_size={image}",
            allowed=f"{', '.join(map(str, usable))} for {image} px",
        )
    return _model("hffvt", build_over_patches, params)


def hffcnn(**params: Any) -> TorchModel:
    return _over_cnn("hffcnn", HFFCNN, params)


def hff_cnn_vt(**params: Any) -> TorchModel:
    return _over_cnn("hff-cnn-vt", HFFCNNVT, params)


def hff_cnn_conv_vt(**params: Any) -> TorchModel:
    return _over_cnn("hff-cnn-conv-vt", HFFCNNConvVT, params)


def hffnet_2d(**params: Any) -> TorchModel:
    return _over_cnn("hffnet-2d", HFFNet2d, params, widening=2)


def _over_cnn(
    name: str, network: type[nn.Module], params: Mapping[str, Any], widening: int = 1
) -> TorchModel:
    facts = {"pretrained": params["pretrained"] is True, "backbone": params["backbone"]}
    build = partial(build_over_cnn, network=network, owner=name)
    return _model(name, build, params, facts, widening)


def _model(
    name: str,
    build: Callable[..., nn.Module],
    params: Mapping[str, Any],
    facts: Mapping[str, Any] | None = None,
    widening: int = 1,
) -> TorchModel:
    """Training parameters are for the engine, the others for the network; ``recipe`` is already applied."""
    if "heads" in params:
        _check_heads(name, params["heads"], params["dim"], widening)
    training = {key: value for key, value in params.items() if key in TRAINING}
    network = {key: value for key, value in params.items() if key not in TRAINING and key != "recipe"}
    pretrained = network.pop("pretrained")
    if build is not build_over_patches:
        network["pretrained"] = pretrained is True  # the weights of a file are loaded into the whole network
    elif pretrained is True:
        raise BadInput(
            f"{name}: there are no published weights", allowed="pretrained=false, or the path of a file"
        )
    return TorchModel(
        partial(build, **network),
        Recipe(**training),
        facts=facts or {"pretrained": False},
        pretrained=pretrained,
    )


def _check_heads(name: str, heads: int, dim: int, widening: int) -> None:
    """Raise BadInput unless ``heads`` divides the Transformer's width, ``widening`` times ``dim``."""
    width = widening * dim
    if width % heads:
        usable = [n for n in range(1, width + 1) if width % n == 0 and n <= 64]
        product = f"{widening} * dim" if widening > 1 else "dim"
        raise BadInput(
            f"{name}: heads={heads} does not divide {product} = {width}",
            allowed=f"{', '.join(map(str, usable))} for dim={dim}",
        )


def build_over_cnn(
    task: Task,
    *,
    network: Callable[..., nn.Module],
    owner: str,
    image_size: int,
    in_chans: int,
    pretrained: bool,
    backbone: str,
    stem_stride: str,
    **sizes: Any,
) -> nn.Module:
    """``network`` on the maps of a timm backbone, for the levels of a task; ``sizes`` are the network's."""
    maps = MapBackbone(
        backbone,
        in_chans=in_chans,
        image_size=image_size,
        pretrained=pretrained,
        stem_stride=stem_stride,
        owner=owner,
    )
    return network(maps, level_sizes(task), backbone_channels=maps.channels, grid=maps.grid, **sizes)


def build_over_patches(task: Task, *, image_size: int, in_chans: int, patch_size: int, **sizes: Any) -> HFFVT:
    """HFFVT for the levels of a task."""
    side = image_size // patch_size
    return HFFVT(level_sizes(task), in_chans=in_chans, grid=(side, side), patch_size=patch_size, **sizes)
