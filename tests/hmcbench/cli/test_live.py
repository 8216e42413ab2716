"""What is drawn while cells run, in a terminal and in a log file."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from hmcbench.cli import live
from hmcbench.execute.durations import TimeLeft, cheapest_first
from hmcbench.records.record import Record

MESSAGE = "3 of 5 scores are NaN [bold] in the second block of a network that was made for other images"


def cell(label: str, dataset: str = "toy", **facts: Any) -> Any:
    record = {"model": {"params": {"epochs": 4}}}
    return SimpleNamespace(
        shifts=(),
        kept="",
        key=label,
        dataset_reference=dataset,
        label=label,
        row=label,
        pair=(dataset, label),
        fold=0,
        seed=0,
        accelerated=False,
        record=record,
        **{"time_limit": 3600.0, "group": "", **facts},
    )


def event(kind: str, item: Any, **message: Any) -> Any:
    return SimpleNamespace(kind=kind, job=SimpleNamespace(cell=item), message=message, seconds=61.0)


def record(value: float | None) -> Record:
    data = {
        "status": "failed" if value is None else "ok",
        "suite": {"primary": "hf1_samples"},
        "metrics": {"test": {"hf1_samples": value}},
        "cause": None if value is not None else "nan",
        "message": MESSAGE if value is None else "",
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


def frame(console: Console) -> list[str]:
    """The lines of the last picture that was drawn, and what was printed above it."""
    text = Console(file=io.StringIO(), width=console.width)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    text.print(Text.from_ansi(shown))
    return [line.rstrip() for line in text.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def screen(width: int, height: int = 60) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height)


NAMES = ("good", "bad[x=1]", "timm:mobilenetv3_small_050[stem_stride=keep,epochs=6]", "waits")


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_table_shows_states_bars_results_and_the_time_left(width: int) -> None:
    console = screen(width)
    cells = [cell(name) for name in NAMES]
    play(live.Live(cells, TimeLeft(cells), console), cells)
    lines = frame(console)
    rows = {name: next(line for line in reversed(lines) if line.startswith(name)) for name in NAMES}
    assert rows["good"].split()[1:] == ["done", "hf1_samples", "0.8125"][:: 1 if width == 120 else 2]
    assert rows["bad[x=1]"].split() == ["bad[x=1]", "failed", "nan"]
    assert "1/4" in rows[NAMES[2]]
    assert ("━━━" in rows[NAMES[2]]) == (width == 120)
    assert rows["waits"].split() == ["waits", "waiting"]
    assert any(line.startswith("2 of 4 cells, 1 failed, 0:00 so far, about ") for line in lines)
    assert [line for line in lines if line][-1].endswith("left (first estimate)")
    assert all(len(line) <= width for line in lines)


def test_a_failure_is_printed_once_above_the_table() -> None:
    console = screen(80)
    cells = [cell(name) for name in NAMES]
    play(live.Live(cells, TimeLeft(cells), console), cells)
    shown = " ".join(frame(console))
    assert shown.count("toy x bad[x=1] fold 0 seed 0: failed: nan: 3 of 5") == 1
    assert " ".join(shown.split()).count(MESSAGE) == 1


def test_columns_that_are_equal_in_all_cells_are_left_out() -> None:
    both = [cell("a", "toy"), cell("a", "steel")]
    console = screen(80)
    with live.Live(both, TimeLeft(both), console):
        pass
    assert "dataset  model  state" in frame(console)
    console = screen(80)
    with live.Live(both[:1], TimeLeft(both[:1]), console):
        pass
    assert "model  state" in frame(console)


def test_a_name_as_wide_as_the_window_has_a_line_of_its_own() -> None:
    name = "ensemble[members=" + "forest+xgboost+svm+" * 3 + "knn]"
    lines = live.layout(
        ("model", "state"), [(name, "fit"), ("prior", "done")], [["3/9, 0:10 left"], ["0.5"]], 80
    )
    assert lines == ["model  state", f"{name}\n    fit  3/9, 0:10 left", "prior\n    done  0.5"]


@pytest.mark.parametrize(
    ("width", "line"),
    [(40, "net  fit  ━━━          1/4, 0:30 left"), (30, "net  fit  1/4, 0:30 left"), (14, "net  fit  1/4")],
)
def test_details_get_the_room_that_names_leave_and_no_number_is_split(width: int, line: str) -> None:
    details = live.step_texts(1, 4, 40.0, 10.0)
    assert live.layout(("a", "b"), [("net", "fit")], [details], width)[1] == line


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.91318, "0.9132"), (0.0, "0.0000"), (-1.5, "-1.5000"), (1.2345e-4, "0.000123"), (12345.6, "12,346")],
)
def test_a_result_has_its_first_digits_in_any_unit(value: float, text: str) -> None:
    assert live.result_texts(record(value)) == [f"hf1_samples {text}", text]


def test_a_training_never_has_zero_seconds_left() -> None:
    """A step of minutes: the time for all steps is over, and the step is not."""
    assert live.step_texts(1, 2, 60.0, 300.0)[1] == "1/2, 0:30 left"
    assert live.step_texts(1, 2, 60.0, 55.0)[1] == "1/2, a few seconds left"
    assert live.step_texts(2, 2, 60.0, 300.0) == ["2/2"]


def test_the_time_left_is_marked_while_it_is_a_first_estimate() -> None:
    left = TimeLeft([cell("a"), cell("b")])
    assert live.left_text(left) == "time left not known yet"
    left.started(cell("a"))
    left.ended(cell("a"), 61.0)
    assert live.left_text(left) == "about 0:46 left (first estimate)"
    trivial = TimeLeft([cell("prior"), cell("network")])
    trivial.started(cell("prior"))
    trivial.ended(cell("prior"), 0.1)
    assert live.left_text(trivial) == "time left not known yet", "a prior says nothing about a network"
    known = TimeLeft([cell("a")], took={("toy", "a"): 100.0})
    assert live.left_text(known) == "about 1:40 left"
    assert live.left_text(TimeLeft([cell("a")], took={("toy", "a"): 2.0})) == "a few seconds left"


@pytest.mark.parametrize("kind", [live.Lines, live.Live])
def test_a_limit_that_will_be_missed_is_said_once_and_before(
    kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    now, slow = [0.0], cell("slow", time_limit=100.0)
    left, console = TimeLeft([slow], clock=lambda: now[0]), screen(200)
    view = kind([slow], left, console) if kind is live.Live else kind([slow], left)
    with view:
        view(event("started", slow), None)
        view(event("progress", slow, phase="fit"), None)
        for step in (1, 2, 3):
            now[0] += 30
            view(event("progress", slow, done=step, total=4), None)
    shown = " ".join(frame(console)) if kind is live.Live else capsys.readouterr().out
    text = "toy x slow fold 0 seed 0: needs about 2:00, its limit is 1:40 (--timeout 180 sets another)"
    assert shown.count(text) == 1


def test_hundreds_of_cells_do_not_fill_the_screen() -> None:
    console = screen(110)
    cells = [cell(f"m{i:03}") for i in range(300)]
    view = live.Live(cells, TimeLeft(cells), console)
    with view:
        for running in cells[:150]:
            view(event("started", running), None)
            view(event("ended", running), record(0.5))
    last = frame(console)
    start = len(last) - last[::-1].index("model  state") - 1
    rows = [line for line in last[start:] if line.startswith("m") and line != "model  state"]
    assert len(rows) == 20
    assert any(line.startswith("m150") for line in rows)


def plan_of(cells: list[Any]) -> Any:
    suite = SimpleNamespace(name="s", version=1)
    facts = {"samples": 9, "synthetic": True, "task": "hmc", "classes": 3, "levels": 1}
    for planned in cells:
        planned.record["dataset"] = facts
    return SimpleNamespace(suite=suite, profile="quick", cells=cells, not_applicable=[], notes=[])


def test_the_plan_says_done_failed_and_to_run_apart(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [cell("a"), cell("b"), cell("c", time_limit=30.0)]
    slow = record(0.5)
    slow.data.update({"dataset": {"name": "toy"}, "model": {"label": "c"}, "timing": {"total_s": 45.0}})
    records = {"a": slow, "b": record(None)}
    live.show_plan(plan_of(cells), cells[2:], records, Path("runs"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=2)[1:] for line in lines if line.startswith("toy ")] == [
        ["a", "1 done"],
        ["b", "1 failed"],
        ["c", "1 to run"],
    ]
    assert "note: c took 0:45 earlier; its limit is 0:30" in lines
    assert any(
        line.startswith("1 to run (1 failed earlier: --rerun failed runs them again)") for line in lines
    )


def test_a_log_file_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [cell(name) for name in ("good", "bad[x=1]", "running", "waits")]
    view = live.view(cells, 1)
    assert isinstance(view, live.Lines)
    play(view, cells)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "start  toy x good fold 0 seed 0"
    assert lines[1].startswith("end    toy x good fold 0 seed 0: hf1_samples 0.8125 (1:01; 1 of 4, about ")
    assert "failed: nan: 3 of 5 scores are NaN [bold]" in lines[3]
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


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((3, 2, 4), "of 9 cells 3 fit, 2 do not fit, 4 are unknown"),
        ((1, 1, 1), "of 3 cells 1 fits, 1 does not fit, 1 is unknown"),
        ((2, 0, 0), "of 2 cells 2 fit"),
        ((0, 1, 0), "of 1 cell 1 does not fit"),
    ],
)
def test_the_line_of_a_budget_has_no_zeros(counts: tuple[int, int, int], text: str) -> None:
    assert live.forecast_text(*counts) == f", cheapest cells first; by earlier records, {text}"


def test_without_earlier_records_the_order_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [cell(name) for name in NAMES]
    live.show_budget(cells, [], 6000.0, 1)
    text = capsys.readouterr().out
    assert text == (
        "budget 1:40:00: no earlier record tells how long these 4 cells take; fewest epochs first (one of a"
        " model for GPUs counts as 20), of equal models the last of the plan\n\n"
    )
    assert [item.label for item in cheapest_first(cells, {})] == [*reversed(NAMES)]
    live.show_budget(cells[:1], [], 60.0, 1)
    assert "tells how long this cell takes; " in capsys.readouterr().out
    for nothing in (([], [], 60.0, 1), (cells, [], 0.0, 1)):
        live.show_budget(*nothing)
    assert not capsys.readouterr().out
