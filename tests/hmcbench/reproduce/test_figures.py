"""Figures of published tables: every row in every panel, a legend that hides nothing, words for columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing

from hmcbench.report.figures import style
from hmcbench.reproduce import figures
from hmcbench.reproduce.tables import Figure


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Drawing]:
    """Drawings in the order in which they are saved."""
    drawings: list[Drawing] = []

    def keep(drawing: Drawing, path: Path) -> Path:
        drawing.draw_without_rendering()
        drawings.append(drawing)
        return path

    monkeypatch.setattr(style, "save", keep)
    return drawings


def figure(kind: str, **more: object) -> Figure:
    return Figure(number="8", kind=kind, rows=("a", "b"), title="title", **more)  # type: ignore[arg-type]


def test_relative_errors_have_the_whole_width_each(drawn: list[Drawing], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    series = {f"target {k}": {name: rng.normal(size=120) for name in "abcd"} for k in range(4)}
    figures._draw(figure("relative-error"), series, tmp_path / "f.png")
    (drawing,) = drawn
    assert [len(ax.lines) for ax in drawing.axes] == [5] * 4  # four rows and the zero
    assert len({round(ax.get_position().x0, 3) for ax in drawing.axes}) == 1
    assert (
        len({line.get_marker() for line in drawing.axes[0].lines[:4]}) == 4
    )  # not told apart by colour alone
    legend = drawing.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == list("abcd")
    box = legend.get_window_extent()
    assert not any(box.overlaps(ax.get_window_extent()) for ax in drawing.axes)


def test_columns_of_a_history_are_told_in_words(drawn: list[Drawing], tmp_path: Path) -> None:
    series = {name: {"a": np.array([1.0, 0.1])} for name in ("train_loss", "valid_loss", "other")}
    figures._draw(figure("history"), series, tmp_path / "f.png")
    titles = [ax.get_title() for ax in drawn[0].axes if ax.get_visible()]
    assert titles == ["training samples", "validation samples", "other"]
    assert {ax.get_ylabel() for ax in drawn[0].axes if ax.get_visible()} == {"loss"}
