from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import MetricSpec, Task
from hmcbench.leaderboard.board import Board, Row
from hmcbench.leaderboard.build import analyse, build, estimates_of
from hmcbench.leaderboard.render import text
from hmcbench.leaderboard.summary import failed_metrics
from hmcbench.metrics.base import PooledMetric
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rankings import auprc_micro
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import NPZ, Record

Fabricate = Callable[..., Record]
SIDES = {"validation": 20, "test": 200, "shifted": 150}
COLUMNS = {"suite": {"name": "smoke", "columns": ["hf1_samples", "level{k}_accuracy", "auprc_micro"]}}


def only(records: list[Record], suite: dict[str, Any] | None = None, **more: Any) -> Board:
    boards = build(records, suite, **more)
    assert len(boards) == 1
    return boards[0]


def by_name(board: Board) -> dict[str, Row]:
    return {row.model: row for row in board.rows if row.status in ("ok", "partial")}


def test_a_suite_may_name_all_levels(fabricate: Fabricate) -> None:
    records = [fabricate("a", dataset={"levels": 3})]
    info = {"suite": {"name": "smoke", "columns": ["hf1_samples", "level{k}_accuracy"]}}
    shown = [column.id for column in build(records, info)[0].columns]
    assert shown[:4] == ["hf1_samples", "level1_accuracy", "level2_accuracy", "level3_accuracy"]


def test_ranked_by_the_mean_of_the_primary_metric(fabricate: Fabricate) -> None:
    board = only([fabricate("low", 0.5), fabricate("high", 0.95), fabricate("mid", 0.7)], COLUMNS)
    assert [(row.rank, row.model) for row in board.rows] == [(1, "high"), (2, "mid"), (3, "low")]
    names = ["hf1_samples", "level1_accuracy", "level2_accuracy", "auprc_micro"]
    assert [column.id for column in board.columns] == [*names, "incoherent_rate", "violation_rate"]
    assert by_name(board)["high"].cells["hf1_samples"].best
    assert not by_name(board)["mid"].cells["hf1_samples"].best


def test_lower_is_better_where_the_metric_says_so(fabricate: Fabricate) -> None:
    info = {"suite": {"name": "smoke", "primary": "tree_path_distance"}}
    board = only([fabricate("low", 0.5), fabricate("high", 0.95)], info)
    assert board.primary == "tree_path_distance"
    assert board.rows[0].model == "high"
    assert board.rows[0].cells["tree_path_distance"].best


def test_near_equals_are_not_marked(fabricate: Fabricate) -> None:
    board = only([fabricate("a", 0.90), fabricate("b", 0.895)])
    assert not any(cell.best for row in board.rows for cell in row.cells.values())


def test_one_training_is_never_best_and_the_board_says_why(fabricate: Fabricate) -> None:
    drawn = {"model": {"deterministic": False}}
    board = only([fabricate("high", 0.95, **drawn), fabricate("mid", 0.7), fabricate("low", 0.3)])
    assert not any(cell.best for row in board.rows for cell in row.cells.values())
    assert board.not_told_apart == ["mid", "low"]
    assert any(note.startswith("one training is one draw") and "high" in note for note in board.notes)
    seeds = [fabricate("high", 0.95, seed=seed, **drawn) for seed in range(3)]
    several = only([*seeds, fabricate("mid", 0.7), fabricate("low", 0.3)])
    assert by_name(several)["high"].cells["hf1_samples"].best
    assert several.not_told_apart == [] and not several.notes


def test_five_folds_of_one_seed_count_each_training(fabricate: Fabricate) -> None:
    kfold = {"kind": "kfold", "folds": 5}
    more: dict[str, Any] = {"split": kfold, "model": {"deterministic": False}}
    records = [
        fabricate(m, accuracy, fold=f, prefix=f"{f}-", sizes={"test": 60}, **more)
        for m, accuracy in (("high", 0.95), ("low", 0.3))
        for f in range(5)
    ]
    board = only(records)
    assert by_name(board)["high"].cells["hf1_samples"].best and not board.notes


