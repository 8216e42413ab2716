"""Broken promises are named on the board, and those that hold are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.grouping import RowRecords
from hmcbench.leaderboard.promises import broken_promises
from hmcbench.metrics.builtin import SPECS
from hmcbench.records.record import Record

SIZES = {"validation": 30, "calibration": 150, "test": 300}


def test_a_model_that_gets_worse_on_test_is_noticed(fabricate: Callable[..., Record]) -> None:
    split = {"counts": {"train": 500, **SIZES}}
    held = fabricate("held", 0.9, sizes=SIZES, split=split)
    worse = fabricate("worse", {"calibration": 0.98, "test": 0.6}, sizes=SIZES, split=split)
    (board,) = build([held, worse], specs=SPECS)
    noted = [note for note in board.notes if "breaks the promise" in note]
    assert noted
    assert all(note.startswith("worse: ") for note in noted)
    assert any("backoff_risk" in note and "at most 0.05" in note for note in noted)


@pytest.mark.parametrize(
    ("name", "value", "broken"),
    [
        ("backoff_risk", 0.11, False),  # .05 + 3 * sqrt(.0475 * (1 / 200 + 1 / 100)) = .130
        ("backoff_risk", 0.131, True),
        ("conformal_coverage", 0.88, False),
        ("conformal_coverage", 0.869, True),
        ("conformal_coverage", 1.0, False),
    ],
)
def test_chance_is_allowed_for(name: str, value: float, broken: bool) -> None:
    data = {
        "split": {"counts": {"test": 200, "calibration": 100}},
        "metrics": {"test": {name: value}},
        "seed": 0,
    }
    row = RowRecords("net", "1", ok=[Record(Path(), data)])
    assert bool(broken_promises([row])) == broken
    without = {**data, "split": {"counts": {"test": 200}}}
    assert broken_promises([RowRecords("net", "1", ok=[Record(Path(), without)])]) == []


def test_a_metric_without_a_value_promises_nothing() -> None:
    split = {"counts": {"test": 200, "calibration": 100}}
    data = [
        {"split": split, "metrics": {"test": {"backoff_risk": value}}, "seed": seed}
        for seed, value in enumerate((None, 0.9))
    ]
    records = [Record(Path(), entry) for entry in data]
    assert broken_promises([RowRecords("net", "1", ok=records[:1])]) == []
    assert len(broken_promises([RowRecords("net", "1", ok=records)])) == 1
