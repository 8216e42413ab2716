from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hmcbench.leaderboard import grouping
from hmcbench.leaderboard.build import build
from hmcbench.records.record import Record

Fabricate = Callable[..., Record]


def sizes(records: list[Record]) -> list[int]:
    return [len(group) for group in grouping.groups(records)]


def test_what_must_not_be_mixed_makes_boards_of_its_own(fabricate: Fabricate) -> None:
    same = [fabricate("a"), fabricate("b"), fabricate("a", seed=1)]
    assert sizes(same) == [3]
    others = [
        fabricate("a", profile="paper"),
        fabricate("a", dataset={"fingerprint": "e" * 64}),
        fabricate("a", split={"fingerprint": "another"}),
        fabricate("a", split={"drop_leaks": True, "fingerprint": "third"}),
        fabricate("a", suite={"version": 2}, key="f" * 64),
        fabricate("a", suite={"name": "another"}, key="e" * 64),
    ]
    assert sorted(sizes([*same, *others])) == [1, 1, 1, 1, 1, 1, 3]


def test_folds_share_a_board_unless_one_fold_has_two_splits(fabricate: Fabricate) -> None:
    folds = [fabricate(m, fold=f, split={"kind": "kfold"}) for m in "ab" for f in range(3)]
    assert sizes(folds) == [6]
    odd = fabricate("c", fold=1, split={"kind": "kfold", "fingerprint": "another"})
    assert sorted(sizes([*folds, odd])) == [1, 2, 2, 2]


def test_the_same_samples_divided_in_two_ways_make_two_boards(fabricate: Fabricate) -> None:
    """The folds of either way stay together."""

    def fold(k: int, reference: str) -> Any:
        split = {"kind": "kfold", "fingerprint": f"{reference} {k}"}
        return fabricate("a", fold=k, dataset={"reference": reference}, split=split)

    both = [fold(k, reference) for k in range(3) for reference in ("toy", "toy[split_by=system]")]
    assert sizes(both) == [3, 3]
    cell = {"key": "f" * 64, "dataset": "toy[split_by=system]", "model": "b", "fold": 0, "seed": 0}
    (missing,) = grouping.missing_records([cell], both, "quick")
    (longer,) = [group for group in grouping.groups([*both, missing]) if len(group) == 4]
    assert {r.data["dataset"]["reference"] for r in longer} == {"toy[split_by=system]"}


def test_a_cell_that_failed_before_its_data_were_read_joins_its_table(fabricate: Fabricate) -> None:
    known = fabricate("a")
    unread = {"fingerprint": None}
    lost = fabricate("b", status="failed", cause="error", dataset=unread, split=unread)
    assert sizes([known, lost]) == [2]
    elsewhere = fabricate(
        "b", status="failed", dataset={"name": "other", **unread}, split=unread, key="a" * 64
    )
    assert sizes([known, lost, elsewhere]) == [2, 1]


def test_missing_cells_go_to_the_latest_table_of_their_data(fabricate: Fabricate) -> None:
    old = fabricate("a", dataset={"fingerprint": "old"}, created="2025-01-01")
    new = fabricate("a", dataset={"fingerprint": "new"}, created="2026-01-01")
    expected: list[dict[str, Any]] = [
        {"key": new.key, "dataset": "toy", "model": "a", "fold": 0, "seed": 0, "profile": "quick"},
        {"key": "f" * 64, "dataset": "toy", "model": "b", "fold": 0, "seed": 2, "profile": "quick"},
        {"dataset": "toy[x=1]", "model": "c", "reason": "it reads tables"},
    ]
    missing = grouping.missing_records(expected, [old, new], "quick")
    assert [r.data["model"]["label"] for r in missing] == ["b", "c"]
    assert [r.data["cause"] for r in missing] == ["not run", "not applicable"]
    boards = {len(group): group for group in grouping.groups([old, new, *missing])}
    assert set(boards) == {1, 3}
    assert boards[1] == [old]


def test_a_missing_fold_belongs_to_the_other_folds(fabricate: Fabricate) -> None:
    first = fabricate("a", fold=0, split={"kind": "kfold"})
    cell = {"key": "f" * 64, "dataset": "toy", "model": "a", "fold": 1, "seed": 0, "profile": "quick"}
    assert sizes([first, *grouping.missing_records([cell], [first], "quick")]) == [2]


def test_the_newest_of_a_key_counts(fabricate: Fabricate) -> None:
    old = Record(fabricate("a").path, {"key": "k", "created": "2025", "model": {"label": "a"}})
    new = Record(old.path, {"key": "k", "created": "2026", "model": {"label": "a"}})
    assert grouping.newest([new, old]) == [new]


