"""The progress of a run: a live table in a terminal, plain lines in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli.common import duration, in_notebook
from hmcbench.execute.durations import TimeLeft

if TYPE_CHECKING:
    from hmcbench.execute.executors.base import Event
    from hmcbench.plan.cells import Cell, Plan
    from hmcbench.records.record import Record


def show_plan(plan: Plan, todo: Sequence[Cell], out: Path) -> None:
    """The cells of this command, and the pairs that are not applicable."""
    from tabulate import tabulate

    from hmcbench.records.record import records_dir

    waiting = {c.key for c in todo}
    suite = plan.suite
    click.echo(f"suite {suite.name} version {suite.version}, profile {plan.profile}: {len(plan.cells)} cells")
    rows: list[tuple[Any, ...]] = [
        (c.dataset, c.label, c.fold, c.seed, "to run" if c.key in waiting else "done") for c in plan.cells
    ]
    rows += [(p.dataset, p.model, "", "", f"not applicable: {p.reason}") for p in plan.not_applicable]
    head = ("dataset", "model", "fold", "seed", "state")
    click.echo(tabulate(rows, headers=head, tablefmt="simple", disable_numparse=True))
    datasets = {c.dataset: c.record["dataset"] for c in plan.cells}
    for name, facts in datasets.items():
        origin = "synthetic, made by a generator" if facts["synthetic"] else "your data"
        click.echo(f"{name}: {facts['samples']:,} samples, {goal_text(facts)} ({origin})")
    for note in plan.notes:
        click.echo(f"note: {note}")
    click.echo(f"{len(todo)} to run, records go to {records_dir(out, suite.name)}\n")


def goal_text(facts: Mapping[str, Any]) -> str:
    """What is predicted: ``7 classes on 2 levels``, or ``targets strength, hardness``."""
    if facts["task"] != "regression":
        classes, levels = facts["classes"], facts["levels"]
        return f"{classes:,} class{'es' * (classes != 1)} on {levels} level{'s' * (levels != 1)}"
    names = facts["targets"]
    return f"target{'s' * (len(names) > 1)} {', '.join(names)}"


def show_budget(todo: Sequence[Cell], done: Iterable[Record], seconds: float, jobs: int) -> None:
    """How many cells are expected to fit into the budget, by the run times of earlier cells."""
    if not seconds:
        return
    from hmcbench.execute.durations import Budget, seconds_taken

    fit, not_fit, unknown = Budget(seconds, seconds_taken(done)).forecast(todo, jobs)
    click.echo(
        f"budget {duration(seconds)}: by the records of the same models and data, {fit} of these cells fit"
        f" and {not_fit} do not; {unknown} are not known yet\n"
    )


class Silent(AbstractContextManager["Silent"]):
    """Shows nothing."""

    def __exit__(self, *exc: Any) -> None: ...

    def __call__(self, event: Event, record: Record | None) -> None: ...


def view(todo: Sequence[Cell], jobs: int, done: Iterable[Record] = ()) -> Silent:
    """The live table where there is a terminal, plain lines otherwise."""
    from hmcbench.execute.durations import seconds_taken

    left = TimeLeft(todo, jobs, seconds_taken(done))
    return Live(todo, left) if sys.stdout.isatty() and not in_notebook() else Lines(todo, left)


def feed(left: TimeLeft, event: Event, record: Record | None) -> None:
    """Pass an event on to the estimate of the time left."""
    cell = event.job.cell
    if event.kind == "started":
        left.started(cell)
    elif event.kind == "elsewhere":
        timing = record.part("timing") if record is not None else {}
        left.elsewhere(cell, float(timing.get("total_s") or 0.0))
    elif record is not None:
        left.ended(cell, event.seconds, record.ok)
    elif "phase" in event.message:
        left.phase(cell, event.message["phase"])
    elif "done" in event.message:
        left.progress(cell, event.message["done"], event.message["total"])


def left_text(left: TimeLeft) -> str:
    """``about 3:20 left``."""
    seconds = left.seconds()
    return "time left: not known yet" if seconds is None else f"about {duration(seconds)} left"


def result_text(record: Record) -> str:
    """``hf1_samples 0.9132``, or the cause of the failure."""
    if not record.ok:
        return f"{record.cause}: {record.message}"
    primary = record.data["suite"]["primary"]
    value = record.metrics("test").get(primary)
    return f"{primary} {value:.4f}" if value is not None else "done"


class Lines(Silent):
    """One line when a cell starts and one when it ends; no control characters."""

    def __init__(self, todo: Sequence[Cell], left: TimeLeft) -> None:
        self._total, self._done, self._left = len(todo), 0, left

    def __call__(self, event: Event, record: Record | None) -> None:
        feed(self._left, event, record)
        cell = event.job.cell
        name = f"{cell.dataset} x {cell.label} fold {cell.fold} seed {cell.seed}"
        if event.kind == "started":
            click.echo(f"start  {name}")
        elif record is not None:
            self._done += 1
            left = f", {left_text(self._left)}" if self._done < self._total else ""
            took = "by another run" if event.kind == "elsewhere" else duration(event.seconds)
            click.echo(f"end    {name}: {result_text(record)} ({took}; {self._done} of {self._total}{left})")


class Live(Silent):
    """A table of cells with their phase, and a progress bar, refreshed four times a second."""

    def __init__(self, todo: Sequence[Cell], left: TimeLeft, console: Any = None) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._cells = list(todo)
        self._state: dict[str, tuple[str, str]] = {c.key: ("waiting", "") for c in todo}
        self._begun: dict[str, float] = {}  # when the current phase began
        self._done: set[str] = set()
        self._left = left
        self._live = RichLive(console=console or Console(), refresh_per_second=4, get_renderable=self._render)

    def __enter__(self) -> Live:
        self._live.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._live.__exit__(*exc)

    def __call__(self, event: Event, record: Record | None) -> None:
        feed(self._left, event, record)
        key = event.job.cell.key
        if event.kind == "started":
            self._state[key] = ("starting", "")
        elif event.kind == "progress":
            self._progress(key, event.message)
        elif record is not None:
            self._done.add(key)
            self._state[key] = ("done" if record.ok else "failed", result_text(record))

    def _progress(self, key: str, message: dict[str, Any]) -> None:
        if "phase" in message:
            self._begun[key] = time.monotonic()
            self._state[key] = (message["phase"], "")
            return
        done, total = message["done"], max(1, message["total"])
        spent = time.monotonic() - self._begun.setdefault(key, time.monotonic())
        left = spent / max(done, 1) * max(0, total - done)
        bar = "━" * round(12 * min(1.0, done / total))
        self._state[key] = (self._state[key][0], f"{bar:<12} {done}/{total}, {duration(left)} left")

    def _render(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for title in ("dataset", "model", "fold", "seed", "state", ""):
            table.add_column(title, overflow="ellipsis", no_wrap=True)
        styles = {"done": "green", "failed": "bold red", "waiting": "dim"}
        for cell in self._visible():
            state, detail = self._state[cell.key]
            row = (cell.dataset, cell.label, str(cell.fold), str(cell.seed), state, detail)
            table.add_row(*(Text(part) for part in row), style=styles.get(state, ""))
        done = len(self._done)
        bar = ProgressBar(total=max(1, len(self._cells)), completed=done, width=40)
        return Group(table, bar, Text(f"{done} of {len(self._cells)} cells, {left_text(self._left)}"))

    def _visible(self, most: int = 20) -> list[Cell]:
        """The cells around the running ones: a plan of hundreds must not fill the screen."""
        first = next((i for i, c in enumerate(self._cells) if c.key not in self._done), 0)
        start = max(0, min(first - most // 2, len(self._cells) - most))
        return self._cells[start : start + most]
