"""A wrong dataset for every check, and a right one that passes them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hmcbench import Dataset, DatasetSpec
from hmcbench.testing.checks import datasets
from hmcbench.testing.helpers import tiny_dataset


def dataset(**changes: Any) -> Callable[[], Dataset]:
    return lambda: replace(tiny_dataset(40), **changes)


def dataset_spec(factory: Any = tiny_dataset, **changes: Any) -> DatasetSpec:
    usual = {"views": ("table",), "licence": "MIT", "citation": "none"}
    return DatasetSpec(
        **{"name": "wrong", "version": "1", "summary": "one line", "factory": factory, **usual, **changes}
    )


def open_classes() -> Dataset:
    closed = tiny_dataset(40)
    targets = np.array(closed.targets)
    targets[0, :2] = False
    return replace(closed, targets=targets)


def copies() -> Dataset:
    original = tiny_dataset(40)
    table = np.repeat(original.views["table"][::2], 2, axis=0)
    return replace(original, views={"table": table})


def changing() -> Dataset:
    return replace(tiny_dataset(40), fingerprint=uuid.uuid4().hex)


def sets_a_variable() -> Dataset:
    os.environ["MY_DATA"] = "/somewhere"
    return tiny_dataset(40)


HALVES = ["train"] * 20 + ["validation"] * 4 + ["test"] * 16
WRONG: dict[str, tuple[Any, str]] = {
    "ids unique": (dataset(ids=["same"] * 40), "same"),
    "the same when loaded again": (changing, "fingerprints differ"),
    "views complete": (dataset(views={"other": np.zeros((40, 2))}), "names table"),
    "targets closed": (open_classes, "without its ancestors"),
    "splits disjoint": (dataset(split=HALVES, groups=[str(i % 9) for i in range(40)]), "one group lie in"),
    "groups divisible": (dataset(groups=["a"] * 40), "one group"),
    "no near-duplicates": (copies, "nearly equal"),
    "licence and citation": (dataset_spec(licence="", citation=" "), "no licence and no citation"),
    "global state unchanged": (sets_a_variable, "MY_DATA"),
}


def test_every_check_has_a_wrong_dataset() -> None:
    assert set(WRONG) == {check.name for check in datasets.CHECKS}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_dataset_fails(name: str, assert_fails: Callable[..., None]) -> None:
    factory, pattern = WRONG[name]
    assert_fails(
        "datasets", name, factory if isinstance(factory, DatasetSpec) else dataset_spec(factory), pattern
    )


@pytest.mark.parametrize("name", WRONG)
def test_the_right_dataset_passes(name: str, outcome: Callable[..., Any]) -> None:
    result = outcome("datasets", name, dataset_spec())
    assert result.status != "failed", result