def test_two_versions_of_a_model_are_two_rows(fabricate: Fabricate) -> None:
    records = [fabricate("a"), fabricate("a", model={"version": "2"}), fabricate("b")]
    rows, notes = grouping.rows(records)
    assert [row.label for row in rows] == ["a v1", "a v2", "b"]
    assert notes == []


def test_a_cell_that_never_ran_belongs_to_its_model(fabricate: Fabricate) -> None:
    record = fabricate("a")
    cell = {"key": "f" * 64, "dataset": "toy", "model": "a", "fold": 0, "seed": 1, "profile": "quick"}
    rows, _ = grouping.rows([record, *grouping.missing_records([cell], [record], "quick")])
    assert [(row.label, len(row.ok), len(row.others)) for row in rows] == [("a", 1, 1)]


def test_of_two_versions_the_later_one_has_the_cells_that_never_ran(fabricate: Fabricate) -> None:
    cell = {"key": "f" * 64, "dataset": "toy", "model": "a", "fold": 0, "seed": 1, "profile": "quick"}
    for later in ("1", "2"):
        dates = {version: f"202{5 + (version == later)}-01-01" for version in ("1", "2")}
        records = [fabricate("a", model={"version": v}, created=dates[v]) for v in ("1", "2")]
        for order in (records, records[::-1]):
            rows, _ = grouping.rows([*order, *grouping.missing_records([cell], records, "quick")])
            assert [row.version for row in rows if row.others] == [later]


def test_planned_cells_are_of_the_suite_that_planned_them(fabricate: Fabricate) -> None:
    """They were of the suite of whichever record had the smallest key."""
    old = fabricate("a", suite={"version": 1}, key="0" * 64)
    new = fabricate("a", suite={"version": 2}, key="1" * 64)
    cell = {"key": "f" * 64, "dataset": "toy", "model": "b", "fold": 0, "seed": 0, "profile": "quick"}
    info = {"suite": {"name": "smoke", "version": 2, "primary": "hf1_samples"}, "cells": [cell]}
    boards = build([old, new], info, [cell])
    assert {board.version: [row.model for row in board.rows] for board in boards} == {
        "1": ["a"],
        "2": ["a", "b"],
    }
    (board,) = build([], info, [cell])
    assert (board.suite, board.version, board.primary) == ("smoke", "2", "hf1_samples")


def test_of_two_records_of_one_fold_and_seed_the_newer_stays(fabricate: Fabricate) -> None:
    old = fabricate("a", created="2025-01-01", key="1" * 64)
    new = fabricate("a", created="2026-01-01", key="2" * 64)
    rows, notes = grouping.rows([old, new])
    assert rows[0].ok == [new]
    assert notes == ["a: 1 older record(s) of the same fold and seed left out"]


def test_a_failure_that_a_later_cell_mended_is_no_row(fabricate: Fabricate) -> None:
    failed = fabricate("a", created="2025-01-01", key="1" * 64, status="failed", cause="error")
    mended = fabricate("a", created="2026-01-01", key="2" * 64)
    later = fabricate("a", created="2027-01-01", key="3" * 64, status="failed", cause="error")
    rows, notes = grouping.rows([failed, mended])
    assert (rows[0].ok, rows[0].others) == ([mended], [])
    assert notes == ["a: 1 older record(s) of the same fold and seed left out"]
    rows, notes = grouping.rows([mended, later])
    assert (rows[0].ok, rows[0].others, notes) == ([mended], [later], [])


def test_runs_in_few_words(fabricate: Fabricate) -> None:
    def text(*cells: tuple[int, int]) -> str:
        return grouping.runs_text([Record(None, {"split": {"fold": f}, "seed": s}) for f, s in cells])  # type: ignore[arg-type]

    assert text((0, 3)) == "seed 3"
    assert text((0, 0), (0, 1)) == "seeds 0, 1"
    assert text(*((0, s) for s in range(5))) == "seeds 0-4"
    assert text(*((f, s) for f in range(5) for s in range(2))) == "folds 0-4, seeds 0, 1"
    assert text((0, 1), (2, 0)) == "fold 0 seed 1, fold 2 seed 0"
    assert text(*((f, f) for f in range(9))).endswith("fold 5 seed 5 and 3 more")


def test_time_grows_with_the_number_of_cells_not_yet_run(
    fabricate: Fabricate, growth: Callable[..., float]
) -> None:
    """An interrupted run of 12,000 cells took 48 s to end."""
    unread = {"fingerprint": None}
    ended, pending = fabricate("a"), fabricate("a", status="failed", dataset=unread, split=unread)

    def prepare(number: int) -> Callable[[], list[int]]:
        records = [ended] * number + [pending] * number
        assert sizes(records) == [2 * number]
        return lambda: sizes(records)

    assert growth(prepare, 500, 8000) < 64