def test_what_a_constant_prediction_wins_is_never_best(fabricate: Fabricate) -> None:
    broken = fabricate("once", 0.9).predictions()
    broken.scores[::2, 0] = 0.9  # another level-1 class for many samples
    board = only([fabricate("net", predictions=broken), fabricate("prior", 0.6)])
    rates = [by_name(board)[name].cells["incoherent_rate"] for name in ("net", "prior")]
    assert rates[0].low is not None and rates[1].high is not None and rates[0].low > rates[1].high
    assert not rates[1].best and by_name(board)["net"].cells["hf1_samples"].best


def test_mean_and_interval_over_seeds(fabricate: Fabricate) -> None:
    board = only([fabricate("a", 0.8, seed=s) for s in range(3)] + [fabricate("b", 0.8)])
    a, b = by_name(board)["a"], by_name(board)["b"]
    assert (a.runs, b.runs) == ("seeds 0-2", "seed 0")
    for row in (a, b):
        cell = row.cells["hf1_samples"]
        assert cell.mean is not None and cell.low is not None and cell.high is not None
        assert 0 <= cell.low < cell.mean < cell.high <= 1
    mean = np.mean([fabricate("a", 0.8, seed=s).data["metrics"]["test"]["hf1_samples"] for s in range(3)])
    assert a.cells["hf1_samples"].mean == pytest.approx(mean)


def test_a_row_does_not_depend_on_the_others(fabricate: Fabricate) -> None:
    records = [fabricate("a", 0.8, seed=s) for s in range(2)]
    alone = only(records).rows[0].cells
    among = by_name(only([*records, fabricate("b", 0.9), fabricate("0", 0.7)]))["a"].cells
    for name, cell in alone.items():
        assert (cell.mean, cell.low, cell.high) == (among[name].mean, among[name].low, among[name].high)


def test_groups_widen_the_interval(fabricate: Fabricate) -> None:
    def width(records: list[Record]) -> float:
        cell = only(records).rows[0].cells["hf1_samples"]
        return (cell.high or 0) - (cell.low or 0)

    free = fabricate("a", 0.8)
    predictions = free.predictions()
    right = [bool(t) for t in (predictions.truth.toarray() == (predictions.scores > 0.1)).all(axis=1)]
    groups = [f"{r}{i % 12}" for i, r in enumerate(right)]  # a group is right or wrong as a whole
    grouped = fabricate("a", predictions=replace(predictions, groups=groups), dataset={"fingerprint": "g"})
    assert width([grouped]) > 1.5 * width([free])


def test_failed_and_missing_cells_stay_as_rows(fabricate: Fabricate) -> None:
    records = [
        fabricate("a"),
        fabricate("a", seed=1, status="failed", cause="nan", message="3 of 9 predictions are NaN"),
        fabricate("b", seed=0, status="failed", cause="time-out", message="ended after 60 s"),
        fabricate("b", seed=1, status="failed", cause="time-out", message="ended after 60 s"),
    ]
    cell = {"key": "f" * 64, "dataset": "toy", "model": "c", "fold": 0, "seed": 0, "profile": "quick"}
    pair = {"dataset": "toy", "model": "d", "reason": "it reads tables"}
    board = only(records, {"profile": "quick"}, expected_cells=[cell, pair])
    seen = [(row.rank, row.model, row.status, row.cause, row.runs) for row in board.rows]
    assert seen == [
        (1, "a", "ok", "1 of 2 cells failed or missing", "seed 0"),
        (None, "a", "failed", "nan", "seed 1"),
        (None, "b", "failed", "time-out", "seeds 0, 1"),
        (None, "c", "missing", "not run", "seed 0"),
        (None, "d", "missing", "not applicable", "all"),
    ]
    assert [row.message for row in board.rows][1:3] == ["3 of 9 predictions are NaN", "ended after 60 s"]


