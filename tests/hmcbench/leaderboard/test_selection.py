"""The model chosen on validation, and those that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hmcbench.leaderboard import grouping
from hmcbench.leaderboard.summary import chosen

Fabricate = Callable[..., Any]


def text(*records: Any) -> str:
    rows, _ = grouping.rows(list(records))
    return chosen(rows, "hf1", "higher")


def scored(fabricate: Fabricate, name: str, fold: int, validation: float, test: float, **model: str) -> Any:
    sides = {"validation": {"hf1": validation}, "test": {"hf1": test}}
    return fabricate(name, fold=fold, split={"kind": "kfold"}, metrics=sides, model=model)


def test_the_mean_over_folds_decides_and_each_fold_anew(fabricate: Fabricate) -> None:
    said = text(
        scored(fabricate, "a", 0, 0.9, 0.5),
        scored(fabricate, "a", 1, 0.9, 0.6),
        scored(fabricate, "b", 0, 0.8, 0.7),
        scored(fabricate, "b", 1, 0.95, 0.8),
    )
    assert said.startswith("a (validation hf1 0.900): test 0.550, mean of 2 folds")
    assert said.endswith("chosen in each fold anew: test 0.650")


def test_what_was_fitted_on_validation_has_no_score_there(fabricate: Fabricate) -> None:
    rows = [scored(fabricate, name, 0, value, 0.5) for name, value in (("a", 0.7), ("b", 0.8))]
    greedy = scored(fabricate, "c", 0, 1.0, 0.4, fitted_on="train and validation")
    said = text(*rows, greedy)
    assert said.startswith("b (validation hf1 0.800)")
    assert said.endswith("not to be chosen, as they were fitted on validation too: c")
    assert text(rows[0], greedy) == ""
