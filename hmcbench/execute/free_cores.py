"""What other programs leave of the processor, and cells that take no more threads than that.

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


def on_free_cores(cells: Sequence[Cell], pending: Sequence[Cell]) -> tuple[Sequence[Cell], str]:
    """The cells with no more threads than there are free cores, and a line that says so, else empty.

    Args:
        cells: of a plan.
        pending: those that would run; nothing is measured where these take one thread each.
    """
    most = max((cell.threads for cell in pending), default=1)
    if most == 1 or not (busy := round(busy_cores())):
        return cells, ""
    cores = resources.cores()
    free = max(1, cores - busy)
    if free >= most:
        return cells, ""
    note = (
        f"{min(busy, cores)} of {cores} cores are busy with other programs: {free}"
        f" thread{'s' * (free > 1)} a cell instead of {most} (--threads {most} insists)"
    )
    return [replace(cell, threads=min(cell.threads, free)) for cell in cells], note