def test_nothing_but_failures_is_still_a_board(fabricate: Fabricate) -> None:
    board = only([fabricate("a", status="failed", cause="crash")])
    assert [row.status for row in board.rows] == ["failed"]
    assert build([]) == []


def test_shifted_test_sets_and_the_drop(fabricate: Fabricate) -> None:
    accuracy = {"test": 0.95, "shifted": 0.6, "validation": 0.9}
    board = only([fabricate("a", accuracy, sizes=SIDES), fabricate("b", 0.9, sizes=SIDES)])
    ids = [column.id for column in board.columns]
    assert ids[-2:] == ["hf1_samples@shifted", "hf1_samples@shifted-drop"]
    a, b = by_name(board)["a"].cells, by_name(board)["b"].cells
    drop = a["hf1_samples@shifted-drop"]
    assert drop.mean == pytest.approx(a["hf1_samples"].mean - a["hf1_samples@shifted"].mean)  # type: ignore[operator]
    assert drop.low is not None and drop.low > 0.1
    assert not b["hf1_samples@shifted-drop"].best
    assert b["hf1_samples@shifted"].best


def test_folds_are_pooled(fabricate: Fabricate) -> None:
    kfold = {"kind": "kfold", "folds": 3}
    records = [
        fabricate(m, p, fold=f, split=kfold, prefix=f"f{f}-", sizes={"test": 60 + 40 * f})
        for m, p in (("a", 0.9), ("b", 0.6))
        for f in range(3)
    ]
    board = only(records)
    a = by_name(board)["a"]
    assert (a.status, a.runs) == ("ok", "folds 0-2, seed 0")
    right = [r.data["metrics"]["test"]["exact_match"] for r in records[:3]]
    assert a.cells["exact_match"].mean == pytest.approx(np.average(right, weights=[60, 100, 140]))
    assert a.cells["hf1_samples"].best
    assert len(board.split) == 3


def test_a_row_without_all_folds_is_shown_but_not_ranked(fabricate: Fabricate) -> None:
    kfold = {"kind": "kfold", "folds": 3}
    records = [fabricate("a", 0.6, fold=f, split=kfold, prefix=f"f{f}-") for f in range(3)]
    records.append(fabricate("b", 0.9, fold=1, split=kfold, prefix="f1-"))
    records.append(fabricate("b", fold=0, split=kfold, status="failed", cause="crash"))
    board = only(records)
    assert [(row.rank, row.model, row.status) for row in board.rows] == [
        (1, "a", "ok"),
        (None, "b", "partial"),
        (None, "b", "failed"),
    ]
    assert board.rows[1].cause == "1 of 3 folds, no seed with all of them"
    assert board.rows[1].cells["hf1_samples"].mean is not None


def test_repeated_holdout_is_corrected(fabricate: Fabricate) -> None:
    accuracy = [0.90, 0.92, 0.95, 0.91]
    counts = {"train": 600, "validation": 30, "test": 60}
    records = [
        fabricate(m, a - less, fold=f, split={"counts": counts}, prefix=f"f{f}-")
        for m, less in (("a", 0.0), ("b", 0.3))
        for f, a in enumerate(accuracy)
    ]
    board = only(records)
    cell = by_name(board)["a"].cells["hf1_samples"]
    values = np.array([r.data["metrics"]["test"]["hf1_samples"] for r in records[:4]])
    reach = 3.182446 * values.std(ddof=1) * np.sqrt(1 / 4 + 0.1)
    assert cell.mean == pytest.approx(values.mean())
    assert cell.low == pytest.approx(values.mean() - reach)
    assert cell.best


