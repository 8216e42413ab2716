"""A wrong rule for every check; the built-in ones pass them in test_conformance."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hmcbench import Param, RuleSpec, Task
from hmcbench.testing.checks import rules

calls = itertools.count()


def not_closed(scores: np.ndarray, task: Task) -> np.ndarray:
    return np.asarray(scores == scores.min(axis=1, keepdims=True))


def closed_by_batch(scores: np.ndarray, task: Task) -> np.ndarray:
    assert task.hierarchy is not None
    return np.asarray(task.hierarchy.close(scores >= np.median(scores)))


def needs_a_sample(scores: np.ndarray, task: Task) -> np.ndarray:
    return np.full(scores.shape, bool(scores.max() > 9))


def random_sets(scores: np.ndarray, task: Task) -> np.ndarray:
    return np.full(scores.shape, next(calls) % 2 == 0)


def with_k(scores: np.ndarray, task: Task, *, k: int) -> np.ndarray:
    return np.zeros(scores.shape, dtype=bool)


def fit_another(scores: np.ndarray, truth: Any, task: Task, *, k: int) -> dict[str, int]:
    return {"j": 1}


def wrong_example(scores: np.ndarray, task: Task) -> np.ndarray:
    """
    >>> 1 + 1
    3
    """
    return np.zeros(scores.shape, dtype=bool)


def changes_state(scores: np.ndarray, task: Task) -> np.ndarray:
    np.seterr(all="ignore")
    return np.zeros(scores.shape, dtype=bool)


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "respects the hierarchy": (not_closed, {}, "a class without its ancestors"),
    "every sample alone": (closed_by_batch, {"paths": ("multiple",)}, "depends on the others"),
    "no sample": (needs_a_sample, {}, "ValueError"),
    "the same when repeated": (random_sets, {"paths": ("multiple",)}, "another result"),
    "chooses its own parameters": (
        with_k,
        {"params": {"k": Param(1, "classes")}, "fit": fit_another},
        "'j', which is no parameter",
    ),
    "the example in its docstring": (wrong_example, {}, "another value"),
    "global state unchanged": (changes_state, {}, "numpy's error handling"),
}


def test_every_check_has_a_wrong_rule() -> None:
    assert set(WRONG) == {check.name for check in rules.CHECKS}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_fails(name: str, assert_fails: Callable[..., None]) -> None:
    factory, more, pattern = WRONG[name]
    spec = RuleSpec(name="wrong", version="1", summary="one line", factory=factory, **more)
    assert_fails("rules", name, spec, pattern)


def test_several_classes_at_a_level_are_no_path(assert_fails: Callable[..., None]) -> None:
    def everything(scores: np.ndarray, task: Task) -> np.ndarray:
        return np.ones(scores.shape, dtype=bool)

    spec = RuleSpec(name="wrong", version="1", summary="one line", factory=everything)
    assert_fails("rules", "respects the hierarchy", spec, "one path is promised")
