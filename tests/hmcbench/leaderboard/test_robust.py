"""The robust table: what was measured of a row, from its board and from others of the suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hmcbench.leaderboard import robust
from hmcbench.leaderboard.board import RobustTable
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.selection import curve
from hmcbench.records.record import Record
from hmcbench.report.page import page_of


def table_of(records: Sequence[Record]) -> RobustTable:
    (table,) = [board.robust for board in build(records, specs=SPECS) if board.robust is not None]
    return table


def test_a_board_without_shifts_has_no_robust_view(fabricate: Any) -> None:
    boards = build([fabricate("a")], specs=SPECS)
    assert boards[0].robust is None and '"robust"' not in to_json(boards)


def test_it_shows_quality_risk_and_mean_under_shift(fabricate: Any, shift: Any) -> None:
    record = shift(fabricate("a", 0.8), 0.9)
    table = table_of([record, fabricate("b", 0.7)])
    assert [column.id for column in table.columns][:3] == ["hf1_samples", "risk_at_90", "mean_under_shift"]
    row, other = table.rows
    assert row.cells["hf1_samples"].mean == record.metrics("test")["hf1_samples"]
    test = record.predictions().of_side("test")
    coverage, risk = curve(Evaluation.of_predictions(test, record.thresholds))
    assert row.cells["risk_at_90"].mean == pytest.approx(np.interp(0.9, coverage, risk))
    for name in ("hf1_samples", "risk_at_90", "mean_under_shift"):
        cell = row.cells[name]
        assert cell.low < cell.mean < cell.high, name
    assert "[" in robust.lines(table)[0][2]
    values = [v["hf1_samples"] for b in record.part("shifts")["of"].values() for v in b["metrics"]]
    assert row.cells["mean_under_shift"].mean == pytest.approx(np.mean(values))
    assert "mean_under_shift" not in other.cells and robust.lines(table)[1][3] == "-"


def test_unknown_classes_and_little_data_come_from_the_other_boards(fabricate: Any, shift: Any) -> None:
    def of(key: str, accuracy: float, metrics: Any = None, **split: Any) -> Record:
        changes = {"metrics": {"test": metrics}} if metrics else {}
        places = {**split, "fingerprint": key * 64}
        record: Record = fabricate("a", accuracy, key=key * 64, split=places, **changes)
        return record

    base = shift(fabricate("a", 0.9), 0.5)
    records = [
        base,
        of("1", 0.9, {"unknown_auroc": 0.8, "hf1_samples": 0.5}, unknown=["x"]),
        of("2", 0.9, {"unknown_auroc": 0.6, "hf1_samples": 0.5}, unknown=["y"]),
        of("3", 0.6, train_share=[0.1]),
        of("4", 0.7, train_share=[0.3]),
    ]
    table = table_of(records)
    (row,) = table.rows
    assert row.cells["unknown_auroc"].mean == pytest.approx(0.7)
    assert row.cells["little_data"].mean == records[3].metrics("test")["hf1_samples"]
    assert "hf1_samples with 10 % of the data" in [column.title for column in table.columns]


def test_unknown_classes_have_an_interval(fabricate: Any, shift: Any) -> None:
    def of(key: str, step: int, **more: Any) -> Record:
        predictions = fabricate("base", 0.8, key=key * 64, **more).predictions()
        split = {"unknown": [key], "fingerprint": key * 64}
        unknown = np.arange(len(predictions.ids)) % step == 0
        predictions = replace(predictions, unknown=unknown)
        record: Record = fabricate("a", predictions=predictions, key=key * 64, split=split)
        return record

    base, first = shift(fabricate("a", 0.9), 0.5), of("1", 5)
    alone = table_of([base, first]).rows[0].cells["unknown_auroc"]
    assert alone.low < alone.mean < alone.high
    second = of("2", 3)
    other = table_of([base, second]).rows[0].cells["unknown_auroc"]
    cell = table_of([base, first, second]).rows[0].cells["unknown_auroc"]
    assert cell.mean == pytest.approx(np.mean([r.metrics("test")["unknown_auroc"] for r in (first, second)]))
    assert (cell.low, cell.high) == pytest.approx(
        ((alone.low + other.low) / 2, (alone.high + other.high) / 2)
    )
    (second.path / "predictions.npz").unlink()
    cell = table_of([base, first, second]).rows[0].cells["unknown_auroc"]
    assert cell.mean is not None and cell.low is None


def test_standings_go_from_the_worst_to_the_best(fabricate: Any, shift: Any) -> None:
    table = table_of([shift(fabricate(name, accuracy), 0.5) for name, accuracy in (("a", 0.9), ("b", 0.6))])
    best, worst = (robust.standings(table, row) for row in table.rows)
    assert best[:2] == [1.0, 1.0] and worst[:2] == [0.0, 0.0], "a lower risk is better"


def test_every_format_shows_it_and_the_page_a_plot_per_row(fabricate: Any, shift: Any) -> None:
    boards = build([shift(fabricate("a", 0.8), 0.9), shift(fabricate("b", 0.7), 0.9)], specs=SPECS)
    page = page_of(boards)
    assert robust.HEADING in to_markdown(boards) and robust.HEADING in page
    assert page.count("risk at 90 % coverage</title>") == 2
    assert '"robust"' in to_json(boards)
