"""A wrong shift for every check, and a right one that passes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hmcbench import ShiftInputs, ShiftSpec
from hmcbench.testing.checks import shifts


def right(inputs: ShiftInputs, severity: float) -> np.ndarray:
    """Adds the severity.

    >>> right(ShiftInputs("table", ["a"], np.zeros((1, 1))), 2.0).tolist()
    [[2.0]]
    """
    return np.asarray(inputs.rows) + severity


def wider(inputs: ShiftInputs, severity: float) -> np.ndarray:
    return np.concatenate([right(inputs, severity)] * 2, axis=1)


def never_nothing(inputs: ShiftInputs, severity: float) -> np.ndarray:
    return right(inputs, severity + 1)


def milder(inputs: ShiftInputs, severity: float) -> np.ndarray:
    return right(inputs, 0.0 if severity == 0 else 1 / severity)


def random(inputs: ShiftInputs, severity: float) -> np.ndarray:
    return right(inputs, 0.0) + severity * np.random.default_rng().random((len(inputs.ids), 1))


def of_the_mean(inputs: ShiftInputs, severity: float) -> np.ndarray:
    rows = right(inputs, 0.0)
    return rows + severity * (rows.mean() + 1)


def in_place(inputs: ShiftInputs, severity: float) -> np.ndarray:
    rows: np.ndarray = inputs.rows
    rows += severity
    return rows.copy()


def misleading(inputs: ShiftInputs, severity: float) -> np.ndarray:
    """Subtracts it.

    >>> misleading(ShiftInputs("table", ["a"], np.zeros((1, 1))), 2.0).tolist()
    [[2.0]]
    """
    return right(inputs, -severity)


def elsewhere(inputs: ShiftInputs, severity: float) -> np.ndarray:
    os.chdir("/")
    return right(inputs, severity)


def shift_spec(factory: Any = right, **changes: Any) -> ShiftSpec:
    usual = {"name": "wrong", "version": "1", "summary": "one line", "views": ("table",), "unit": "metres"}
    return ShiftSpec(**{**usual, "factory": factory, "severities": (1.0, 2.0, 4.0), **changes})


WRONG: dict[str, tuple[Any, str]] = {
    "severities rise": (shift_spec(severities=(2.0, 1.0)), "rising numbers above 0"),
    "shapes kept": (wider, "of shape"),
    "severity 0 changes nothing": (never_nothing, "severity 0 changes"),
    "worse step by step": (milder, "nearer to the original"),
    "the same for the same seed": (random, "another result"),
    "every row alone": (of_the_mean, "beside it"),
    "inputs unchanged": (in_place, "modified its input"),
    "the example in its docstring": (misleading, "another value"),
    "global state unchanged": (elsewhere, "working directory"),
}


def test_every_check_has_a_wrong_shift() -> None:
    assert set(WRONG) == {check.name for check in shifts.CHECKS}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_shift_fails_and_the_right_one_passes(
    name: str, outcome: Callable[..., Any], assert_fails: Callable[..., None]
) -> None:
    wrong, pattern = WRONG[name]
    assert_fails("shifts", name, wrong if isinstance(wrong, ShiftSpec) else shift_spec(wrong), pattern)
    assert outcome("shifts", name, shift_spec()).status == "ok"


@pytest.mark.parametrize(
    ("name", "changes", "pattern"),
    [
        ("severities rise", {"severities": (1.0,)}, "one severity"),
        ("severities rise", {"unit": ""}, "which unit"),
        ("severities rise", {"high": 3.0}, "at most 3"),
        ("shapes kept", {"views": ()}, "no view"),
        ("worse step by step", {"factory": lambda inputs, severity: inputs.rows}, "changes nothing"),
    ],
)
def test_further_faults(
    name: str, changes: dict[str, Any], pattern: str, assert_fails: Callable[..., None]
) -> None:
    assert_fails("shifts", name, shift_spec(**changes), pattern)