def test_costs_never_cross_hardware(fabricate: Fabricate) -> None:
    fast, slow = ({"fit_s": s, "shared": False} for s in (1.0, 50.0))
    gpu = {"fingerprint": "hw2", "cpu": "Loom", "gpu": "Jacquard"}
    records = [fabricate("a", seed=s, timing=fast, hardware=gpu) for s in range(2)]
    records += [fabricate("b", seed=s, timing=slow | {"fit_s": 50.0 + s}) for s in range(3)]
    records += [fabricate("a", seed=s, timing=slow | {"fit_s": 90.0 + s}) for s in range(2, 5)]
    board = only(records)
    assert sorted(board.hardware) == ["A", "B"]
    assert "Abacus" in board.hardware["A"] and "Jacquard" in board.hardware["B"]
    a, b = by_name(board)["a"], by_name(board)["b"]
    assert a.costs["B"]["fit_s"].mean == 1.0
    assert a.costs["A"]["fit_s"].mean == 93.0
    assert "B" not in b.costs
    assert b.costs["A"]["fit_s"].best
    assert not a.costs["B"]["fit_s"].best


def test_shared_timings_are_marked_and_never_best(fabricate: Fabricate) -> None:
    timing = {"shared": True}
    records = [
        fabricate(m, seed=s, timing={"fit_s": t + s, **timing})
        for m, t in (("a", 1), ("b", 90))
        for s in (0, 1, 2)
    ]
    board = only(records)
    assert board.rows[0].marks == ["shared timings"]
    assert not any(c.best for row in board.rows for c in row.costs["A"].values())


def test_a_row_at_the_prior_says_so(fabricate: Fabricate) -> None:
    """By the interval of the difference on the same samples, in the direction of the primary metric."""
    records = [
        fabricate("prior", 0.5, model={"name": "prior"}),
        *(fabricate(name, accuracy) for name, accuracy in (("worse", 0.3), ("same", 0.5), ("good", 0.9))),
    ]
    for primary in ("hf1_samples", "tree_path_distance"):
        board = only(records, {"suite": {"name": "smoke", "primary": primary}})
        marks = {row.model: row.marks for row in board.rows}
        at_prior = ["no better than prior"]
        assert marks == {"good": [], "same": at_prior, "worse": at_prior, "prior": []}
    board = only(records[1:])
    assert not any(row.marks for row in board.rows)


def test_a_network_that_was_still_improving_says_so(fabricate: Fabricate) -> None:
    board = only([fabricate("a", model={"improving_at_end": True}), fabricate("b")])
    assert {row.model: row.marks for row in board.rows} == {"a": ["stopped while improving"], "b": []}


def test_marks_parameters_and_memory(fabricate: Fabricate) -> None:
    facts = {"transductive": True, "pretrained": True, "parameters": 1234, "multiply_adds": None}
    board = only([fabricate("a", model=facts, memory={"peak_device_mb": 0})])
    row = board.rows[0]
    assert row.marks == ["transductive", "pretrained"]
    assert row.costs["A"]["parameters"].mean == 1234
    shown = [column.id for column in board.cost_columns]
    assert "peak_private_mb" in shown
    assert not {"peak_device_mb", "multiply_adds"} & set(shown)


def test_old_records_show_what_they_have_under_its_name_and_a_dash_for_the_rest(fabricate: Fabricate) -> None:
    """They left out cached features, and "own memory" held the pages of the fork server."""
    times = {"total_s": 3.0, "latency_p50_ms": 1.5, "latency_p95_ms": 2.0, "throughput_per_s": 900.0}
    cached = fabricate("a", timing={**times, "featurize_s": 0.001, "fit_s": 2.0, "views_cached": True})
    paid = fabricate("b", timing={**times, "featurize_s": 7.0, "fit_s": 2.0, "views_cached": False})
    for record in (cached, paid):
        record.data["memory"] = {"peak_anon_mb": 416.0, "peak_rss_mb": 500.0}
    board = only([cached, paid])
    costs = {row.model: {i: c.mean for i, c in row.costs["A"].items()} for row in board.rows}
    assert [c.id for c in board.cost_columns] == [
        "fit_s", "as_run_s", "predict_p50_ms", "peak_rss_mb"
    ]  # fmt: skip
    assert costs["a"]["as_run_s"] == 3.0
    assert costs["a"]["predict_p50_ms"] == 1.5


