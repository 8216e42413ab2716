"""Regression from images: scaled targets, learning, files, and what needs classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hmcbench.errors import BadInput, NotApplicable, PluginError
from hmcbench.interfaces import Dataset, Run, Task
from hmcbench.testing.helpers import assert_batch_independent, fitted, inputs, same_scores
from hmcbench.torchkit.heads import make_head
from hmcbench.torchkit.layout import level_sizes
from hmcbench.torchkit.model import TorchModel
from hmcbench.torchkit.recipes import Recipe
from hmcbench.torchkit.targets import TargetLayout, layout_of, loss_of

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
TASK = Task(kind="regression", targets=("dark", "constant"))
RECIPE = Recipe(epochs=30, batch_size=16, learning_rate=2e-2, augment="none", normalise="dataset")


@pytest.fixture
def grey() -> Dataset:
    """Noise of some brightness; the targets are its darkness in large units, and a constant."""
    rng = np.random.default_rng(0)
    level = rng.uniform(30, 220, 90)
    pixels = (level[:, None, None] + rng.uniform(-20, 20, (90, 16, 16))).clip(0, 255).astype(np.uint8)
    targets = np.column_stack([1e5 - 300 * level, np.full(90, 7.0)])
    ids = [f"g{i}" for i in range(90)]
    return Dataset(ids=ids, views={"pixels": pixels}, targets=targets, task=TASK, fingerprint="g")


def test_targets_are_scaled_by_the_training_samples() -> None:
    layout = TargetLayout(TASK, CPU)
    layout.fit(np.array([[1.0, 7], [3.0, 7]]))
    scaled = layout.encode(np.array([[1.0, 7], [5.0, 9]]))
    assert scaled.tolist() == [[-1, 0], [3, 2]]
    values, stop = layout.scores([scaled])
    assert values.tolist() == [[1, 7], [5, 9]] and stop is None
    assert level_sizes(TASK) == (2,) and layout_of(TASK, CPU).n == 2


def test_large_targets_that_hardly_vary_are_scaled_exactly() -> None:
    """In float32 their mean would be off by several deviations."""
    layout = TargetLayout(TASK, CPU)
    targets = np.array([[1e6 + 0.30, 7.1], [1e6 + 0.32, 7.1]])
    layout.fit(targets)
    scaled = layout.encode(targets)
    np.testing.assert_allclose(scaled, [[-1, 0], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(layout.scores([scaled])[0], targets, rtol=1e-12)


@pytest.mark.parametrize("tiles", [False, True])
def test_a_network_learns_numbers_and_keeps_them(
    grey: Dataset, tiny_net: Any, tiles: bool, tmp_path: Path
) -> None:
    if tiles:
        grey.views = {"pixels": np.repeat(grey.views["pixels"][:, None], 4, axis=1)}
    model = TorchModel(tiny_net, RECIPE)
    fitted(model, grey)
    scores = assert_batch_independent(model, grey, 1e-5)
    truth = grey.targets[:, 0]
    assert np.square(scores.values[:, 0] - truth).mean() < 0.1 * truth.var()
    np.testing.assert_allclose(scores.values[:, 1], 7, atol=2)
    model.save(tmp_path)
    loaded = TorchModel(tiny_net, RECIPE)
    loaded.load(tmp_path, Run(task=TASK))
    assert same_scores(scores, loaded.predict(inputs(grey)))


def test_patience_follows_the_loss_of_validation(grey: Dataset, tiny_net: Any) -> None:
    rows: list[Any] = []
    recipe = Recipe(epochs=4, batch_size=16, patience=1, mixup=0.4)
    model = fitted(TorchModel(tiny_net, recipe), grey, report=lambda *_, **values: rows.append(values))
    losses = [row["valid_loss"] for row in rows]
    assert model.describe()["epoch_used"] == 1 + int(np.argmin(losses))  # type: ignore[attr-defined]
    assert not any("accuracy" in name for name in rows[0])


def test_what_needs_classes_is_refused(grey: Dataset, tiny_net: Any) -> None:
    with pytest.raises(NotApplicable, match="head=leaf needs classes"):
        make_head("leaf", 4, TASK)
    with pytest.raises(BadInput, match="balance=weights"):
        loss_of(TargetLayout(TASK, CPU), Recipe(balance="weights"))
    with pytest.raises(NotApplicable, match="predicts numbers"):
        _ = fitted(TorchModel(tiny_net, Recipe(epochs=1)), grey).layout  # type: ignore[attr-defined]
    with pytest.raises(PluginError, match="2"):
        fitted(TorchModel(lambda _: nn.Sequential(nn.Flatten(), nn.Linear(256, 3)), Recipe(epochs=1)), grey)
