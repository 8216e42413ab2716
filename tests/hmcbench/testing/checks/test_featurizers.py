"""A wrong featurizer for every check, and a right one that passes them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hmcbench import FeaturizerSpec
from hmcbench.testing.checks import featurizers


class Doubled:
    def transform(self, rows: Any) -> np.ndarray:
        return 2 * np.asarray(rows)


class DropsARow(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        return super().transform(rows)[1:]


class Sorts(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        return np.sort(super().transform(rows), axis=0)


class Remembers(Doubled):
    mean: Any = None

    def transform(self, rows: Any) -> np.ndarray:
        self.mean = np.asarray(rows).mean(axis=0) if self.mean is None else self.mean
        return super().transform(rows) - self.mean


class KeepsItsRows(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        self.rows = rows
        time.sleep(0.02)
        return super().transform(self.rows)


class InPlace(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        rows *= 2
        return np.asarray(rows)


class ChangesFolder(Doubled):
    def transform(self, rows: Any) -> np.ndarray:
        os.chdir("/")
        return super().transform(rows)


def featurizer_spec(factory: Any = Doubled, **changes: Any) -> FeaturizerSpec:
    return FeaturizerSpec(
        **{
            "name": "wrong",
            "version": "1",
            "summary": "one line",
            "factory": factory,
            "source": "table",
            **changes,
        }
    )


WRONG: dict[str, tuple[Any, str]] = {
    "row count": (DropsARow, "rows of"),
    "row order": (Sorts, "reverse order"),
    "stateless": (Remembers, "after other rows"),
    "the same in threads": (KeepsItsRows, "in threads"),
    "inputs unchanged": (InPlace, "modified its input"),
    "global state unchanged": (ChangesFolder, "working directory"),
}


def test_every_check_has_a_wrong_featurizer() -> None:
    assert set(WRONG) == {check.name for check in featurizers.CHECKS}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_featurizer_fails(name: str, assert_fails: Callable[..., None]) -> None:
    factory, pattern = WRONG[name]
    assert_fails(
        "featurizers",
        name,
        factory if isinstance(factory, FeaturizerSpec) else featurizer_spec(factory),
        pattern,
    )


@pytest.mark.parametrize("name", WRONG)
def test_the_right_featurizer_passes(name: str, outcome: Callable[..., Any]) -> None:
    result = outcome("featurizers", name, featurizer_spec())
    assert result.status != "failed", result
