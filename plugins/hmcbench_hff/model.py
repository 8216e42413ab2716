"""HFFNet-2d as a model of the benchmark: its hyperparameters, a task, the shared training engine."""

from __future__ import annotations

from functools import partial
from typing import Any

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.torchkit import Recipe, TorchModel, level_sizes
from hmcbench_hff.backbone import MapBackbone
from hmcbench_hff.hffnet2d import HFFNet2d


def create(
    *,
    image_size: int,
    in_chans: int,
    pretrained: bool,
    backbone: str,
    stem_stride: str,
    dim: int,
    depth: int,
    heads: int,
    mlp_dim: int,
    level_dim: int,
    level_activation: str,
    dropout: float,
    **recipe: Any,
) -> TorchModel:
    """The factory of ``hffnet-2d``; the spec in :mod:`hmcbench_hff` says what each keyword does."""
    if 2 * dim % heads:
        usable = [n for n in range(1, 2 * dim + 1) if 2 * dim % n == 0 and n <= 64]
        raise BadInput(
            f"hffnet-2d: heads={heads} does not divide 2 * dim = {2 * dim}",
            allowed=f"allowed for dim={dim}: {', '.join(map(str, usable))}",
        )
    build = partial(
        build_hffnet2d,
        image_size=image_size,
        in_chans=in_chans,
        pretrained=pretrained,
        backbone=backbone,
        stem_stride=stem_stride,
        dim=dim,
        depth=depth,
        heads=heads,
        mlp_dim=mlp_dim,
        level_dim=level_dim,
        level_activation=level_activation,
        dropout=dropout,
    )
    return TorchModel(build, Recipe(**recipe), facts={"pretrained": pretrained, "backbone": backbone})


def build_hffnet2d(
    task: Task,
    *,
    image_size: int,
    in_chans: int,
    pretrained: bool,
    backbone: str,
    stem_stride: str,
    **sizes: Any,
) -> HFFNet2d:
    """The network for the levels of a task; ``sizes`` are those of :class:`HFFNet2d`."""
    maps = MapBackbone(
        backbone,
        in_chans=in_chans,
        image_size=image_size,
        pretrained=pretrained,
        stem_stride=stem_stride,
        owner="hffnet-2d",
    )
    return HFFNet2d(maps, level_sizes(task), backbone_channels=maps.channels, grid=maps.grid, **sizes)