def test_new_records_show_the_whole_cost_of_a_cell(fabricate: Fabricate) -> None:
    times = {"total_s": 30.0, "elapsed_s": 3.0, "featurize_s": 27.0, "featurize_cpu_s": 50.0}
    speed = {"latency_calls": 20, "latency_p50_ms": 4.0, "predict_p50_ms": 1.0, "throughput_per_s": 300.0}
    board = only([fabricate("a", timing={"views_cached": True, **times, **speed})])
    shown = {name: cell.mean for name, cell in board.rows[0].costs["A"].items() if cell.mean is not None}
    assert shown["total_s"] == 30.0
    assert shown["featurize_s"] == 27.0
    assert shown["latency_p50_ms"] == 4.0
    assert not {"latency_p95_ms", "as_run_s"} & set(shown), "20 calls are too few for a 95th percentile"


def test_mixtures_are_flagged(fabricate: Fabricate) -> None:
    board = only([fabricate("a"), fabricate("b", git="def", versions={"numpy": "2.1", "torch": "3"})])
    assert board.notes == [
        "mixed code revisions: abc123 (1 cell), def (1 cell)",
        "mixed versions of numpy: 2.0 (1 cell), 2.1 (1 cell)",
    ]


def test_what_failed_is_said(fabricate: Fabricate) -> None:
    ruled = {"map": {"version": "1", "failure": "ValueError: b"}}
    ruled["isotonic"] = {"version": "1", "makes": "scores", "params": {}, "metrics": {}}
    ruled["isotonic"]["metric_failures"] = {"test": {"worst": "KeyError: c"}}
    board = only(
        [
            fabricate("a", metric_failures={"test": {"mine": "ValueError: a"}}, rules=ruled),
            fabricate("b", metric_failures={"test": {"mine": "TypeError: z", "mine_raw": "TypeError: z"}}),
            fabricate("c", metric_failures={"test": {"mine": "TypeError: z"}, "validation": {"other": "x"}}),
        ]
    )
    assert board.notes == [
        "metric mine failed in 3 of 3 cells: TypeError: z",
        "rule map failed in 1 of 3 cells: ValueError: b",
        "metric worst under rule isotonic failed in 1 of 3 cells: KeyError: c",
        "metric other failed on validation in 1 of 3 cells: x",
    ]


def shifts_with(*labels: str, **failed: str) -> dict[str, Any]:
    """The part of a record whose metrics failed under shifts."""
    block = {"version": "1", "unit": "", "severities": [1.0, 2.0], "metrics": [{}, {}]}
    return {"of": {label: {**block, "metric_failures": {"2": failed}} for label in labels}}


def test_what_failed_under_shifts_alone_is_said(fabricate: Fabricate) -> None:
    one, two, many = (("blur",), ("noise", "blur"), tuple("abcd"))
    board = only(
        [
            fabricate("a", shifts=shifts_with(*one, level1_mine="ValueError: a", level2_mine_raw="x")),
            fabricate("b", shifts=shifts_with(*two, mine="KeyError: b")),
            fabricate("c", shifts=shifts_with(*many, mine="KeyError: c")),
            fabricate(
                "d",
                shifts=shifts_with(*one, other="x"),
                metric_failures={"test": {"other_raw": "TypeError: d"}},
            ),
        ]
    )
    assert set(board.notes) == {
        "metric level{k}_mine under shift blur failed in 1 of 4 cells: ValueError: a",
        "metric mine under shifts blur, noise failed in 1 of 4 cells: KeyError: b",
        "metric mine under 4 shifts failed in 1 of 4 cells: KeyError: c",
        "metric other failed in 1 of 4 cells: TypeError: d",
    }


