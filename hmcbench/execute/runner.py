"""plan -> executor -> records. Runs the cells without a record, possibly in parallel with other runs.

The only state is on disk: a cell with a record is done, one without is run. This module does not know how
a process runs a cell (executors/), the phases of a cell (cell.py) or its possible outcomes (outcome.py).
"""

from __future__ import annotations

import errno
import math
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hmcbench.errors import BadInput
from hmcbench.execute import resources
from hmcbench.execute.durations import Budget, cheapest_first, seconds_taken
from hmcbench.execute.executors.base import Event, Executor, Job
from hmcbench.execute.executors.here import HereExecutor
from hmcbench.execute.executors.local import LocalExecutor
from hmcbench.execute.executors.ray import RayExecutor
from hmcbench.execute.locks import Locks
from hmcbench.execute.outcome import record_outcome
from hmcbench.execute.queue import CellQueue, RecordScan, Stamp, most_memory_first, scan, sweep_work
from hmcbench.execute.shifts import lacks_shifts, with_earlier
from hmcbench.files import sweep_temporary, sync_names
from hmcbench.plan.cells import Cell, Plan
from hmcbench.records.record import Record, records_dir, sweep_killed, sweep_run
from hmcbench.records.suite_file import save_info, suite_name
from hmcbench.records.weights import MODEL_FOLDER

Rerun = Literal["missing", "failed", "all"]
PLAN_S = 10.0  # longest wait for other runs that write their plans
Observer = Callable[[Event, "Record | None"], None]
UNWRITABLE = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOTDIR", "EEXIST")
    if hasattr(errno, name)
}


@dataclass
class RunOutcome:
    """The result of a run.

    Attributes:
        folder: ``out/<suite>``.
        done: records of cells of this plan, in plan order.
        ran: how many of them this run made.
        interrupted: whether it was stopped before the end.
        left_out: cells that did not fit into the time budget.
    """

    folder: Path
    done: list[Record] = field(default_factory=list)
    ran: int = 0
    interrupted: bool = False
    left_out: list[Cell] = field(default_factory=list)

    @property
    def failed(self) -> list[Record]:
        return [r for r in self.done if not r.ok]


def existing(plan: Plan, out: Path) -> RecordScan:
    """The records of this plan's cells that are on disk.

    Raises:
        BadInput: the suite's folder holds another suite (names that differ in case share a folder on
            some systems).
    """
    folder = records_dir(out, plan.suite.name)
    other = suite_name(folder.parent)
    if other not in ("", plan.suite.name):
        raise BadInput(
            f"{folder.parent} holds the suite {other!r}, not {plan.suite.name!r}",
            hint="--out names another folder",
        )
    return scan(plan.cells, folder)


def pending(plan: Plan, records: Mapping[str, Record], rerun: Rerun) -> list[Cell]:
    """Cells of the plan to run; ``records``: those that there are, by key.

    A cell whose record lacks shifts is there too: it predicts them with the model that the record kept, or
    where there is none it is run again. A cell that is run again predicts the shifts of its record too,
    unless the plan drops them.
    """
    cells = []
    for cell in plan.cells:
        record = records.get(cell.key)
        if record is None or (rerun == "failed" and not record.ok):
            cells.append(cell)
        elif rerun == "all":
            cells.append(cell if plan.drop_shifts else with_earlier(cell, record))
        elif lacks_shifts(cell, record):
            kept, cell = (record.path / MODEL_FOLDER).is_dir(), with_earlier(cell, record)
            cells.append(replace(cell, kept=str(record.path.absolute()), group="") if kept else cell)
    return cells


def execute(
    plan: Plan,
    out: Path,
    *,
    device: str = "auto",
    jobs: int = 1,
    per_gpu: int = 1,
    rerun: Rerun = "missing",
    executor: str = "local",
    budget: float = 0.0,
    observer: Observer = lambda _event, _record: None,
    on_interrupt: Callable[[], None] = lambda: None,
    before: RecordScan | None = None,
) -> RunOutcome:
    """Run pending cells; Ctrl-C or SIGTERM ends the run cleanly.

    Args:
        plan, out: the cells, and the folder for the records of all suites.
        device, jobs, per_gpu: see :func:`slots`.
        rerun: which cells are pending.
        executor: ``local``, ``here`` for this process, or ``ray`` for a cluster.
        budget: seconds for the whole run; 0 for no limit.
        observer: called with every event of a cell, and with its record if there is one.
        on_interrupt: called at once when the run is interrupted; what is left to do takes longer with every
            record.
        before: the result of :func:`existing`, if the caller has it already.
    """
    folder = records_dir(out, plan.suite.name)
    before = before or existing(plan, out)
    todo = pending(plan, before.records, rerun)
    took = seconds_taken(before.records.values())
    todo = cheapest_first(todo, took) if budget else most_memory_first(todo, before.records.values())
    if executor == "local":
        places = slots(device, jobs, todo, per_gpu)
        share = min(max(map(places.count, places)), max(1, len(todo)))
        todo = [replace(cell, at_a_time=share) for cell in todo]
    limit = Budget(budget, took) if budget else None
    preload = tuple(dict.fromkeys(name for cell in todo for name in cell.preload))
    threads = max((cell.threads for cell in todo), default=1)

    def make_executor() -> Executor:
        if executor == "ray":
            return RayExecutor(device, preload, threads)
        if executor == "here":
            slots(
                device, 1, todo
            )  # raises where there is no such device; in this process it keeps its number
            return HereExecutor(device)
        return LocalExecutor(places, preload, threads)

    result = RunOutcome(folder.parent)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _save_plan(plan, folder.parent, before.folders)
        if todo:
            _run(todo, folder, make_executor, before.stamps, result, (observer, on_interrupt), limit)
        after, left = _tidy(plan.cells, todo, folder, before)
    result.done = list(after.records.values())
    if limit is not None:
        result.left_out = left
    return result


