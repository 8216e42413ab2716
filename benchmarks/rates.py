"""Images per second of the training engine for a network, beside the floor of its operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from hmcbench_hff.hffnet2d import HFFNet2d
from hmcbench_hff.model import build_over_cnn
from hmcbench_timm.network import build
from ratios import fastest
from torch import nn

from hmcbench.data.views import Rows
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Run, Task
from hmcbench.torchkit.data import Normaliser, PixelBatches
from hmcbench.torchkit.device import autocast, usual_precision
from hmcbench.torchkit.engine import EncodedImages, Trainer
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.measure import count_multiply_adds
from hmcbench.torchkit.recipes import Recipe

STEPS, THREADS = 10, 2
TASK = Task(hierarchy=Hierarchy.from_paths([("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")]))
Build = Callable[[], nn.Module]


@dataclass(frozen=True)
class Rate:
    """``measured`` and ``floor`` in images per second; ``operations`` in FLOP per training image."""

    batch: int
    measured: float
    floor: float
    operations: float

    def __str__(self) -> str:
        share = self.measured / self.floor
        return (
            f"batch {self.batch}: {self.measured:.0f} images/s; floor {self.operations / 1e9:.3g} GFLOP per"
            f" image = {self.floor:.0f} images/s ({share:.0%} of it)"
        )


def timm_network(name: str, side: int, channels: int = 1) -> Build:
    """A baseline with a head per level; the first convolution as published."""
    return partial(
        build,
        TASK,
        head="levels",
        architecture=name,
        stem_stride="keep",
        image_size=side,
        in_chans=channels,
        pretrained=False,
    )


def hffnet2d(side: int, channels: int = 3, backbone: str = "resnet50", **sizes: int) -> Build:
    """HFFNet-2d; without ``sizes`` at the paper's: depth 12, 12 heads, dim 768, mlp 3072."""
    sizes = sizes or {"dim": 768, "depth": 12, "heads": 12, "mlp_dim": 3072}
    return partial(
        build_over_cnn,
        TASK,
        network=HFFNet2d,
        owner="hffnet-2d",
        backbone=backbone,
        stem_stride="keep",
        image_size=side,
        in_chans=channels,
        pretrained=False,
        level_dim=0,
        level_activation="gelu",
        dropout=0.0,
        **sizes,
    )


def matrix_rate(device: torch.device) -> float:
    """Operations per second of a square matrix product in the engine's precision."""
    side = 8192 if device.type == "cuda" else 1536
    a = torch.randn(side, side, device=device)
    with autocast(device, usual_precision(device)):
        return 2 * side**3 / fastest(lambda: float((a @ a)[0, 0]), 5)


def make_trainer(
    build: Build, batch: int, device: torch.device, side: int, channels: int, augment: str = "light"
) -> Trainer:
    """The engine over ``STEPS`` batches of random pixels."""
    shape = (batch * STEPS, side, side) if channels == 1 else (batch * STEPS, side, side, channels)
    view = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pixels = PixelBatches(Rows(view), device)
    leaf = torch.arange(len(view), device=device) % 4
    train = EncodedImages(pixels, torch.stack([leaf // 2, leaf], 1))
    valid = EncodedImages(PixelBatches(Rows(view, []), device), train.targets[:0])
    run = Run(TASK, device=str(device), threads=THREADS)
    net = build().to(device).to(memory_format=torch.channels_last)
    recipe = Recipe(epochs=4, batch_size=batch, augment=augment)
    return Trainer(net, Layout(TASK, device), Normaliser("image", pixels), recipe, run, train, valid)


def rate(
    build: Build, batch: int, device: torch.device, side: int, channels: int = 1, augment: str = "light"
) -> tuple[Rate, Trainer]:
    """The best of three epochs after one to warm up. The floor is three forward passes per image."""
    trainer = make_trainer(build, batch, device, side, channels, augment)
    trainer._epoch(0)
    measured = max(trainer._epoch(1)["images_per_second"] for _ in range(3))
    operations = 6 * count_multiply_adds(trainer.module, (channels, side, side), device)
    return Rate(batch, measured, matrix_rate(device) / operations, operations), trainer
