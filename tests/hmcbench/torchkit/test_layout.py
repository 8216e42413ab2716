"""Targets, outputs and class scores: shapes, probabilities that add up, targets that fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from hmcbench.errors import NotApplicable, PluginError
from hmcbench.interfaces import Dataset, Task
from hmcbench.torchkit.layout import Layout, level_sizes

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")
Tasks = dict[str, Task]


SIZES = {"tree": (2, 5), "ragged": (3, 6, 3), "uneven": (3, 3), "multiple": (2, 5), "dag": (3, 2, 1)}


@pytest.mark.parametrize("name", SIZES)
def test_level_sizes(name: str, tasks: Tasks) -> None:
    assert level_sizes(tasks[name]) == SIZES[name]


def test_classes_of_a_regression_are_not_applicable() -> None:
    with pytest.raises(NotApplicable):
        Layout(Task(kind="regression", targets=("strength",)), CPU)


@pytest.mark.parametrize("kind", ["tree", "ragged", "multiple"])
def test_targets_survive_encoding(kind: Any, images: Callable[..., Dataset]) -> None:
    dataset = images(kind, 20)
    layout = Layout(dataset.task, CPU)
    sets = layout.per_level_sets(layout.encode(dataset.targets))
    for columns, level in zip(layout.columns, sets, strict=True):
        np.testing.assert_array_equal(level.numpy(), dataset.targets[:, columns.numpy()])


def test_correct_counts_argmax_and_sets(tasks: Tasks) -> None:
    layout = Layout(tasks["tree"], CPU)
    targets = torch.tensor([[0, 1], [1, 4]])
    levels = [torch.tensor([[2.0, 1], [2, 1]]), torch.eye(5)[[1, 4]]]
    assert layout.correct(levels, targets).tolist() == [1, 2]
    per_class = torch.cat([torch.tensor([[1.0, -1], [1, 1]]), torch.eye(5)[[1, 4]] * 2 - 1], dim=1)
    assert layout.correct(per_class, targets).tolist() == [1, 2]


def test_wrong_shapes_name_the_right_ones(tasks: Tasks) -> None:
    layout = Layout(tasks["ragged"], CPU)
    for wrong in (
        [torch.zeros(1, 2), torch.zeros(1, 5), torch.zeros(1, 2)],
        torch.zeros(1, 8),
        [torch.zeros(1, 3)],
    ):
        with pytest.raises(PluginError, match=r"\[3, 6, 3\], or one tensor \(B, 9\)"):
            layout.check(wrong)
    layout.check(torch.zeros(1, 9))


def test_ragged_tasks_with_one_tensor_have_no_stop(tasks: Tasks) -> None:
    task = dataclasses.replace(tasks["ragged"])
    values, stop = Layout(task, CPU).probabilities(torch.zeros(2, 9))
    assert stop is None and bool((values == 0.5).all())
