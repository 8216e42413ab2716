"""Number formats, seeds and determinism."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn


def precision(device: torch.device, module: nn.Module | None = None) -> AbstractContextManager[Any]:
    """bfloat16 autocast where the device computes in it and the network gains by it, else float32."""
    enabled = has_bfloat16(device.type) and not (device.type == "cpu" and has_depthwise(module))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def has_depthwise(module: nn.Module | None) -> bool:
    """Whether a convolution takes every channel by itself.

    On CPUs these are slow in bfloat16: with 32 images of 64 px on two cores with AVX-512 BF16,
    lcnet_050 and mobilenetv3_small_050 trained at 0.6 times their rate in float32, while resnet10t
    trained at 1.8 times.
    """
    found = () if module is None else module.modules()
    return any(isinstance(m, nn.Conv2d) and m.groups == m.in_channels > 1 for m in found)


@cache
def has_bfloat16(device_type: str) -> bool:
    """Whether there are bfloat16 units: a CPU without them emulates at a twelfth of the speed."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private, so perhaps gone one day
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def seed_epoch(seed: int, epoch: int) -> int:
    """Seed torch for one epoch and return that seed for further generators.

    As nothing random is carried over from the epoch before, a checkpoint needs no generator state.
    """
    value = (seed * 1_000_003 + epoch) % 2**63
    torch.manual_seed(value)
    return value


@contextmanager
def settings(device: torch.device, *, deterministic: bool) -> Iterator[None]:
    """Switches of torch for one training, put back at its end.

    On a GPU, ``deterministic`` allows only algorithms that give the same bits every time (an
    operation without one warns); otherwise cuDNN looks for the fastest ones, and float32 products
    may use TF32. The CPU gives the same bits for the same number of threads anyway.
    """
    if device.type != "cuda":
        yield
        return
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        torch.get_float32_matmul_precision(),
    )
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not deterministic
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=True)
        torch.backends.cudnn.benchmark = before[1]
        torch.set_float32_matmul_precision(before[2])
