"""The rule that a row is shown under is chosen on validation; the tables show all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hmcbench.leaderboard.board import Board
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.compare import compare_models
from hmcbench.leaderboard.grouping import rows
from hmcbench.leaderboard.render.block import with_columns
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.leaderboard.rules_table import under_best_rule
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.rules.scoring import find_rules
from hmcbench.records.record import Record, read_record
from hmcbench.records.rescore import rescore
from hmcbench.registry.registry import default_registry
from hmcbench.report.page import page_of

Fabricate = Callable[..., Record]


def block(validation: float, test: float, makes: str = "sets") -> dict[str, Any]:
    metrics = {"validation": {"hf1_samples": validation}, "test": {"hf1_samples": test}}
    return {"version": "1", "makes": makes, "params": {}, "metrics": metrics, "seconds": 0.1}


def board_of(*records: Record) -> Board:
    (board,) = build([read_record(record.path) for record in records], specs=SPECS)
    return board


def test_the_best_on_validation_is_shown_whatever_test_says(fabricate: Fabricate) -> None:
    plain = {"validation": {"hf1_samples": 0.5}, "test": {"hf1_samples": 0.6, "exact_match": 0.3}}
    rules = {"map": block(0.7, 0.55), "isotonic": block(0.6, 0.9, "scores")}
    board = board_of(fabricate("a", metrics=plain, rules=rules), fabricate("b", 0.5))
    a = next(row for row in board.rows if row.model == "a")
    assert (a.shown, a.rule) == ("a · map", "map")
    assert a.cells["hf1_samples"].mean == 0.55
    (table,) = board.rules
    assert (table.metric, table.rules) == ("hf1_samples", ["isotonic", "map"])
    (line,) = table.rows
    assert (line.model, line.plain, line.values, line.chosen) == ("a", 0.6, [0.9, 0.55], "map")


@pytest.mark.parametrize(
    ("validation", "more"),
    [(0.5, {}), (0.4, {}), (0.9, {"model": {"fitted_on": "train and validation"}})],
)
def test_no_rule_where_none_is_better_or_validation_says_nothing(
    validation: float, more: dict[str, Any], fabricate: Fabricate
) -> None:
    plain = {"validation": {"hf1_samples": 0.5}, "test": {"hf1_samples": 0.6}}
    board = board_of(fabricate("a", metrics=plain, rules={"map": block(validation, 0.9)}, **more))
    assert [row.shown for row in board.rows] == ["a"]
    assert board.rules[0].rows[0].chosen == ""


def test_a_comparison_by_another_metric_is_under_the_rules_of_the_board(fabricate: Fabricate) -> None:
    """The rows were compared without their rules by a metric that is no column."""
    a, b = fabricate("a", 0.6), fabricate("b", 0.5)
    rescore(a.path.parent, rules=find_rules(default_registry(), ["map"]))
    records = [read_record(record.path) for record in (a, b)]
    ruled = records[0].data["rules"]["map"]["metrics"]
    ruled["validation"]["hf1_samples"] = 1.0  # so that the rule is the best one
    names = ["hf1_micro"]
    (shown,) = compare_models(records, "a", "b", SPECS, names=names).boards
    assert shown.metrics[0].a == pytest.approx(ruled["test"]["hf1_micro"])


def test_without_the_column_of_a_table_of_rules_there_is_no_table(fabricate: Fabricate) -> None:
    plain = {"validation": {"hf1_samples": 0.5}, "test": {"hf1_samples": 0.6, "exact_match": 0.3}}
    board = board_of(fabricate("a", metrics=plain, rules={"map": block(0.7, 0.55)}))
    boards = with_columns(Boards([board]), ["exact_match"])
    assert not boards[0].rules and "exact_match" in to_markdown(boards)


def test_only_rules_of_all_cells_count(fabricate: Fabricate) -> None:
    plain = {"validation": {"hf1_samples": 0.5}, "test": {"hf1_samples": 0.6}}
    first = fabricate("a", metrics=plain, rules={"map": block(0.9, 0.9), "max": block(0.6, 0.6)})
    second = fabricate("a", seed=1, metrics=plain, rules={"max": block(0.6, 0.8), "map": {"failure": "no"}})
    board = board_of(first, second)
    assert [row.shown for row in board.rows] == ["a · max"]
    assert board.rules[0].rules == ["max"]


@pytest.mark.parametrize("rule", ["max", "isotonic"])
def test_values_and_intervals_are_those_of_the_rule(rule: str, fabricate: Fabricate) -> None:
    """The parents of what is predicted are too low, which the maximum over descendants repairs."""
    record = fabricate("a", 0.8)
    predictions = record.predictions()
    hierarchy = predictions.task.hierarchy
    assert hierarchy is not None
    scores = predictions.scores.copy()
    top = scores[:, hierarchy.level_classes(1)]
    scores[:, hierarchy.level_classes(1)] = np.where(top > 0.3, 0.02, 0.9)
    replace(predictions, scores=scores).save(record.path / "predictions.npz")
    rescore(record.path, rules=find_rules(default_registry(), ["map", rule]))
    record = read_record(record.path)
    (row,), _ = rows([record])
    ruled = under_best_rule(row, "hf1_samples", SPECS)
    assert ruled.rule == rule
    (shown,) = ruled.ok
    test = shown.predictions().of_side("test")
    names = ["hf1_samples", "exact_match"]
    again = compute(SPECS, Evaluation.of_predictions(test, shown.thresholds), names)
    assert {name: shown.metrics("test")[name] for name in names} == pytest.approx(again)
    assert shown.predictions_digest() != record.predictions_digest()
    cell = board_of(record).rows[0].cells["hf1_samples"]
    assert cell.mean == again["hf1_samples"]
    assert cell.low is not None and cell.high is not None
    assert cell.low < again["hf1_samples"] < cell.high


def test_what_a_rule_changes_without_a_value_is_not_shown(fabricate: Fabricate) -> None:
    names = {"class_f1[a]": 0.1, "class_support[a]": 9.0, "exact_match_raw": 0.2, "auprc_micro": 0.3}
    names |= {"mistake_severity": 1.5, "level1_accuracy": 0.4, "of_no_plugin": 0.7}
    plain = {"validation": {"hf1_samples": 0.5}, "test": {"hf1_samples": 0.6, **names}}
    for makes, expected in (
        ("sets", {"class_support[a]", "exact_match_raw", "auprc_micro"}),
        ("scores", {"class_support[a]"}),
    ):
        record = fabricate("a", metrics=plain, rules={"mine": block(0.9, 0.9, makes)})
        (row,), _ = rows([record])
        (shown,) = under_best_rule(row, "hf1_samples", SPECS).ok
        assert shown.metrics("test").keys() == {"hf1_samples", *expected}


def test_a_rule_that_is_not_installed_has_values_but_no_interval(fabricate: Fabricate) -> None:
    record = fabricate("a", 0.5, rules={"gone": block(0.9, 0.7)})
    board = board_of(record)
    assert board.rows[0].shown == "a · gone"
    assert board.rows[0].cells["hf1_samples"].low is None
    assert any("unknown rule 'gone'" in note for note in board.notes)


def test_a_rule_in_the_head_of_a_table_is_no_markup(fabricate: Fabricate) -> None:
    plain = {"validation": {"hf1_samples": 0.5}, "test": {"hf1_samples": 0.6}}
    records = [fabricate("a", metrics=plain, rules={"mine[x=a|b*c*]": block(0.7, 0.55)})]
    written = to_markdown(Boards([board_of(*records)]))
    assert r"mine\[x=a\|b\*c\*\]" in written and "mine[x=a" not in written


def test_every_format_has_the_tables(fabricate: Fabricate) -> None:
    plain = {"validation": {"hf1_samples": 0.5}, "test": {"hf1_samples": 0.6}}
    boards = Boards([board_of(fabricate("a", metrics=plain, rules={"map": block(0.7, 0.55)}))])
    for written in (to_markdown(boards), page_of(boards)):
        assert "a · map" in written
        assert "by decision rule" in written
    (board,) = json.loads(to_json(boards))["boards"]
    assert board["rows"][0]["rule"] == "map"
    assert board["rules"][0]["rows"][0]["values"] == [0.55]
    without = Boards([board_of(fabricate("b", 0.5))])
    (board,) = json.loads(to_json(without))["boards"]
    assert "rules" not in board
    assert "rule" not in board["rows"][0]
