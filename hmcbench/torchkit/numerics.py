"""Number formats, seeds and determinism."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import torch


def precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 autocast where the device computes in it, float32 elsewhere."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device.type))


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
