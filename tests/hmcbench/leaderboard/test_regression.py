"""Boards of regressions: which metrics are compared, and that errors are shown in the unit of the target."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hmcbench
from hmcbench.leaderboard import shifts
from hmcbench.leaderboard.build import analyse, build, main_metrics
from hmcbench.leaderboard.columns import metric_column, metric_spec
from hmcbench.leaderboard.compare import Comparison, compare_models
from hmcbench.leaderboard.grouping import groups
from hmcbench.leaderboard.learning import curves, table
from hmcbench.leaderboard.render.block import with_columns
from hmcbench.leaderboard.render.compared import compared_text
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.render.text import (
    difference_lines,
    estimate_text,
    published_table,
    verdict_lines,
)
from hmcbench.metrics.builtin import SPECS
from hmcbench.records.record import Record
from hmcbench.registry.registry import default_registry
from hmcbench.report.card import cards

FabricateNumbers = Callable[..., Record]
SIDES = ("validation", "test", "shifted")
SMALL, LARGE = r"\d(?:\.\d+)?e-\d+", r"\d+(?:,\d{3})?"
UNITS = ((1e-4, SMALL), (1e5, LARGE))
"""Units of targets, and errors of a hundredth of them as text, without the sign."""


def pair(fabricate_numbers: FabricateNumbers, **more: Any) -> list[Record]:
    return [fabricate_numbers("a", 0.2, **more), fabricate_numbers("b", 0.3, **more)]


def suite(**keys: Any) -> dict[str, Any]:
    return {"suite": {"name": "smoke", **keys}}


def compared(records: list[Record], *columns: str) -> tuple[Comparison, str]:
    found = compare_models(records, "a", "b", SPECS, info=suite(columns=list(columns)))
    (board,) = found.boards
    return board, compared_text([found], {"a": ["smoke"], "b": ["smoke"]})


def test_errors_are_compared_beside_a_single_score(fabricate_numbers: FabricateNumbers) -> None:
    board, _ = compared(pair(fabricate_numbers), "mae", "rmse", "mape")
    assert [m.metric for m in board.metrics] == ["r2", "mae", "rmse"]
    assert "a is better than b" in board.metrics[1].verdict  # a lower error


def test_the_metric_that_ranks_is_compared_whatever_its_unit(fabricate_numbers: FabricateNumbers) -> None:
    board, _ = compared(pair(fabricate_numbers, primary="rmse"), "mae", "r2", "target_r2[x]")
    assert [m.metric for m in board.metrics] == ["rmse", "r2", "target_r2[x]"]


def test_main_metrics_keep_the_order_of_the_board() -> None:
    def main(*names: str) -> list[str]:
        return [c.id for c in main_metrics([metric_column(n, n, metric_spec(SPECS, n)) for n in names])]

    assert main("hf1_samples", "tree_path_distance", "hf1_macro", "exact_match", "hf1_micro") == [
        "hf1_samples",
        "hf1_macro",
        "exact_match",
    ]
    assert main("mae", "r2", "rmse") == ["mae", "r2", "rmse"]
    assert main() == []


def test_small_and_large_units_keep_three_digits(fabricate_numbers: FabricateNumbers) -> None:
    """Three decimals would show an error of 0.0001 as 0.000, and one of 1,234 as 1234.000."""
    for unit, shown in ((1e-4, "e-0"), (1e5, ",")):
        records = pair(fabricate_numbers, unit=unit, primary="mae")
        board, text = compared(records)
        line = next(line for line in text.splitlines() if line.split()[:1] == ["mae"])
        assert line.count(shown) >= 5, line  # two values, their difference, its interval
        (on_board,) = build(records)
        choice = dict(on_board.facts)["chosen on validation"]
        assert choice.count(shown) == 2, choice
        assert "0.000" not in line + choice and ".000" not in choice
        assert board.metrics[0].style == "number"


def test_what_cannot_be_seen_is_said_of_one_metric(fabricate_numbers: FabricateNumbers) -> None:
    """The least over metrics of several units would be of none of them."""
    records = [
        fabricate_numbers(name, 0.3, pattern=i, unit=500.0, primary="rmse") for i, name in enumerate("ab")
    ]
    board, _ = compared(records)
    (unseen,) = (line for line in board.caveats if "cannot be seen" in line)
    low, high = board.metrics[0].difference.low, board.metrics[0].difference.high
    assert low is not None and high is not None
    assert f"a difference in rmse below about {(high - low) / 2:.3g} cannot be seen" in unseen


def test_paired_differences_show_errors_in_their_unit(fabricate_numbers: FabricateNumbers) -> None:
    records = pair(fabricate_numbers, unit=1e-4)
    (board,) = build(records, suite(reference="b"))
    assert [line.metric for line in board.differences] == ["r2", "rmse", "mae"]
    assert [cells[2].count("e-0") for cells in difference_lines(board)] == [0, 1, 1]


def test_paired_differences_are_of_the_metrics_of_compare(fabricate_numbers: FabricateNumbers) -> None:
    """Of r2, rmse, mae and a further test set, its r2 took the place of mae."""
    records = pair(fabricate_numbers, sides=SIDES)
    (board,) = build(records, suite(reference="b"))
    assert "r2@shifted" in [column.id for column in board.columns]
    comparison, _ = compared(records)
    assert [line.metric for line in board.differences] == [m.metric for m in comparison.metrics]
    assert [line.metric for line in board.differences] == ["r2", "rmse", "mae"]


@pytest.mark.parametrize(("unit", "digits"), UNITS)
def test_drops_are_shown_in_the_unit(fabricate_numbers: FabricateNumbers, unit: float, digits: str) -> None:
    record = fabricate_numbers("a", 0.2, sides=SIDES, unit=unit, primary="rmse")
    (board,) = build([record])
    column = next(column for column in board.columns if column.id == "rmse@shifted-drop")
    text = estimate_text(board.rows[0].cells[column.id], column.style)
    assert re.fullmatch(rf"[+-]{digits} \[-{digits}, \+{digits}\]", text), text
    (card,) = cards([record], None, "a", default_registry())
    assert ["drop on shifted", text] in next(s.rows for s in card.sections if s.title == "How it breaks")


@pytest.mark.parametrize(("unit", "digits"), UNITS)
def test_changes_of_order_are_told_in_the_unit(
    fabricate_numbers: FabricateNumbers, shift: Callable[..., Record], unit: float, digits: str
) -> None:
    records = [
        shift(fabricate_numbers(name, error, unit=unit, primary="rmse"), size, unit=unit, metrics=["rmse"])
        for name, error, size in (("brittle", 0.2, 0.9), ("tough", 0.3, 0.0))
    ]
    (board,) = build(records, specs=SPECS)
    assert board.shifts is not None
    (told,) = board.shifts.order
    start = (
        rf"brittle is ahead of tough without a shift \(-{digits}\) and behind under shifts \(\+{digits}\);"
    )
    assert re.match(start, told), told
    _tough, brittle = shifts.lines(board, board.shifts)
    assert re.fullmatch(rf"\+{digits} \[\+{digits}, \+{digits}\]", brittle[3]), brittle


@pytest.mark.parametrize(("unit", "digits"), UNITS)
def test_published_errors_and_verdicts_are_in_the_unit(
    fabricate_numbers: FabricateNumbers, unit: float, digits: str
) -> None:
    records = [fabricate_numbers("a", 0.2, unit=unit, pattern=seed, seed=seed) for seed in range(3)]
    paper = {"model": "theirs", "measured": "a", "metrics": {"rmse": 0.512 * unit, "r2": 0.8}}
    (board,) = build(records, suite() | {"published": [{**paper, "fingerprint": "d" * 64}]})
    head, lines = published_table(board, same_data=True)
    shown = dict(zip(head, lines[0], strict=True))
    assert shown["rmse"] == f"{0.512 * unit:,.10g}" and shown["r2"] == "0.8000"
    (line,) = verdict_lines(board)
    assert re.fullmatch(rf"rmse {digits}, r2 0\.\d{{3}}", line[3]), line[3]
    assert re.search(rf"rmse [\d.,e-]+ is outside \[{digits}, {digits}\]", line[5]), line[5]


@pytest.mark.parametrize(("unit", "digits"), UNITS)
def test_published_errors_that_are_no_column_are_in_the_unit(
    fabricate_numbers: FabricateNumbers, unit: float, digits: str
) -> None:
    records = [fabricate_numbers("a", 0.2, unit=unit, pattern=seed, seed=seed) for seed in range(3)]
    paper = {"model": "theirs", "measured": "a", "metrics": {"mae": 0.512 * unit, "target_r2[x]": 0.8}}
    boards = build(
        records, suite(columns=["rmse"]) | {"published": [{**paper, "fingerprint": "d" * 64}]}, specs=SPECS
    )
    for board in (boards[0], with_columns(boards, ["r2"])[0]):
        assert not {"mae", "target_r2[x]"} & {column.id for column in board.columns}
        head, lines = published_table(board, same_data=True)
        shown = dict(zip(head, lines[0], strict=True))
        assert shown["mae"] == f"{0.512 * unit:,.10g}" and shown["target_r2[x]"] == "0.8000"
        (line,) = verdict_lines(board)
        assert re.fullmatch(rf"mae {digits}, target_r2\[x\] 0\.\d{{3}}", line[3]), line[3]
    (told,) = json.loads(to_json(boards))["boards"][0]["published"]
    assert told["metrics"] == paper["metrics"] and "styles" not in told


def test_a_notebook_shows_errors_in_their_unit(fabricate_numbers: FabricateNumbers, tmp_path: Path) -> None:
    pair(fabricate_numbers, unit=1e-4, primary="rmse")
    table_of_board = hmcbench.load(tmp_path / "runs")._repr_html_()
    assert re.search(rf"<td>{SMALL} \[{SMALL}, {SMALL}\]\s*</td>", table_of_board), table_of_board


def test_shares_of_the_training_samples_show_errors_in_their_unit(
    fabricate_numbers: FabricateNumbers,
) -> None:
    records = [
        fabricate_numbers(
            "a",
            error,
            unit=1e-4,
            primary="mae",
            split={
                "train_share": [share],
                "fingerprint": f"{share:0>64}",
                "counts": {"train": int(600 * share)},
            },
        )
        for share, error in ((0.1, 0.4), (0.5, 0.2))
    ]
    (curve,) = curves([(group, analyse(group, {}, specs=SPECS)) for group in groups(records)])
    _, rows = table(curve)
    assert curve.style == "number" and all("e-0" in cell for cell in rows[0][1:])


@pytest.mark.parametrize(
    ("metric", "style"),
    [("r2", "score"), ("target_r2[x]", "score"), ("r2_undefined", "number"), ("target_mae[x]", "number")],
)
def test_a_share_of_variance_is_a_score_and_an_error_a_number(metric: str, style: str) -> None:
    assert metric_column(metric, metric, metric_spec(SPECS, metric)).style == style