def _save_plan(plan: Plan, folder: Path, recorded: Collection[str]) -> None:
    """Add the plan to those of the folder; one run at a time, since each reads the others' plans."""
    with Locks(folder / "locks") as locks:
        until = time.monotonic() + PLAN_S
        while not locks.claim("plan") and time.monotonic() < until:
            time.sleep(0.02)
        save_info(plan.info(), folder, recorded)


def _tidy(
    cells: Sequence[Cell], todo: Sequence[Cell], folder: Path, before: RecordScan
) -> tuple[RecordScan, list[Cell]]:
    """Remove files of runs that were killed, also where there was nothing to run.

    Returns the records on disk after that, and the cells of ``todo`` without a new record.
    """
    with Locks(folder.parent / "locks") as locks:
        sweep_killed(folder, locks.dead)
        sweep_temporary(folder.parent, locks.dead)
        after = scan(cells, folder, before)
        left = [c for c in todo if after.stamps.get(c.key) in (None, before.stamps.get(c.key))]
        unfinished = {cell.key for cell in left}  # these continue from their work folders
        sweep_work([cell for cell in cells if cell.key not in unfinished], folder, locks)
    return after, left


def _run(
    todo: Sequence[Cell],
    folder: Path,
    make_executor: Callable[[], Executor],
    before: Mapping[str, Stamp],
    result: RunOutcome,
    listeners: tuple[Observer, Callable[[], None]],
    budget: Budget | None,
) -> None:
    """Run cells until all have a record, of this run or of another.

    Args:
        listeners: ``observer`` and ``on_interrupt`` of :func:`execute`.
    """
    observer, on_interrupt = listeners

    def elsewhere(cell: Cell, record: Record) -> None:
        observer(Event("elsewhere", Job(cell, record.path, record.path)), record)

    git = resources.git_revision()
    executor = make_executor()  # first: a missing cluster should leave no file
    with Locks(folder.parent / "locks") as locks, _terminate_as_interrupt():
        sweep_killed(folder, locks.dead)
        queue = CellQueue(todo, folder, locks, before, elsewhere, budget)
        events = executor.run(queue.jobs(), budget.until if budget else math.inf)
        try:
            for event in events:
                record = None
                if event.kind == "ended":
                    if not queue.may_commit(event.job):
                        continue
                    record = record_outcome(event, folder, git)
                    queue.release(event.job)
                    result.ran += 1
                    sync_names(folder)  # last, as it may take a while: nothing is lost if it is interrupted
                    if budget is not None:
                        budget.ended(event.job.cell, event.seconds)
                observer(event, record)
        except KeyboardInterrupt:
            result.interrupted = True
            on_interrupt()
        finally:
            events.close()
            sweep_run(folder, locks.owner)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn the errors of a full disk or a read-only folder into one line."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise BadInput(
            f"{folder} cannot be written to ({error.strerror})",
            hint="make room, then type the same command again" if full else "--out DIR names another folder",
        ) from None


def together(device: str, jobs: int, cells: Sequence[Cell], per_gpu: int = 1) -> int:
    """How many of these cells run at the same time, and share the cores; for :func:`slots`."""
    return max(1, min(len(slots(device, jobs, cells, per_gpu)), len(cells)))


def slots(device: str, jobs: int, cells: Sequence[Cell], per_gpu: int = 1) -> list[str]:
    """The device of each slot: ``jobs`` on a CPU, ``per_gpu`` on each GPU otherwise."""
    if device == "cpu":
        return ["cpu"] * jobs
    gpus = resources.cuda_devices()
    if device == "auto":
        wanted = gpus if any(c.accelerated for c in cells) else []
        return [f"cuda:{gpu}" for gpu in wanted] * per_gpu or ["auto"] * jobs
    index = device.partition(":")[2] or "0"
    if not index.isdigit() or int(index) >= len(gpus):
        have = ", ".join(f"cuda:{i}" for i in range(len(gpus))) or "no GPU is visible"
        raise BadInput(f"device {device!r} is not here", allowed=f"auto, cpu, and what was found: {have}")
    return [f"cuda:{gpus[int(index)]}"] * per_gpu


class _terminate_as_interrupt:
    """SIGTERM means the same as Ctrl-C while cells run."""

    def __enter__(self) -> None:
        def stop(_signal: int, _frame: Any) -> None:
            raise KeyboardInterrupt

        try:
            self._before: Any = signal.signal(signal.SIGTERM, stop)
        except ValueError:  # not the main thread
            self._before = None

    def __exit__(self, *_exc: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
