"""What is drawn while cells run, in a terminal and in a log file."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from hmcbench.cli import live
from hmcbench.execute.durations import TimeLeft
from hmcbench.records.record import Record


def cell(label: str) -> Any:
    record = {"model": {"params": {"epochs": 4}}}
    return SimpleNamespace(
        key=label,
        dataset="toy",
        label=label,
        pair=("toy", label),
        fold=0,
        seed=0,
        accelerated=False,
        record=record,
    )


def event(kind: str, item: Any, **message: Any) -> Any:
    return SimpleNamespace(kind=kind, job=SimpleNamespace(cell=item), message=message, seconds=61.0)


def record(value: float | None) -> Record:
    data = {
        "status": "failed" if value is None else "ok",
        "suite": {"primary": "hf1_samples"},
        "metrics": {"test": {"hf1_samples": value}},
        "cause": "nan",
        "message": "3 of 5 scores are NaN [bold]",
    }
    return Record(Path(), data)


def play(view: Any, cells: list[Any]) -> None:
    """The first cell ends well, the second fails, the third is in the middle of its training."""
    with view:
        for item in cells[:2]:
            view(event("started", item), None)
            view(event("progress", item, phase="load"), None)
            view(event("ended", item), record(0.8125 if item is cells[0] else None))
        view(event("started", cells[2]), None)
        view(event("progress", cells[2], phase="fit"), None)
        view(event("progress", cells[2], done=1, total=4), None)


def test_the_live_table_shows_states_bars_results_and_the_time_left() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=110, height=40)
    cells = [cell(name) for name in ("good", "bad[x=1]", "running", "waits")]
    play(live.Live(cells, TimeLeft(cells), console), cells)
    last = console.file.getvalue().rpartition("dataset")[2]  # type: ignore[attr-defined]
    text = Console(file=io.StringIO(), width=110)
    from rich.text import Text

    text.print(Text.from_ansi(last))
    shown = text.file.getvalue()  # type: ignore[attr-defined]
    rows = {line.split()[1]: line for line in shown.splitlines() if line.startswith("toy")}
    assert "hf1_samples 0.8125" in rows["good"]
    assert "nan: 3 of 5 scores are NaN [bold]" in rows["bad[x=1]"]
    assert "━━━" in rows["running"]
    assert "1/4" in rows["running"]
    assert "left" in rows["running"]
    assert "waiting" in rows["waits"]
    assert "2 of 4 cells, about" in shown


def test_hundreds_of_cells_do_not_fill_the_screen() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=110, height=60)
    cells = [cell(f"m{i:03}") for i in range(300)]
    view = live.Live(cells, TimeLeft(cells), console)
    with view:
        for item in cells[:150]:
            view(event("started", item), None)
            view(event("ended", item), record(0.5))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    frame = shown.rpartition("dataset")[2]
    assert "m150" in frame
    assert frame.count("toy") == 20


def test_a_log_file_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [cell(name) for name in ("good", "bad[x=1]", "running", "waits")]
    view = live.view(cells, 1)
    assert isinstance(view, live.Lines)
    play(view, cells)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "start  toy x good fold 0 seed 0"
    assert lines[1].startswith("end    toy x good fold 0 seed 0: hf1_samples 0.8125 (1:01; 1 of 4, about ")
    assert "nan: 3 of 5 scores are NaN [bold]" in lines[3]
    assert len(lines) == 5
    assert not any(ord(c) < 32 for line in lines for c in line)


@pytest.mark.parametrize("notebook", [False, True])
def test_a_notebook_gets_lines_though_its_shell_cells_are_terminals(
    monkeypatch: pytest.MonkeyPatch, notebook: bool
) -> None:
    """``!hmcbench run`` in Jupyter runs in a pseudo-terminal, and a cell cannot move its cursor."""
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    if notebook:
        monkeypatch.setenv("JPY_PARENT_PID", "1")
    monkeypatch.setattr(live.sys, "stdout", SimpleNamespace(isatty=lambda: True))
    assert isinstance(live.view([cell("good")], 1), live.Lines if notebook else live.Live)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"task": "hmc", "classes": 7, "levels": 2}, "7 classes on 2 levels"),
        ({"task": "hmc", "classes": 1, "levels": 1}, "1 class on 1 level"),
        ({"task": "regression", "targets": ["fatigue", "hardness"]}, "targets fatigue, hardness"),
        ({"task": "regression", "targets": ["hardness"]}, "target hardness"),
    ],
)
def test_the_plan_speaks_of_classes_or_of_targets(facts: dict[str, Any], text: str) -> None:
    assert live.goal_text(facts) == text
