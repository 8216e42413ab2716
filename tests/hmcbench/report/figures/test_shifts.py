"""``hmcbench figures --shifts``: a panel per shift, a line per model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hmcbench.leaderboard.build import build
from hmcbench.metrics.builtin import SPECS
from hmcbench.report.figures.shifts import shifts_figure


def test_a_line_begins_at_the_unshifted_value(fabricate: Any, shift: Any) -> None:
    records = [shift(fabricate("a", 0.9), 0.5), shift(fabricate("b", 0.7), 0.9, ["noise"])]
    (board,) = build(records, specs=SPECS)
    assert board.shifts is not None
    blur, noise = shifts_figure(board, board.shifts).axes[:2]
    assert [blur.get_title(), noise.get_title()] == ["blur", "noise"]
    assert [tick.get_text() for tick in noise.get_xticklabels()] == ["0", "0.5", "1"]
    row = board.shifts.rows[0]
    assert list(noise.get_lines()[0].get_ydata()) == [row.plain, *row.values[1]]
    assert len(blur.get_lines()[1].get_ydata()) == 1, "without this shift: the unshifted value alone"


def test_the_command_draws_boards_with_shifts_only(
    fabricate: Any, shift: Any, cli: Callable[..., Any], tmp_path: Path
) -> None:
    record = fabricate("a", 0.9)
    runs = record.path.parents[1]
    refused = cli("figures", runs, "--shifts")
    assert refused.status == 2 and "no predictions under shifts" in refused.err
    shift(record, 0.5)
    ended = cli("figures", runs, "--shifts", "--output", tmp_path / "drawn")
    (path,) = (tmp_path / "drawn").iterdir()
    assert ended.status == 0 and str(path) in ended.out and path.stat().st_size > 5000
