"""Several images as one sample: pooling, missing images, order, training and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hmcbench_timm.bag import LEAST, Bag, create
from torch import nn

from hmcbench.interfaces import Dataset, Run
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import assert_batch_independent, fitted, inputs, same_scores, tiny_dataset
from hmcbench.torchkit.augment import Augmenter
from hmcbench.torchkit.data import Normaliser
from hmcbench.torchkit.engine import Trainer

pytestmark = pytest.mark.torch
POOLINGS = ("mean", "attention", "lstm")


def module(pooling: str) -> Bag:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Flatten(), nn.Linear(16, 5))
    return Bag(body, 5, pooling, 4, tiny_dataset(4).task).eval()


def model(**params: Any) -> Any:
    spec = default_registry().get("models", "bag")
    values = {name: param.default for name, param in spec.params.items()}
    small = {"architecture": "lcnet_035", "image_size": 16, "images": 3, "epochs": 2, "batch_size": 16}
    return create(**{**values, **small, **params})


def bags(kind: Any) -> Dataset:
    """60 samples of one to three images of noise; fewer are followed by black ones."""
    dataset, rng = tiny_dataset(60, kind), np.random.default_rng(0)
    series = rng.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    series[::3, :, :, 1:] = 0
    return replace(dataset, views={"pixel_series": series})


@pytest.mark.parametrize("pooling", POOLINGS)
def test_missing_images_change_nothing(pooling: str) -> None:
    net, x = module(pooling), torch.randn(2, 2, 4, 4)
    padded = torch.cat([x, torch.zeros(2, 3, 4, 4)], dim=1)
    for a, b in zip(net(x), net(padded), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_missing_first_image_changes_nothing_either(pooling: str) -> None:
    net, x = module(pooling), torch.randn(2, 2, 4, 4)
    behind = torch.cat([torch.zeros(2, 1, 4, 4), x], dim=1)
    for a, b in zip(net(x), net(behind), strict=True):
        torch.testing.assert_close(a, b)
    assert all(torch.isfinite(level).all() for level in net(torch.zeros(2, 3, 4, 4))), "a sample without any"


@pytest.mark.parametrize("augment", ["none", "light", "paper", "sem"])
def test_missing_images_stay_missing_when_augmented(augment: str) -> None:
    pixels = torch.randint(0, 256, (32, 4, 16, 16), dtype=torch.uint8)
    pixels[:, 2:] = 0
    trainer: Any = SimpleNamespace(module=module("mean"), normaliser=Normaliser.of("image", [], []))
    augmenter = Augmenter(augment, torch.Generator().manual_seed(0))
    for side in (16, 12):
        images = Trainer._augmented(trainer, augmenter, pixels, side)
        variance = images.var(dim=(2, 3), correction=0)
        assert (variance > LEAST).tolist() == [[True, True, False, False]] * 32


@pytest.mark.parametrize("pooling", POOLINGS)
def test_only_the_lstm_sees_the_order(pooling: str) -> None:
    net, x = module(pooling), torch.randn(2, 4, 4, 4)
    pairs = zip(net(x), net(x.flip(1)), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs) == (pooling != "lstm")


def test_brightness_and_contrast_of_each_image_are_its_own() -> None:
    net, x = module("mean"), torch.randn(2, 3, 4, 4)
    changed = x * torch.tensor([1.0, 5.0, 0.2])[:, None, None] + torch.tensor([0.0, 3.0, -1.0])[:, None, None]
    for a, b in zip(net(x), net(changed), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("pooling", "kind"), [("mean", "tree"), ("attention", "multiple"), ("lstm", "regression")]
)
def test_it_trains_predicts_and_is_kept(pooling: str, kind: str, tmp_path: Path) -> None:
    dataset = bags(kind)
    bag = fitted(model(pooling=pooling, patience=1), dataset)
    scores = assert_batch_independent(bag, dataset, 1e-5)
    assert scores.values.shape == dataset.targets.shape
    bag.save(tmp_path)  # type: ignore[attr-defined]
    loaded = model(pooling=pooling)
    loaded.load(tmp_path, Run(task=dataset.task))
    assert same_scores(scores, loaded.predict(inputs(dataset)))
