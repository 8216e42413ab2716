"""The progress of a run: a live table in a terminal, plain lines in a log file."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli.common import duration, in_notebook
from hmcbench.execute.durations import EPOCH_S, LEAST_LEFT, Budget, TimeLeft, elapsed, seconds_taken
from hmcbench.leaderboard.render.text import number

if TYPE_CHECKING:
    from hmcbench.execute.executors.base import Event
    from hmcbench.plan.cells import Cell, Plan
    from hmcbench.records.record import Record

BAR, GAP = 40, 2  # columns of the bar, and between two columns of the table
FEW_S = 10  # a time left below it is not given in seconds
RERUN = "--rerun failed runs them again"


def show_plan(
    plan: Plan, todo: Sequence[Cell], records: Mapping[str, Record], out: Path, rerun: str = "missing"
) -> None:
    """The cells of this command by dataset and model, and the pairs that are not applicable.

    Args:
        records: key -> record, of cells that have one.
        rerun: which cells are run.
    """
    from tabulate import tabulate

    from hmcbench.records.record import records_dir

    suite, waiting = plan.suite, {c.key for c in todo}
    click.echo(f"suite {suite.name} version {suite.version}, profile {plan.profile}: {len(plan.cells)} cells")
    states: dict[tuple[str, str], Counter[str]] = {}
    for cell in plan.cells:
        record = records.get(cell.key)
        ended = "failed" if record is not None and not record.ok else "done"
        states.setdefault(cell.pair, Counter())["to run" if cell.key in waiting else ended] += 1
    names = {cell.pair: (cell.dataset_reference, cell.row) for cell in plan.cells}
    rows = [
        (*names[pair], ", ".join(f"{n} {state}" for state, n in counts.items()))
        for pair, counts in states.items()
    ]
    head = ("dataset", "model", "cells")
    click.echo(tabulate(rows, headers=head, tablefmt="simple", disable_numparse=True))
    for skipped in plan.not_applicable:
        click.echo(f"not applicable: {skipped.dataset} x {skipped.model}: {skipped.reason}")
    shown = {c.dataset_reference: c.record["dataset"] for c in plan.cells}
    for name, facts in shown.items():
        origin = "synthetic, made by a generator" if facts["synthetic"] else "your data"
        click.echo(f"{name}: {facts['samples']:,} samples, {goal_text(facts)} ({origin})")
    for note in (*plan.notes, *limit_notes(todo, records.values()), *shift_notes(todo, records, rerun)):
        click.echo(f"note: {note}")
    failed = sum(counts["failed"] for counts in states.values())
    again = f" ({failed} failed earlier: {RERUN})" if failed else ""
    click.echo(f"{len(todo)} to run{again}, records go to {records_dir(out, suite.name)}\n")


def limit_notes(todo: Sequence[Cell], records: Iterable[Record]) -> list[str]:
    """One line for every model whose earlier cells took longer than the time limit of those to run."""
    took = seconds_taken(records)
    late = {c.pair: c for c in todo if took.get(c.pair, 0.0) > c.time_limit and not c.group}
    return [
        f"{cell.row} took {duration(took[pair])} earlier; its limit is {duration(cell.time_limit)}"
        for pair, cell in late.items()
    ]


def shift_notes(todo: Sequence[Cell], records: Mapping[str, Record], rerun: str) -> list[str]:
    """How cells with a record get the shifts that it lacks, or keep those that it has."""
    from hmcbench.records.shifts import shift_blocks

    known = [cell for cell in todo if cell.key in records and records[cell.key].ok]
    if rerun == "all":
        have = [cell for cell in known if shift_blocks(records[cell.key])]
        again = sum(bool(cell.shifts) for cell in have)
        told = {
            "predict the shifts of their records again (--shifts none leaves them out)": again,
            "lose the predictions under shifts of their records": len(have) - again,
        }
    else:
        kept = sum(bool(cell.kept) for cell in known)
        told = {
            "predict shifts with the models that they kept": kept,
            "are run again for their shifts: their records kept no model": len(known) - kept,
        }
    return [f"{count} cells {what}" for what, count in told.items() if count]


def goal_text(facts: Mapping[str, Any]) -> str:
    """What is predicted: ``7 classes on 2 levels``, or ``targets strength, hardness``."""
    if facts["task"] != "regression":
        classes, levels = facts["classes"], facts["levels"]
        return f"{classes:,} class{'es' * (classes != 1)} on {levels} level{'s' * (levels != 1)}"
    names = facts["targets"]
    return f"target{'s' * (len(names) > 1)} {', '.join(names)}"


def show_budget(todo: Sequence[Cell], records: Iterable[Record], seconds: float, jobs: int) -> None:
    """How many cells are expected to fit into the time, by what earlier cells took."""
    if seconds and todo:
        forecast = Budget(seconds, seconds_taken(records)).forecast(todo, jobs)
        click.echo(f"budget {duration(seconds)}{forecast_text(*forecast)}\n")


def forecast_text(fit: int, not_fit: int, unknown: int) -> str:
    """The rest of the line: numbers of cells by what earlier records tell of them, and which are first.

    See :func:`hmcbench.execute.durations.cheapest_first`.
    """
    cells = fit + not_fit + unknown
    if cells == unknown:
        these = f"these {cells} cells take" if cells > 1 else "this cell takes"
        counted = f"{EPOCH_S[True] / EPOCH_S[False]:g}"
        return (
            f": no earlier record tells how long {these}; fewest epochs first (one of a model for GPUs counts"
            f" as {counted}), of equal models the last of the plan"
        )
    texts = [
        f"{fit} {'fits' if fit == 1 else 'fit'}" if fit else "",
        f"{not_fit} {'does' if not_fit == 1 else 'do'} not fit" if not_fit else "",
        f"{unknown} {'is' if unknown == 1 else 'are'} unknown" if unknown else "",
    ]
    of_cells = f"of {cells} cell{'s' * (cells > 1)}"
    return f", cheapest cells first; by earlier records, {of_cells} {', '.join(filter(None, texts))}"


class Silent(AbstractContextManager["Silent"]):
    """Shows nothing."""

    def __exit__(self, *exc: Any) -> None: ...

    def __call__(self, event: Event, record: Record | None) -> None: ...


def say_interrupted() -> None:
    """Answer Ctrl-C at once: with thousands of records, what follows takes seconds."""
    click.echo("hmcbench: interrupted; the cells that run are ended", err=True)


def view(todo: Sequence[Cell], jobs: int, records: Iterable[Record] = (), budget: float = 0.0) -> Silent:
    """The live table where there is a terminal, plain lines otherwise."""
    left = TimeLeft(todo, jobs, seconds_taken(records), budget or math.inf)
    return Live(todo, left) if sys.stdout.isatty() and not in_notebook() else Lines(todo, left)


def feed(left: TimeLeft, event: Event, record: Record | None) -> None:
    """Pass an event on to the estimate of the time left."""
    cell = event.job.cell
    if event.kind == "started":
        left.started(cell)
    elif event.kind == "elsewhere":
        left.elsewhere(cell, elapsed(record) if record is not None else 0.0)
    elif record is not None:
        left.ended(cell, event.seconds, record.ok)
    elif "phase" in event.message:
        left.phase(cell, event.message["phase"])
    elif "done" in event.message:
        left.progress(cell, event.message["done"], event.message["total"])


def left_text(left: TimeLeft) -> str:
    """``about 3:20 left``."""
    estimate = left.estimate()
    if estimate is None or (estimate.first and estimate.seconds < FEW_S):  # by a trivial model
        return "time left not known yet"
    if estimate.seconds < FEW_S:
        return "a few seconds left"
    return f"about {duration(estimate.seconds)} left{' (first estimate)' if estimate.first else ''}"


def result_texts(record: Record) -> list[str]:
    """``hf1_samples 0.9132`` or the cause of failure; then a shorter text."""
    if not record.ok:
        return [str(record.cause)]
    primary = record.data["suite"]["primary"]
    value = record.metrics("test").get(primary)
    if value is None:
        return []
    # four decimals are for scores; an error in its unit may be far smaller or larger
    text = f"{value:.4f}" if 0.01 <= abs(value) < 1000 or value == 0 else number(value, "number")
    return [f"{primary} {text}", text]


def cell_text(cell: Cell) -> str:
    return f"{cell.dataset_reference} x {cell.row} fold {cell.fold} seed {cell.seed}"


class Lines(Silent):
    """One line when a cell starts, one when it ends, one if it will exceed its limit; plain text."""

    def __init__(self, todo: Sequence[Cell], left: TimeLeft) -> None:
        self._total, self._ended, self._left = len(todo), 0, left
        self._warned: set[str] = set()

    def __call__(self, event: Event, record: Record | None) -> None:
        feed(self._left, event, record)
        cell = event.job.cell
        if event.kind == "started":
            click.echo(f"start  {cell_text(cell)}")
        elif record is not None:
            self._ended += 1
            left = f", {left_text(self._left)}" if self._ended < self._total else ""
            took = "by another run" if event.kind == "elsewhere" else duration(event.seconds)
            result = " ".join(result_texts(record)[:1]) if record.ok else failure_text(record)
            click.echo(f"end    {cell_text(cell)}: {result} ({took}; {self._ended} of {self._total}{left})")
        else:
            self._warn(cell)

    def _warn(self, cell: Cell) -> None:
        total = self._left.too_slow(cell)
        if total is not None and cell.key not in self._warned:
            self._warned.add(cell.key)
            click.echo(f"slow   {cell_text(cell)}: {slow_text(cell, total)}")


def failure_text(record: Record) -> str:
    return f"failed: {record.cause}: {record.message}"


def slow_text(cell: Cell, total: float) -> str:
    """That a cell will exceed its time limit, and what to do."""
    return (
        f"needs about {duration(total)}, its limit is {duration(cell.time_limit)}"
        f" (--timeout {math.ceil(1.5 * total)} sets another)"
    )


class Live(Silent):
    """A table of cells with their phase, and a bar for what is done, refreshed four times a second.

    Causes of failure are printed above the table, once, so that a long one takes no room in it.
    """

    def __init__(self, todo: Sequence[Cell], left: TimeLeft, console: Any = None) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._cells = list(todo)
        self._steps: dict[str, tuple[int, int, float]] = {}  # of the phase: done, total, seconds for all
        self._phase: dict[str, str] = {}
        self._begun: dict[str, float] = {}  # when that phase began
        self._records: dict[str, Record] = {}
        self._warned: set[str] = set()
        self._left, self._start = left, time.monotonic()
        self._console = console or Console()
        self._live = RichLive(console=self._console, refresh_per_second=4, get_renderable=self._render)

    def __enter__(self) -> Live:
        self._live.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._live.__exit__(*exc)

    def __call__(self, event: Event, record: Record | None) -> None:
        feed(self._left, event, record)
        cell = event.job.cell
        if record is not None:
            self._records[cell.key] = record
            if not record.ok:
                self._say(f"{cell_text(cell)}: {failure_text(record)}", "bold red")
        elif event.kind == "started" or "phase" in event.message:
            self._phase[cell.key] = event.message.get("phase", "starting")
            self._begun[cell.key] = time.monotonic()
            self._steps.pop(cell.key, None)
        elif "done" in event.message:
            steps, total_steps = event.message["done"], max(1, event.message["total"])
            spent = time.monotonic() - self._begun.setdefault(cell.key, self._start)
            self._steps[cell.key] = steps, total_steps, spent / max(1, steps) * total_steps
            total = self._left.too_slow(cell)
            if total is not None and cell.key not in self._warned:
                self._warned.add(cell.key)
                self._say(f"{cell_text(cell)}: {slow_text(cell, total)}", "yellow")

    def _say(self, line: str, style: str) -> None:
        from rich.text import Text

        self._console.print(Text(line, style=style))

    def _state(self, cell: Cell) -> tuple[str, list[str]]:
        """The state of a cell in a word, and details, the longest first."""
        record = self._records.get(cell.key)
        if record is not None:
            return "done" if record.ok else "failed", result_texts(record)
        if cell.key not in self._phase:
            return "waiting", []
        spent = time.monotonic() - self._begun[cell.key]
        if cell.key in self._steps:
            return self._phase[cell.key], step_texts(*self._steps[cell.key], spent)
        return self._phase[cell.key], [duration(spent)]

    def _render(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        width = self._console.width
        total, ended = len(self._cells), len(self._records)
        filled = round(min(BAR, width) * ended / max(1, total))
        bar = Text("━" * filled, style="green") + Text("─" * (min(BAR, width) - filled), style="dim")
        return Group(*self._table(width), bar, Text(self._summary(total, ended)))

    def _summary(self, total: int, ended: int) -> str:
        failed = sum(not record.ok for record in self._records.values())
        spent = duration(time.monotonic() - self._start)
        bad = f", {failed} failed" if failed else ""
        if ended == total:
            return f"{ended} of {total} cells in {spent}{bad}"
        return f"{ended} of {total} cells{bad}, {spent} so far, {left_text(self._left)}"

    def _table(self, width: int) -> list[Any]:
        """Lines of cells; columns that are equal in all cells are left out."""
        from rich.text import Text

        names = {"dataset": "dataset_reference", "model": "row", "fold": "fold", "seed": "seed"}
        differ = [t for t, name in names.items() if len({getattr(c, name) for c in self._cells}) > 1]
        titles = [title for title in names if title in differ or title == "model"]
        cells = self._visible()
        states = [self._state(cell) for cell in cells]
        rows = [
            (*(str(getattr(c, names[t])) for t in titles), s) for c, (s, _) in zip(cells, states, strict=True)
        ]
        details = [detail for _, detail in states]
        lines = layout((*titles, "state"), rows, details, width)
        styles = {"done": "green", "failed": "bold red", "waiting": "dim"}
        shown = ["bold", *(styles.get(state, "") for state, _ in states)]
        return [Text(line, style=style) for line, style in zip(lines, shown, strict=True)]

    def _visible(self, most: int = 20) -> list[Cell]:
        """The cells around the running ones: a plan of hundreds must not fill the screen."""
        first = next((i for i, c in enumerate(self._cells) if c.key not in self._records), 0)
        start = max(0, min(first - most // 2, len(self._cells) - most))
        return self._cells[start : start + most]


def step_texts(steps: int, total: int, seconds: float, spent: float) -> list[str]:
    """Details of a training, the longest first; all steps take ``seconds``, of which ``spent`` are over."""
    counts = f"{steps}/{total}"
    if not 0 < steps < total:
        return [counts]
    left = max(seconds - spent, LEAST_LEFT * spent)
    text = f"{counts}, {duration(left)} left" if left >= FEW_S else f"{counts}, a few seconds left"
    return [f"{'━' * round(12 * steps / total):<12} {text}", text, counts]


def layout(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    details: Sequence[Sequence[str]],
    width: int,
) -> list[str]:
    """Texts of a table's head and rows; no line that fits is broken, and names are never cut for details.

    Each row ends with the longest of its details that the width has room for. Where the names alone are too
    wide, a row has two lines: the names, and below them the rest.
    """
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    if sum(widths) + GAP * (len(widths) - 1) > width:
        names = titles.index("model") + 1
        return ["  ".join(titles)] + [
            f"{'  '.join(row[:names])}\n    {_fitted('  '.join(row[names:]), detail, width - 4)}"
            for row, detail in zip(rows, details, strict=True)
        ]
    lines = ["  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)) for row in (titles, *rows)]
    return [lines[0]] + [
        _fitted(line, detail, width) for line, detail in zip(lines[1:], details, strict=True)
    ]


def _fitted(line: str, details: Sequence[str], width: int) -> str:
    """The line with the first detail that it has room for."""
    room = width - len(line) - GAP
    return next((f"{line}  {detail}" for detail in details if len(detail) <= room), line)
