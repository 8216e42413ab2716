"""The progress of a cell: sent to the runner, and written as the history of its training."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol


class Channel(Protocol):
    """One end of a pipe."""

    def send(self, message: Mapping[str, Any]) -> None: ...


class Reporter:
    """``Run.report``: sends progress to the runner and collects the history.

    Args:
        cell: the position of the cell among those of this process.
    """

    def __init__(self, progress: Channel, history: Path, cell: int = 0) -> None:
        self._progress, self._history, self._cell = progress, history, cell
        self._rows: list[dict[str, float]] = []

    def phase(self, name: str) -> None:
        self._send({"phase": name})

    def ended(self) -> None:
        self._send({"ended": True})

    def __call__(self, done: int, total: int, **values: float) -> None:
        self.progress(done, total)
        self._rows.append({"step": done} | {k: float(v) for k, v in values.items()})

    def progress(self, done: int, total: int, **_values: float) -> None:
        """Send progress alone: a second fit is no part of the history."""
        self._send({"done": int(done), "total": int(total)})

    def _send(self, message: Mapping[str, Any]) -> None:
        with suppress(OSError):  # the runner has ended; the watching thread ends this process
            self._progress.send({"cell": self._cell, **message})

    def write(self) -> None:
        """``history.csv``: one row per report, one column per reported value."""
        if not self._rows:
            return
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        with self._history.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows)
