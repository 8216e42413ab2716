"""What other programs and cells leave of the processor, and cells that take no more threads than that.

Two threads that wait for each other on a busy core are several times slower than one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from hmcbench.execute import resources
from hmcbench.files import OtherWork
from hmcbench.plan.cells import Cell

WATCH_S = 0.5


def busy_cores(seconds: float = WATCH_S) -> float:
    """Cores, of those that this process may use, that other processes keep busy; takes ``seconds``."""
    others = OtherWork()
    time.sleep(seconds)
    return others.busy_cores()


def on_free_cores(
    cells: Sequence[Cell], pending: Sequence[Cell], jobs: int = 1
) -> tuple[Sequence[Cell], str]:
    """The cells with no more threads than their share of the free cores, and a line that says so, else empty.

    Args:
        cells: of a plan.
        pending: those that would run; nothing is measured where these take one thread each.
        jobs: cells at the same time.
    """
    most = max((cell.threads for cell in pending), default=1)
    if most == 1:
        return cells, ""
    cores, busy = resources.cores(), round(busy_cores())
    free = max(1, (cores - busy) // jobs)
    if free >= most:
        return cells, ""
    counted = f"{cores} core{'s' * (cores > 1)}"
    why = f"{min(busy, cores)} of {counted} are busy with other programs"
    if not busy:
        why = f"{jobs} cells at a time on {counted}" if jobs > 1 else counted
    note = f"{why}: {free} thread{'s' * (free > 1)} a cell instead of {most} (--threads {most} insists)"
    return [replace(cell, threads=min(cell.threads, free)) for cell in cells], note
