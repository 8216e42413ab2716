"""A total time for a run: what is started, what is left out, and by what it is decided."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute import runner
from hmcbench.execute.budget import Budget, parse_budget, seconds_taken
from hmcbench.records.record import Record


def cell(label: str, dataset: str = "toy") -> Any:
    return SimpleNamespace(dataset=dataset, label=label, key=f"{dataset} {label}", pair=(dataset, label))


def record(label: str, seconds: float, ok: bool = True, peak: float | None = None) -> Record:
    data = {
        "status": "ok" if ok else "failed",
        "dataset": {"name": "toy"},
        "model": {"label": label},
        "timing": {"total_s": seconds},
        "memory": {"peak_anon_mb": peak},
    }
    return Record(Path(), data)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2D", 172800), (" 1h5s ", 3605)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0s", "30", "m30", "-5m", "1.5h", "nan", "inf", "5m1h", "9999999h", "9" * 5000 + "s", "٣m", "1 h"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="Allowed: 90s, 30m"):
        parse_budget(text)


def test_a_cell_starts_where_its_like_would_have_ended_in_time() -> None:
    now = [100.0]
    took = seconds_taken([record("slow", 40), record("slow", 60), record("slow", 900, ok=False)])
    assert took == {("toy", "slow"): 50}
    budget = Budget(120, took, lambda: now[0])
    slow, new = cell("slow"), cell("new")
    assert budget.fits([slow])
    assert budget.fits([slow, slow])
    assert not budget.fits([slow, slow, slow])
    now[0] += 71
    assert not budget.fits([slow])
    assert budget.fits([new]), "nothing is known of it"
    budget.ended(new, 50)
    assert not budget.fits([new])
    budget.ended(slow, 20)  # this run knows better than earlier records
    assert budget.fits([slow])
    now[0] += 49
    assert not budget.fits([cell("other")]), "the time is over"


def test_the_forecast_counts_what_fits_beside_each_other() -> None:
    budget = Budget(100, {("toy", "slow"): 60, ("toy", "endless"): 101})
    cells = [cell("slow")] * 3 + [cell("endless"), cell("new")]
    assert budget.forecast(cells, 1) == (1, 3, 1)
    assert budget.forecast(cells, 2) == (3, 1, 1)


def test_cells_that_need_most_memory_come_first_after_those_of_which_nothing_is_known() -> None:
    done = [record("small", 1, peak=10), record("large", 1, peak=900), record("large", 1, ok=False)]
    cells = [cell("small"), cell("new"), cell("large"), cell("newer")]
    assert [c.label for c in runner.hungriest_first(cells, done)] == ["new", "newer", "large", "small"]
    assert runner.hungriest_first(cells, []) == cells
