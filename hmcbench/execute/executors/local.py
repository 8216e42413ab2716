"""Runs cells on this machine: one process each, a slot per device, limits on time and memory.

Cells that are fitted together share a process, whose limits are the sums of their limits. Processes are
forked from a server that has only imported the modules of the plan, so a cell starts in a fraction of a
second. Where there is no fork, each process is spawned.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

from hmcbench.execute import resources, worker
from hmcbench.execute.executors.base import THREAD_VARIABLES, TICK_S, Event, Executor, Job
from hmcbench.execute.executors.orphans import Watcher
from hmcbench.files import no_main_module

SCORING_S = 1800.0  # the time of metrics that does not count towards the limit of a process
MEMORY_EVERY_S = 0.5  # between checks, which cost a little; a leak takes longer to fill the memory
MEMORY_SHARE = 0.9  # of the machine's memory, for all cells together that have no limit of their own


@dataclass
class _Running:
    jobs: Sequence[Job]  # one, or several that are fitted together
    waiting: list[Job]  # those that have not ended
    device: str
    process: Any
    progress: connection.Connection
    alive: connection.Connection
    started: float
    killed: str = ""
    limit_mb: int = 0  # on memory, that it was killed for
    memory: int = 0  # bytes, when last checked
    memory_checked: float = 0.0
    scored: float = 0.0  # seconds of past phases of scoring
    scoring: float = 0.0  # when the present one began; 0 if there is none

    @property
    def memory_mb(self) -> int:
        """The limit on memory: the sum of those of its cells; 0: none of its own."""
        return sum(job.cell.memory_mb for job in self.jobs)

    def share(self) -> float:
        """Seconds since the start, in equal parts for the cells that are fitted together."""
        return (time.monotonic() - self.started) / len(self.jobs)

    def seconds(self) -> float:
        """The time that counts towards the limit: metrics have limits of their own."""
        now = time.monotonic()
        scoring = self.scored + (now - self.scoring if self.scoring else 0.0)
        return now - self.started - min(scoring, SCORING_S)

    def enter(self, phase: str) -> None:
        """Note that a cell of this process is in another phase."""
        if self.scoring:
            self.scored += time.monotonic() - self.scoring
        self.scoring = time.monotonic() if phase == "score" else 0.0


class LocalExecutor(Executor):
    """A pool of slots. Each slot holds one process at a time and names its device.

    Args:
        devices: one entry per slot: ``cpu``, ``auto`` or ``cuda:ID``.
        preload: modules for the fork server.
        threads: CPU threads that libraries may use, set before anything is imported.
    """

    def __init__(self, devices: Sequence[str], preload: Sequence[str], threads: int) -> None:
        self._free = list(devices)
        self._running: list[_Running] = []
        self._watcher = Watcher()
        self._most = MEMORY_SHARE * resources.total_memory()
        for name in THREAD_VARIABLES:
            os.environ.setdefault(name, str(threads))
        methods = multiprocessing.get_all_start_methods()
        self._context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            self._context.set_forkserver_preload(
                ["hmcbench.execute.worker", "hmcbench.execute.cell", *preload]
            )

    def is_busy(self) -> bool:
        return bool(self._running)

    def has_room(self) -> bool:
        return bool(self._free)

    def close(self) -> None:
        for running in self._running:
            worker.end(running.process.pid)
            running.process.join()
        self._running.clear()
        self._watcher.close()

    def start(self, jobs: Sequence[Job]) -> Iterator[Event]:
        device = self._free.pop(0)
        receive, send = self._context.Pipe(duplex=False)
        watch, hold = self._context.Pipe(duplex=False)  # the worker ends when this process closes its end
        process = self._context.Process(
            target=worker.main,
            args=(
                [job.cell for job in jobs],
                [str(job.part) for job in jobs],
                [str(job.work) for job in jobs],
                device,
                dict(os.environ),
                send,
                watch,
            ),
            daemon=False,
        )
        with no_main_module():
            process.start()
        send.close()
        watch.close()
        self._running.append(_Running(jobs, [*jobs], device, process, receive, hold, time.monotonic()))
        self._update_watcher()
        yield from (Event("started", job) for job in jobs)

    def _update_watcher(self) -> None:
        self._watcher.update(running.process.pid for running in self._running)

    def wait(self) -> Iterator[Event]:
        channels = [r.progress for r in self._running if not r.progress.closed]
        sentinels = [r.process.sentinel for r in self._running]
        connection.wait([*channels, *sentinels], timeout=TICK_S)
        for running in list(self._running):
            yield from self._messages(running)
            if running.process.exitcode is not None or not running.process.is_alive():
                yield from self._end(running)
            else:
                self._enforce(running)
        self._enforce_together()

    def _messages(self, running: _Running) -> Iterator[Event]:
        try:
            while not running.progress.closed and running.progress.poll():
                message = running.progress.recv()
                job = running.jobs[message.pop("cell")]
                if "phase" in message or message.get("ended"):
                    running.enter(message.get("phase", ""))
                if message.get("ended"):
                    running.waiting.remove(job)
                    yield Event("ended", job, exit=0, seconds=running.share())
                else:
                    yield Event("progress", job, message=message)
        except (EOFError, OSError):
            running.progress.close()
        except Exception:  # a message that cannot be read must not end the cell
            running.progress.close()

    def _enforce(self, running: _Running) -> None:
        """Kill the process tree of a process that exceeds the limits of its cells on time or memory."""
        now = time.monotonic()
        cells = [job.cell for job in running.jobs]
        if running.seconds() > sum(cell.time_limit for cell in cells):
            running.killed = "time-out"
        elif now - running.memory_checked > MEMORY_EVERY_S:
            running.memory_checked = now
            running.memory = resources.tree_memory(running.process.pid)
            if 0 < running.memory_mb * 1e6 < running.memory:
                running.killed, running.limit_mb = "out of memory", running.memory_mb
        if running.killed:
            self._kill(running)

    def _enforce_together(self) -> None:
        """Kill the largest process where those without a limit of their own fill the machine's memory."""
        free = [running for running in self._running if not (running.memory_mb or running.killed)]
        if sum(running.memory for running in free) > self._most:
            largest = max(free, key=lambda running: running.memory)
            largest.killed, largest.limit_mb = "out of memory", int(self._most / 1e6)
            self._kill(largest)

    def _kill(self, running: _Running) -> None:
        worker.end(running.process.pid)
        running.process.join()

    def _end(self, running: _Running) -> Iterator[Event]:
        """End all cells of a process that has ended."""
        worker.end_group(running.process.pid)  # grandchildren that outlived the cell
        running.process.join()
        exit_status, killed, limit = running.process.exitcode, running.killed, running.limit_mb
        for end in (running.progress, running.alive):
            if not end.closed:
                end.close()
        self._running.remove(running)
        self._update_watcher()
        running.process.close()
        self._free.append(running.device)
        share = running.share()
        for job in running.waiting:
            yield Event("ended", job, exit=exit_status, killed=killed, limit_mb=limit, seconds=share)
