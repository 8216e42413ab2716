"""Runs cells in this process, one after another: for a debugger, or for objects that cannot be pickled.

There is no limit on time or memory, and what a model leaves behind (seeds, threads, environment) stays.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from hmcbench.execute import worker
from hmcbench.execute.executors.base import Event, Executor, Job
from hmcbench.execute.reporter import Reporter
from hmcbench.records.record import HISTORY


class _NoPipe:
    """Stands for the pipe to the runner, which is this process."""

    def send(self, _message: Mapping[str, Any]) -> None:
        pass


class HereExecutor(Executor):
    """Cells in this process; what they print goes to their logs."""

    def __init__(self, device: str) -> None:
        self._device = device

    def is_busy(self) -> bool:
        return False

    def has_room(self) -> bool:
        return True

    def wait(self) -> Iterator[Event]:
        yield from ()

    def close(self) -> None:
        pass

    def start(self, jobs: Sequence[Job]) -> Iterator[Event]:
        yield from (Event("started", job) for job in jobs)
        path, began = jobs[0].part / worker.LOG, time.monotonic()
        with path.open("w", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
            self._run(jobs)
        share = (time.monotonic() - began) / len(jobs)
        yield from (Event("ended", job, exit=0, seconds=share) for job in jobs)

    def _run(self, jobs: Sequence[Job]) -> None:
        from hmcbench.execute.cell import run_cells

        reports = [Reporter(_NoPipe(), job.part / HISTORY, i) for i, job in enumerate(jobs)]
        cells, parts = [job.cell for job in jobs], [job.part for job in jobs]
        works = [str(job.work) for job in jobs]
        left = dict(enumerate(parts))
        try:
            for index, result in run_cells(cells, parts, works, self._device, reports):
                worker.conclude(reports[index], left[index], result)
                del left[index]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a model may raise anything, SystemExit included
            traceback.print_exc()
            for index, part in left.items():
                worker.conclude(reports[index], part, error)
