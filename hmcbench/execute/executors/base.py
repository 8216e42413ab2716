"""What both executors share: jobs in, events out."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hmcbench.plan.cells import Cell

TICK_S = 0.1
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """A cell, the folder of its results, and the folder that survives a kill (checkpoints)."""

    cell: Cell
    part: Path
    work: Path


@dataclass(frozen=True)
class Event:
    """An event of a cell: ``started``, ``progress`` (``message``) or ``ended``.

    ``elsewhere``: another run on the same folder has made the record. For ``ended``: ``exit`` is the
    process's status (negative: a signal), ``killed`` the limit that it exceeded (``time-out``,
    ``out of memory``), if any, ``limit_mb`` the one on memory in megabytes (0: not known), and ``seconds``
    its share of the time of the process.
    """

    kind: Literal["started", "progress", "ended", "elsewhere"]
    job: Job
    message: dict[str, Any] = field(default_factory=dict)
    exit: int | None = None
    killed: str = ""
    limit_mb: int = 0
    seconds: float = 0.0


class Executor(ABC):
    """Runs jobs in slots."""

    def run(self, groups: Iterator[Sequence[Job]], until: float = math.inf) -> Generator[Event, None, None]:
        """Run all jobs, those of a group in one process; yields events as they happen.

        An empty group means that there is nothing to start at the moment. Closing the generator, or
        reaching the time ``until`` of the monotonic clock, ends all running cells.
        """
        try:
            waiting = True
            while (waiting or self.is_busy()) and time.monotonic() < until:
                while waiting and self.has_room():
                    jobs = next(groups, None)
                    waiting = jobs is not None
                    if not jobs:
                        break
                    yield from self.start(jobs)
                if self.is_busy():
                    yield from self.wait()
                elif waiting:
                    time.sleep(TICK_S)
        finally:
            self.close()

    @abstractmethod
    def is_busy(self) -> bool:
        """Whether a cell is running."""

    @abstractmethod
    def has_room(self) -> bool:
        """Whether another group can be started."""

    @abstractmethod
    def start(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Start the jobs of a group."""

    @abstractmethod
    def wait(self) -> Iterator[Event]:
        """Events of all cells, after waiting for at most a tick."""

    @abstractmethod
    def close(self) -> None:
        """End every running cell and its whole process tree."""
