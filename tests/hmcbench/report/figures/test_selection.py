"""Risk against information: a line per model, and one figure per board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hmcbench.report.figures.selection import draw_risks, risk_figure, risk_lines
from hmcbench.report.figures.style import styled

SIZES = {"validation": 30, "calibration": 60, "test": 80}


def test_lines_end_where_all_is_answered(fabricate: Any) -> None:
    records = [
        fabricate("good", 0.9, sizes=SIZES),
        fabricate("poor", 0.5, sizes=SIZES),
        fabricate("none", 0.7),
    ]
    lines = risk_lines(records)
    assert set(lines) == {"good", "poor", "none"}
    for record in records:
        (coverage, risk), point = lines[record.label]
        assert (coverage[0], risk[0], coverage[-1]) == (0, 0, pytest.approx(1))
        assert risk[-1] == pytest.approx(1 - record.metrics("test")["exact_match"])
        if record.label == "none":
            assert point is None
        else:
            names = ("backoff_coverage", "backoff_risk")
            assert point == pytest.approx(tuple(record.metrics("test")[name] for name in names))
    with styled():
        axes = risk_figure(lines, "title", 0.05).axes[0]
    labels = [line.get_label() for line in axes.get_lines()]
    assert labels[0] == "good"
    assert labels[-1] == "promised: 0.05"


def test_a_board_of_two_models_is_drawn_and_one_alone_is_not(fabricate: Any, tmp_path: Path) -> None:
    first = fabricate("good", 0.9, sizes=SIZES)
    assert draw_risks([first], tmp_path / "one") == []
    (path,) = draw_risks([first, fabricate("poor", 0.5, sizes=SIZES)], tmp_path / "two")
    assert path.name.startswith("risk-toy-quick-")
    assert path.stat().st_size > 5000