def test_few_failures_are_listed(fabricate: Fabricate) -> None:
    levels = {f"level{level}_mine": "ValueError: a" for level in range(1, 12)}
    notes = only([fabricate("a", metric_failures={"test": levels})]).notes
    assert notes == ["metric level{k}_mine failed in 1 of 1 cells: ValueError: a"]
    others = {f"mine_{letter}": "ValueError: a" for letter in "abcdefg"}
    notes = only([fabricate("a", metric_failures={"test": others})]).notes
    assert len(notes) == 6 and notes[-1] == "further failures: 2, see the records"


def test_classes_that_failed_are_counted_and_leave_room_for_others(fabricate: Fabricate) -> None:
    outside = "returned 2.0, outside [0, 1]"
    many = {f"class_mine{raw}[{i}/x_raw]": outside for i in range(300) for raw in ("", "_raw")}
    failed = {**many, "class_other[a/b]": outside, "class_third": "x", "class_third[a]": "x", "worst": "y"}
    notes = only([fabricate("a", metric_failures={"test": failed})]).notes
    assert notes == [
        f"metric class_mine (300 classes) failed in 1 of 1 cells: {outside}",
        f"metric class_other[a/b] failed in 1 of 1 cells: {outside}",
        "metric class_third failed in 1 of 1 cells: x",
        "metric worst failed in 1 of 1 cells: y",
    ]
    cells = [
        fabricate("b", dataset={"task": "regression"}, metrics={"test": {"r2": 0.5}}, metric_failures=part)
        for part in ({"test": {"mae[a]": "x"}}, {"validation": {"mae[b]": "x"}})
    ]
    assert failed_metrics(cells) == ["metric mae (2 targets) failed in 2 of 2 cells: x"]


def test_classes_that_failed_under_shifts_are_counted_too(fabricate: Fabricate) -> None:
    failed = {f"class_mine_raw[{i}]": "x" for i in range(3)} | {"level1_class_other[a]": "y"}
    part = shifts_with("blur", "noise", **failed)
    assert failed_metrics([fabricate("a", shifts=part)]) == [
        "metric class_mine (3 classes) under shifts blur, noise failed in 1 of 1 cells: x",
        "metric level{k}_class_other[a] under shifts blur, noise failed in 1 of 1 cells: y",
    ]
    plain = {"test": {"class_mine[0]": "x", "level2_class_other": "y"}}
    assert failed_metrics([fabricate("a", shifts=part, metric_failures=plain)]) == [
        "metric class_mine[0] failed in 1 of 1 cells: x",
        "metric level{k}_class_other failed in 1 of 1 cells: y",
        "metric class_mine (2 classes) under shifts blur, noise failed in 1 of 1 cells: x",
    ]


def test_a_metric_that_failed_under_many_rules_is_one_note(fabricate: Fabricate) -> None:
    def ruled(*labels: str) -> dict[str, Any]:
        block = {"version": "1", "makes": "scores", "params": {}, "metrics": {}}
        failed = {"validation": {"worst": "x"}, "test": {"worst": "x", "mine": "y"}}
        return {label: {**block, "metric_failures": failed} for label in labels}

    plain = {"test": {"mine_raw": "y"}}
    assert failed_metrics([fabricate("a", rules=ruled(*"abcdef"), metric_failures=plain)]) == [
        "metric mine failed in 1 of 1 cells: y",
        "metric worst under 6 rules failed in 1 of 1 cells: x",
    ]
    assert "metric worst under rules a, b failed in 1 of 1 cells: x" in failed_metrics(
        [fabricate("a", rules=ruled("b", "a"))]
    )


