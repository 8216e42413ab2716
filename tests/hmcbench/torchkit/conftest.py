"""Tiny images whose stripes tell the class, a tiny network for them, and tasks of every kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, Task
from hmcbench.testing.helpers import tiny_dataset, tiny_hierarchy


@pytest.fixture
def images() -> Callable[..., Dataset]:
    """``images("tree", 60, channels=1)``: a dataset with the view ``pixels``, uint8 (N, 16, 16[, 3]).

    Every class of a sample lays its own stripes over grey noise.
    """

    def make(kind: Any = "tree", samples: int = 60, *, channels: int = 1, seed: int = 0) -> Dataset:
        dataset = tiny_dataset(samples, kind, seed=seed)
        assert dataset.task.hierarchy is not None
        y, x = np.mgrid[:16, :16]
        stripes = [
            np.sin((c % 3 + 1) * (x * np.cos(c) + y * np.sin(c)) * 0.7)
            for c in range(dataset.task.hierarchy.n)
        ]
        grey = 128 + 40 * np.tensordot(np.asarray(dataset.targets, float), np.stack(stripes), 1)
        grey += np.random.default_rng(seed).integers(-15, 16, grey.shape)
        pixels = grey.clip(0, 255).astype(np.uint8)
        if channels == 3:
            pixels = np.repeat(pixels[..., None], 3, axis=3)
        return dataclasses.replace(dataset, views={"pixels": pixels})

    return make


@pytest.fixture
def tasks() -> dict[str, Task]:
    """A task of every kind by name; in ``uneven`` the leaves of a full task stand at two depths."""
    uneven = Hierarchy.from_edges([("", "a"), ("", "b"), ("b", "b1"), ("b", "b2")])
    return {
        "tree": Task(hierarchy=tiny_hierarchy()),
        "ragged": Task(depth="ragged", hierarchy=tiny_hierarchy("ragged")),
        "uneven": Task(hierarchy=uneven),
        "multiple": Task(paths="multiple", hierarchy=tiny_hierarchy()),
        "dag": Task(paths="multiple", depth="ragged", hierarchy=tiny_hierarchy("dag")),
    }


@pytest.fixture
def tiny_net() -> Callable[..., Any]:
    """``tiny_net(task, head="levels", channels=1)``: two convolutions, dropout, a head."""
    from torch import nn

    from hmcbench.torchkit.heads import make_head

    def build(task: Task, *, head: str = "levels", channels: int = 1) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(channels, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.1),
            make_head(head, 16, task),
        )

    return build
