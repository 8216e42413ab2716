"""What one sees while cells run: a live table in a terminal, plain lines in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmcbench.cli.common import duration

if TYPE_CHECKING:
    from hmcbench.executors.local import Event
    from hmcbench.plan import Cell, Plan
    from hmcbench.records import Record


def show_plan(plan: Plan, todo: Sequence[Cell], out: Path) -> None:
    """The cells of this command, and the pairs that cannot meet."""
    from tabulate import tabulate

    waiting = {c.key for c in todo}
    suite = plan.suite
    click.echo(f"suite {suite.name} version {suite.version}, profile {plan.profile}: {len(plan.cells)} cells")
    rows: list[tuple[Any, ...]] = [
        (c.dataset, c.label, c.fold, c.seed, "to run" if c.key in waiting else "done") for c in plan.cells
    ]
    rows += [(p.dataset, p.model, "", "", f"not applicable: {p.reason}") for p in plan.not_applicable]
    click.echo(tabulate(rows, headers=("dataset", "model", "fold", "seed", "state"), tablefmt="simple"))
    shown = {c.dataset: c.record["dataset"] for c in plan.cells}
    for name, facts in shown.items():
        made = "synthetic, made by a generator" if facts["synthetic"] else "your data"
        click.echo(f"{name}: {facts['samples']} samples, {facts['classes']} classes ({made})")
    for note in plan.notes:
        click.echo(f"note: {note}")
    click.echo(f"{len(todo)} to run, records go to {out / suite.name / 'records'}\n")


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *exc: Any) -> None:
        pass

    def __call__(self, event: Event, record: Record | None) -> None:
        pass


def view(todo: Sequence[Cell], jobs: int) -> Silent:
    """The live table where there is a terminal, plain lines otherwise."""
    return Live(todo, jobs) if sys.stdout.isatty() else Lines(todo, jobs)


def result_text(record: Record) -> str:
    """``hf1_samples 0.9132`` or the cause of failure."""
    if not record.ok:
        return f"{record.data['cause']}: {record.data['message']}"
    primary = record.data["suite"]["primary"]
    value = record.data["metrics"].get("test", {}).get(primary)
    return f"{primary} {value:.4f}" if value is not None else "done"


class Lines(Silent):
    """One line when a cell starts and one when it ends; no control characters."""

    def __init__(self, todo: Sequence[Cell], jobs: int) -> None:
        self._total, self._done, self._jobs = len(todo), 0, jobs
        self._began = time.monotonic()

    def __call__(self, event: Event, record: Record | None) -> None:
        cell = event.job.cell
        name = f"{cell.dataset} x {cell.label} fold {cell.fold} seed {cell.seed}"
        if event.kind == "started":
            click.echo(f"start  {name}")
        elif record is not None:
            self._done += 1
            left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
            about = f", about {duration(left)} left" if self._done < self._total else ""
            click.echo(
                f"end    {name}: {result_text(record)} ({duration(event.seconds)};"
                f" {self._done} of {self._total}{about})"
            )


class Live(Silent):
    """A table of cells with their phase, and a bar for what is done, refreshed four times a second."""

    def __init__(self, todo: Sequence[Cell], jobs: int) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._cells = list(todo)
        self._state: dict[str, tuple[str, str]] = {c.key: ("waiting", "") for c in todo}
        self._started: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._share: dict[str, float] = {}
        self._jobs = jobs
        self._live = RichLive(console=Console(), refresh_per_second=4, get_renderable=self._render)

    def __enter__(self) -> Live:
        self._live.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._live.__exit__(*exc)

    def __call__(self, event: Event, record: Record | None) -> None:
        key = event.job.cell.key
        if event.kind == "started":
            self._started[key] = time.monotonic()
            self._state[key] = ("starting", "")
        elif event.kind == "progress":
            self._progress(key, event.message)
        elif record is not None:
            self._took[key] = event.seconds
            self._state[key] = ("done" if record.ok else "failed", result_text(record))

    def _progress(self, key: str, message: dict[str, Any]) -> None:
        if "phase" in message:
            self._state[key] = (message["phase"], "")
            return
        done, total = message["done"], max(1, message["total"])
        self._share[key] = min(1.0, done / total)
        spent = time.monotonic() - self._started[key]
        left = spent / max(done, 1) * (total - done)
        bar = "━" * round(12 * done / total)
        self._state[key] = ("fit", f"{bar:<12} {done}/{total}, {duration(left)} left")

    def _left(self) -> str:
        """Seconds left, from the cells that ended and the shares of those that run."""
        now = time.monotonic()
        running = {k: now - t for k, t in self._started.items() if k not in self._took}
        known = [
            *self._took.values(),
            *(s / self._share[k] for k, s in running.items() if self._share.get(k)),
        ]
        if not known:
            return "time left: not known yet"
        usual = sum(known) / len(known)
        waiting = len(self._cells) - len(self._started)
        rest = sum(
            max(0.0, s / self._share[k] - s) if self._share.get(k) else usual for k, s in running.items()
        )
        return f"about {duration((waiting * usual + rest) / self._jobs)} left"

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
        done = len(self._took)
        bar = ProgressBar(total=max(1, len(self._cells)), completed=done, width=40)
        return Group(table, bar, Text(f"{done} of {len(self._cells)} cells, {self._left()}"))

    def _visible(self, most: int = 20) -> list[Cell]:
        """The cells around the running ones: a plan of hundreds must not fill the screen."""
        first = next((i for i, c in enumerate(self._cells) if c.key not in self._took), 0)
        start = max(0, min(first - most // 2, len(self._cells) - most))
        return self._cells[start : start + most]
