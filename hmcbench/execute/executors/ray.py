"""Runs cells on a Ray cluster, with the same events as on this machine.

Each group of cells is one Ray task with one device; on its node the local executor runs it, so that limits
and causes of failure are the same. The files of a cell are sent back through Ray: nodes need the data and
hmcbench, not the results folder. A task whose node died is submitted again.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hmcbench.errors import BadInput, Unavailable, one_line
from hmcbench.execute.executors.base import THREAD_VARIABLES, TICK_S, Event, Executor, Job
from hmcbench.execute.executors.local import LocalExecutor
from hmcbench.files import check_reachable
from hmcbench.plan.cells import Cell

TRIES = 4  # of a cell whose node dies
REPORT_EVERY_S = 0.5
CARRIED = ("HMCBENCH_PLUGINS", "HMCBENCH_SKIPPED_PLUGINS")


@dataclass
class _Task:
    jobs: Sequence[Job]
    stream: Any  # of what the node reports
    waiting: set[int] = field(default_factory=set)
    tries: int = 1
    begun: float = field(default_factory=time.monotonic)


class RayExecutor(Executor):
    """Cells as tasks of the cluster that ``RAY_ADDRESS`` names, else of one on this machine.

    Args:
        device: ``auto`` (a GPU for each model that can use one, where the cluster has any) or ``cpu``.
        preload: modules for the fork server of each node.
        threads: CPUs that one cell takes.
    """

    def __init__(self, device: str, preload: Sequence[str], threads: int) -> None:
        if device not in ("auto", "cpu"):
            raise BadInput(
                f"--device {device} with --executor ray",
                allowed="auto or cpu, as Ray gives out the devices",
            )
        self._ray = connect()
        self._device, self._preload, self._threads = device, tuple(preload), threads
        self._tasks: list[_Task] = []

    def slots(self) -> int:
        """How many cells the nodes that are alive now can run in parallel."""
        available = self._ray.cluster_resources()
        gpus = int(available.get("GPU", 0)) if self._device == "auto" else 0
        return max(1, gpus, int(available.get("CPU", 1)) // self._threads)

    def is_busy(self) -> bool:
        return bool(self._tasks)

    def has_room(self) -> bool:
        return len(self._tasks) < self.slots()

    def start(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Submit a task; its node reports the start of its cells."""
        self._tasks.append(_Task(jobs, self._submit(jobs), set(range(len(jobs)))))
        return iter(())

    def close(self) -> None:
        """End every running cell, and disconnect from the cluster."""
        for task in self._tasks:
            with suppress(Exception):  # a task may end, or its node die, at this moment
                self._ray.cancel(task.stream, force=True)
        self._tasks.clear()
        self._ray.shutdown()

    def _submit(self, jobs: Sequence[Job], among: Sequence[int] | None = None) -> Any:
        chosen = range(len(jobs)) if among is None else among
        gpu = self._device == "auto" and bool(self._ray.cluster_resources().get("GPU"))
        gpu = gpu and any(job.cell.accelerated for job in jobs)
        remote = self._ray.remote(run_on_node).options(
            num_cpus=0 if gpu else self._threads,
            num_gpus=1 if gpu else 0,
            max_retries=0,  # this executor decides what is repeated
            num_returns="streaming",
        )
        return remote.remote(
            [(i, jobs[i].cell, str(jobs[i].work)) for i in chosen],
            "auto" if gpu else "cpu",
            self._preload,
            self._threads,
            {name: os.environ[name] for name in CARRIED if name in os.environ},
        )

    def wait(self) -> Iterator[Event]:
        by_stream = {task.stream: task for task in self._tasks}
        ready, _ = self._ray.wait(list(by_stream), timeout=TICK_S, fetch_local=False)
        for stream in ready:
            yield from self._next(by_stream[stream])

    def _next(self, task: _Task) -> Iterator[Event]:
        exceptions = self._ray.exceptions
        try:
            kind, index, facts = self._ray.get(next(task.stream))
        except StopIteration:
            self._tasks.remove(task)
            yield from self._lost(task, "its node ended without a result")
        except exceptions.RayTaskError as error:  # raised by run_on_node: another node would raise it too
            self._tasks.remove(task)
            yield from self._lost(task, one_line(str(error.cause), 500))
        except exceptions.OutOfMemoryError:
            self._tasks.remove(task)
            yield from self._lost(task, "", killed="out of memory")
        except exceptions.RayError:
            self._tasks.remove(task)
            if task.tries >= TRIES:
                yield from self._lost(task, f"its node died, {TRIES} times")
            else:
                again = self._submit(task.jobs, sorted(task.waiting))
                self._tasks.append(_Task(task.jobs, again, task.waiting, task.tries + 1, task.begun))
        else:
            job = task.jobs[index]
            if kind == "ended":
                task.waiting.discard(index)
                unpack(facts.pop("files"), job.part)
                yield Event("ended", job, **facts)
            else:
                yield Event(kind, job, message=facts)

    def _lost(self, task: _Task, why: str, killed: str = "") -> Iterator[Event]:
        """``ended`` events for the cells of a task that have not ended."""
        seconds = (time.monotonic() - task.begun) / len(task.jobs)
        for index in sorted(task.waiting):
            if why:
                (task.jobs[index].part / "log.txt").write_text(f"{why}\n", encoding="utf-8")
            yield Event("ended", task.jobs[index], exit=1, killed=killed, seconds=seconds)


