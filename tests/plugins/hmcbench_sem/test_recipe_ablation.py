"""The suite ``recipe-ablation``: every row changes one thing, on images of any kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry

pytestmark = pytest.mark.torch
REGISTRY = default_registry()
CHANGES: dict[str, dict[str, Any]] = {
    "as today": {},
    "four orientations": {"orientations": 4},
    "whitened first layer": {"first_layer": "whitened"},
    "smaller images first": {"first_size": 32, "epochs": 10},
    "cosine with warm-up": {"schedule": "cosine", "warmup_epochs": 1.0},
    "mean of weights": {"ema": 0.99},
    "no label smoothing": {"label_smoothing": 0.0},
    "cross-entropy": {"loss": "cross_entropy"},
    "small batches": {"batch_size": 16, "learning_rate": 1e-3},
}


def plan(**choices: Any) -> Plan:
    return make_plan(load_suite(REGISTRY, "recipe-ablation"), REGISTRY, Choices(**choices))


def test_every_row_changes_one_thing() -> None:
    profile = load_suite(REGISTRY, "recipe-ablation").profiles["quick"]
    models = {
        profile.labels[model]: REGISTRY.resolve("models", model, "quick")[1] for model in profile.models
    }
    usual = models["as today"]
    assert usual["epochs"] == 8 and usual["stem_stride"] == "keep"
    changed = {
        row: {name: value for name, value in params.items() if value != usual[name]}
        for row, params in models.items()
    }
    assert changed == CHANGES


def test_it_runs_on_folders_of_real_images(tree: Path) -> None:
    cells = plan(data={"recipe-ablation": str(tree)}, folds=2).cells
    assert [cell.row for cell in cells if cell.fold == 1] == list(CHANGES)
    assert len(cells) == 2 * len(CHANGES)
    assert len({cell.record["dataset"]["fingerprint"] for cell in cells}) == 1


def test_it_runs_on_synthetic_images_where_no_folder_is_named() -> None:
    planned = plan()
    assert {cell.record["dataset"]["reference"] for cell in planned.cells} == {"sem-failure[seed=1]"}
    assert "images (--data images=PATH)" in " ".join(planned.notes)
