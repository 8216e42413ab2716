"""The table of a board: means under shift, drops and their intervals, and where the order changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from hmcbench.leaderboard import shift_draws as drawing
from hmcbench.leaderboard import shifts
from hmcbench.leaderboard.board import Board, ShiftsTable
from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.draws import DrawCache
from hmcbench.leaderboard.render.console import print_console
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.leaderboard.shift_draws import shift_draws
from hmcbench.leaderboard.shift_estimates import steps_of
from hmcbench.leaderboard.statistics import Bootstrap
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import sample_stats
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.ids import find_spec
from hmcbench.records.record import Record, read_record
from hmcbench.records.shifts import stored_shifts, under_shift
from hmcbench.report.page import page_of


def board_of(records: Sequence[Record]) -> tuple[Board, ShiftsTable]:
    (board,) = build(records, specs=SPECS)
    assert board.shifts is not None
    return board, board.shifts


def test_a_board_without_shifts_has_no_table(fabricate: Callable[..., Record]) -> None:
    boards = build([fabricate("a")], specs=SPECS)
    assert boards[0].shifts is None
    assert '"shifts"' not in to_json(boards) and "under shift" not in to_markdown(boards)


def test_values_are_means_over_severities_and_cells(fabricate: Any, shift: Any) -> None:
    records = [shift(fabricate("a", 0.8, seed=seed), 0.9) for seed in (0, 1)]
    _, table = board_of(records)
    assert (table.metric, table.shifts, table.units) == ("hf1_samples", ["blur", "noise"], ["parts", "parts"])
    assert table.severities == [[0.5, 1.0], [0.5, 1.0]]
    (row,) = table.rows
    recorded = np.array(
        [
            [
                [values["hf1_samples"] for values in record.part("shifts")["of"][name]["metrics"]]
                for name in table.shifts
            ]
            for record in records
        ]
    )
    assert np.allclose(row.values, recorded.mean(axis=0))
    assert row.mean.mean == pytest.approx(recorded.mean())
    assert row.plain == pytest.approx(np.mean([record.metrics("test")["hf1_samples"] for record in records]))
    assert row.drop.mean == pytest.approx(row.plain - row.mean.mean)
    assert row.mean.low < row.mean.mean < row.mean.high and row.drop.low > 0


def draws_of(record: Record, seen: Any, places: Sequence[int]) -> tuple[float, np.ndarray]:
    """The slow way: value and draws of predictions of some test samples, a draw at a time."""
    n = len(record.predictions().of_side("test"))
    evaluation = Evaluation.of_predictions(seen, record.thresholds)
    pair = sample_stats(find_spec(SPECS, "hf1_samples"), evaluation, "hf1_samples")
    assert pair is not None
    stats, reduce = pair
    weights = Bootstrap(n).weights.astype(float)
    return float(reduce(stats.sum(axis=0))), np.array([reduce(w[places] @ stats) for w in weights])


@pytest.mark.parametrize(
    "seen", [None, {"noise": range(0, 60, 3)}, {"noise": range(40), "blur": range(20, 60)}]
)
def test_draws_are_those_of_the_samples(fabricate: Any, shift: Any, seen: Any) -> None:
    """Every point by itself on the samples that see it, then the means."""
    record = shift(fabricate("a", 0.8), 0.9, seen=seen)
    predictions, spec = record.predictions(), find_spec(SPECS, "hf1_samples")
    test = predictions.of_side("test")
    before, after = [], []
    for point, shifted in stored_shifts(record, predictions).items():
        places = list((seen or {}).get(point.shift, range(len(test))))
        after.append(draws_of(record, under_shift(predictions, shifted).of_side("test"), places))
        before.append(draws_of(record, test.take(np.array(places)), places))
    plain, mean = (np.mean([draws for _, draws in part], axis=0) for part in (before, after))
    drawn = shift_draws([record], steps_of([record], "hf1_samples"), "hf1_samples", spec, None)
    assert drawn is not None
    assert drawn.columns["plain"] == pytest.approx(plain) and drawn.columns["mean"] == pytest.approx(mean)
    assert drawn.columns["drop"] == pytest.approx(plain - mean)
    assert drawn.points["plain"] == pytest.approx([np.mean([value for value, _ in before])])
    _, table = board_of([record])
    (row,) = table.rows
    assert row.plain == pytest.approx(np.mean([value for value, _ in before]))
    assert row.mean.mean == pytest.approx(np.mean([value for value, _ in after]))
    assert row.before == pytest.approx([np.mean([value for value, _ in before[i : i + 2]]) for i in (2, 0)])
    everyone = len(test) if not seen or len(seen) < 2 else 60
    assert drawn.basis["mean"].units == everyone


def test_a_board_says_how_many_samples_see_a_shift(fabricate: Any, shift: Any) -> None:
    seen = {"noise": range(10), "blur": range(5, 15)}
    board, table = board_of([shift(fabricate("a", 0.8), 0.9, seen=seen)])
    assert table.samples == [10, 10]
    sentence = 'Every shift is seen by 10 test samples, drawn for it; "without" is of the same samples.'
    assert sentence in shifts.words(table) and sentence in to_markdown(Boards([board], []))


def test_draws_come_from_the_cache(
    fabricate: Any, shift: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = shift(fabricate("a", 0.8), 0.9)
    cache = DrawCache(tmp_path / "draws")
    cache.folder.mkdir()
    first = build([record], specs=SPECS, cache=cache)[0].shifts
    with monkeypatch.context() as patched:
        patched.setattr(drawing, "_drawn", lambda *_: pytest.fail("drawn again"))
        assert build([record], specs=SPECS, cache=cache)[0].shifts == first
    shift(record, 0.5)  # another file
    changed = read_record(record.path)
    again = build([changed], specs=SPECS, cache=cache)[0].shifts
    assert again is not None and first is not None and again.rows[0].mean != first.rows[0].mean


def test_folds_are_pooled(fabricate: Any, shift: Any) -> None:
    folds = [shift(fabricate("a", 0.8, fold=fold, prefix=f"f{fold}-"), 0.9) for fold in range(3)]
    _, table = board_of(folds)
    (row,) = table.rows
    assert row.mean.low < row.mean.mean < row.mean.high


def test_a_row_that_lacks_a_shift_has_no_mean(fabricate: Any, shift: Any) -> None:
    records = [shift(fabricate("a", 0.9), 0.9), shift(fabricate("b", 0.8), 0.9, ["noise"])]
    board, table = board_of([*records, fabricate("c", 0.7)])
    whole, lacking = table.rows
    assert (whole.model, lacking.model) == ("a", "b")
    assert lacking.mean.mean is None and lacking.values[0] == [None, None] and lacking.values[1][0] > 0
    assert shifts.lines(board, table)[1][2:5] == ["-", "-", "-"]


def test_a_change_of_order_is_told_with_what_is_clear(fabricate: Any, shift: Any) -> None:
    records = [
        shift(fabricate(name, accuracy, seed=seed, model={"deterministic": False}), size)
        for name, accuracy, size in (("brittle", 0.95, 0.95), ("tough", 0.75, 0.0))
        for seed in (0, 1)
    ]
    _, table = board_of(records)
    assert [row.model for row in table.rows] == ["tough", "brittle"]
    (sentence,) = table.order
    assert sentence.startswith("brittle is ahead of tough without a shift (+")
    assert sentence.endswith("both differences are clear on these samples.")
    once = board_of([r for r in records if r.seed == 0])[1].order[0]
    assert once.endswith("clear on these samples, of models that were trained once.")
    assert board_of([records[0]])[1].order == []


def test_unread_shifts_stand_in_parentheses(fabricate: Any, shift: Any) -> None:
    record = shift(fabricate("a", 0.9), 0.0)
    for block in record.data["shifts"]["of"].values():
        block["unread"] = True
    board, table = board_of([record])
    assert shifts.lines(board, table)[0][4].startswith("(0.")
    assert shifts.words(table)[-1] == shifts.UNREAD


def test_missing_predictions_leave_means_without_interval(fabricate: Any, shift: Any) -> None:
    record = shift(fabricate("a", 0.8), 0.9)
    (record.path / "shifts.npz").unlink()
    (row,) = board_of([record])[1].rows
    assert row.mean.mean is not None and row.mean.low is None


def test_every_format_shows_it(fabricate: Any, shift: Any) -> None:
    boards = build([shift(fabricate("a", 0.8), 0.9), shift(fabricate("b", 0.7), 0.9)], specs=SPECS)
    terminal = Console(file=StringIO(), width=160)
    print_console(boards, terminal)
    for text in (to_markdown(boards), page_of(boards), terminal.file.getvalue()):
        assert "hf1_samples under shifts" in text
    assert '"shifts"' in to_json(boards)