def connect() -> Any:
    """The module ray, connected to a cluster; raises Unavailable or BadInput in one line."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise Unavailable(
            "--executor ray needs the package ray", hint="pip install 'hmcbench[ray]'"
        ) from None
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "")
        host, _, port = address.rpartition(":")
        try:
            if host and port.isdigit() and "/" not in host:  # Ray may try for minutes, then kill us
                check_reachable(host.strip("[]"), int(port))
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except (OSError, ValueError, RuntimeError) as error:  # failed connections and time-outs are OSErrors
            text = one_line(str(error), 200)
            raise BadInput(
                f"the Ray cluster {address} cannot be reached ({text})",
                hint="RAY_ADDRESS=HOST:6379 names a running one, RAY_AUTH_MODE=token is for those that want "
                "a token; without RAY_ADDRESS one starts here",
            ) from None
    return ray


def run_on_node(
    cells: Sequence[tuple[int, Cell, str]],
    device: str,
    preload: Sequence[str],
    threads: int,
    environment: Mapping[str, str],
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Run cells that are fitted together on this node; yields (kind of event, position, values).

    Args:
        cells: (position, cell, work folder); the work folder is used if this node can write to it, so
            that a cell continues from its checkpoint after its node died.
    """
    import sys

    os.environ.update(environment, **dict.fromkeys(THREAD_VARIABLES, str(threads)))
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):  # else every cell would import Ray's main program first
        del main.__file__
    with tempfile.TemporaryDirectory(prefix="hmcbench-") as base:
        places: dict[str, int] = {}
        jobs = []
        for place, cell, work in cells:
            part, own = Path(base, f"part-{place}"), Path(base, f"work-{place}")
            part.mkdir()
            own.mkdir()
            places[cell.key] = place
            jobs.append(Job(cell, part, Path(work) if os.access(work, os.W_OK) else own))
        reported = dict.fromkeys(places, 0.0)
        for event in LocalExecutor([device], preload, threads).run(iter([jobs])):
            key, place = event.job.cell.key, places[event.job.cell.key]
            if event.kind == "ended":
                facts = {name: getattr(event, name) for name in ("exit", "killed", "limit_mb", "seconds")}
                yield "ended", place, {**facts, "files": pack(event.job.part)}
            elif "done" not in event.message or time.monotonic() - reported[key] > REPORT_EVERY_S:
                reported[key] = time.monotonic()
                yield event.kind, place, event.message


def pack(folder: Path) -> dict[str, bytes]:
    """Relative path -> content of every file of a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