def test_what_fails_without_rules_too_is_said_once_of_every_partition(fabricate: Fabricate) -> None:
    """A metric that failed on validation alone was told of rules once more."""

    def ruled(**failed: dict[str, str]) -> dict[str, Any]:
        block = {"version": "1", "makes": "scores", "params": {}, "metrics": {}, "metric_failures": failed}
        return {"map": block}

    on_validation = {"validation": {"worst": "few samples"}}
    note = "metric worst failed on validation in 1 of 1 cells: few samples"
    record = fabricate("a", rules=ruled(**on_validation), metric_failures=on_validation)
    assert failed_metrics([record]) == [note]
    further = ruled(**on_validation, test={"worst": "x"}, shifted={"worst": "y"})
    record = fabricate("a", rules=further, metric_failures={**on_validation, "shifted": {"worst": "y"}})
    assert failed_metrics([record])[1:] == ["metric worst under rule map failed in 1 of 1 cells: x"]
    record = fabricate("a", rules=ruled(**on_validation), metric_failures={"test": {"worst": "z"}})
    assert failed_metrics([record]) == [
        "metric worst failed in 1 of 1 cells: z",
        "metric worst under rule map failed on validation in 1 of 1 cells: few samples",
    ]
    record = fabricate("a", shifts=shifts_with("blur", worst="x"), metric_failures=on_validation)
    assert failed_metrics([record]) == [
        note,
        "metric worst under shift blur failed in 1 of 1 cells: x",
    ]


def test_synthetic_data_are_called_so(fabricate: Fabricate) -> None:
    board = only([fabricate("a", dataset={"synthetic": True})])
    assert board.synthetic
    assert "toy (synthetic data)" in board.title


def test_published_rows_match_only_by_fingerprint(fabricate: Fabricate) -> None:
    row = {
        "model": "P",
        "source": "paper",
        "data": "theirs",
        "metrics": {"hf1_samples": 0.96},
        "note": "rounded",
    }
    info = {"suite": {"name": "smoke"}, "published": [row, row | {"fingerprint": "d" * 64}]}
    board = only([fabricate("a")], info)
    assert [p.same_data for p in board.published] == [False, True]
    assert board.published[0].metrics == {"hf1_samples": 0.96}
    assert "P" not in by_name(board)
    assert only([fabricate("a")], info | {"suite": {"name": "another"}}).published == []


def test_missing_or_strange_predictions_cost_the_interval_only(fabricate: Fabricate) -> None:
    records = [fabricate(m, 0.9) for m in "abcd"]
    (records[1].path / NPZ).unlink()
    (records[2].path / NPZ).write_bytes(b"not a zip file")
    strange = replace(records[3].predictions(), ids=[f"x{i}" for i in range(230)])
    strange.save(records[3].path / NPZ)
    board = only(records)
    assert [row.rank for row in board.rows] == [1, 2, 3, 4]
    assert [row.cells["hf1_samples"].low is None for row in board.rows] == [False, True, True, True]
    assert len(board.notes) == 3
    assert "d: no interval over samples: its test samples are not those of the other rows" in board.notes[2]


def test_without_truth_seeds_alone_speak(fabricate: Fabricate) -> None:
    records = []
    for seed in range(3):
        record = fabricate("a", 0.9, seed=seed)
        replace(record.predictions(), truth=None).save(record.path / NPZ)
        records.append(record)
    board = only(records)
    cell = board.rows[0].cells["hf1_samples"]
    assert cell.low is not None
    assert "no truth is stored" in board.notes[0]


def broken(_evaluation: object) -> float:
    raise RuntimeError("broken metric")


def test_a_metric_that_is_gone_or_broken_costs_nothing_else(fabricate: Fabricate) -> None:
    values = {"test": {"mine": 0.5, "hf1_samples": 0.9, "lost": 0.1}}
    info = {"suite": {"name": "smoke", "primary": "lost", "columns": ["mine", "hf1_samples"]}}
    spec = MetricSpec(name="mine", version="1", summary="", factory=broken)
    board = only([fabricate("a", metrics=values)], info, specs=[*SPECS, spec])
    cells = board.rows[0].cells
    assert cells["mine"].mean == 0.5
    assert cells["mine"].low is None
    assert cells["hf1_samples"].low is not None
    assert "lost is no installed metric" in board.notes[0]


RANKINGS = {
    "suite": {
        "name": "smoke",
        "columns": ["auprc_micro", "auprc_macro", "auprc_weighted", "auroc_macro", "level1_auprc_micro"],
    }
}


def test_rankings_have_intervals_at_any_size(fabricate: Fabricate) -> None:
    hierarchy = Hierarchy.from_edges([("", f"c{i:03}") for i in range(600)])
    rng = np.random.default_rng(0)
    truth = rng.random((700, hierarchy.n)) < 0.02
    scores = (rng.random(truth.shape) + 0.5 * truth).astype(np.float32) / 2
    task = Task("hmc", "multiple", "full", hierarchy)
    wide = Predictions([f"s{i}" for i in range(700)], ["test"] * 700, scores, task, truth)
    board = only([fabricate("a", predictions=wide)], RANKINGS)
    assert scores.size > 400_000
    for name in ("auprc_micro", "auprc_macro", "auprc_weighted"):
        cell = board.rows[0].cells[name]
        assert cell.mean is not None and cell.low is not None and cell.high is not None
        assert cell.mean - 0.05 < cell.low < cell.mean < cell.high < cell.mean + 0.05


def test_rankings_of_folds_rank_all_samples_together(fabricate: Fabricate) -> None:
    kfold = {"kind": "kfold", "folds": 3}
    records = [fabricate("a", 0.7 + f / 10, fold=f, split=kfold, prefix=f"f{f}-") for f in range(3)]
    cells = only(records, RANKINGS).rows[0].cells
    sides = [record.predictions().of_side("test") for record in records]
    truth = np.concatenate([side.truth.toarray() for side in sides])
    whole = Evaluation.of(sides[0].task, truth, np.concatenate([side.scores for side in sides]))
    expected = compute(SPECS, whole, list(RANKINGS["suite"]["columns"]))
    means = {name: cells[name].mean for name in expected}
    assert means == pytest.approx(dict(expected), abs=1e-12)
    of_folds = np.mean([record.data["metrics"]["test"]["auprc_micro"] for record in records])
    assert abs(expected["auprc_micro"] - of_folds) > 1e-4  # which is another number


def test_a_ranking_of_a_plugin_ranks_and_drops_like_the_others(fabricate: Fabricate) -> None:
    mine = PooledMetric(auprc_micro, auprc_micro.counts)
    spec = MetricSpec(name="mine", version="1", summary="", factory=mine, decided=False)
    values = {side: {"mine": 0.5, "auprc_micro": 0.5} for side in SIDES}
    records = [fabricate(m, a, sizes=SIDES, metrics=values) for m, a in (("a", 0.9), ("b", 0.6))]
    of = [
        only(records, {"suite": {"name": "smoke", "primary": name}}, specs=[*SPECS, spec])
        for name in ("mine", "auprc_micro")
    ]
    for name in ("{}", "{}@shifted", "{}@shifted-drop"):
        cells = [[row.cells[name.format(board.primary)] for row in board.rows] for board in of]
        assert cells[0] == cells[1]
        assert all(cell.low is not None for cell in cells[0])


def test_no_metrics_have_no_estimates(fabricate: Fabricate) -> None:
    """Where a board has all columns of the robust table, nothing is kept beside it."""
    analysis = analyse([fabricate("a"), fabricate("b")], {}, specs=SPECS)
    assert estimates_of(analysis, [], specs=SPECS) == {}
    assert set(estimates_of(analysis, ["hf1_micro"], specs=SPECS)) == {"a", "b"}


def test_what_distinguishes_boards_is_found_once_for_each_heading(
    fabricate: Fabricate, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [fabricate("a", split={"train_share": [share]}) for share in (0.25, 0.5, 0.75)]
    boards = build(records)
    calls = []
    found = text.distinctions
    monkeypatch.setattr(text, "distinctions", lambda traits: calls.append(len(traits)) or found(traits))
    names = text.headings(boards)
    assert len(set(names)) == len(names) == 3 and calls == [3]
